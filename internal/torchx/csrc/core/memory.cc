// An allocator for tensors on the CPU that keeps freed blocks. A training step frees the same few hundred blocks and
// allocates them again. malloc returns such large blocks to the operating system each time, and getting them back page
// by page costs up to a tenth of a step.
#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>
#include <sys/mman.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <unordered_map>

#include "guard.h"

namespace {

constexpr size_t large = 64 << 10;  // smaller blocks come from malloc

size_t rounded(size_t bytes) { return (bytes + 4095) / 4096 * 4096; }

// Reuses a freed block for a request of the same size, or of down to 4/5 of it. If a new block would bring the total,
// used and unused, above the most that was ever used at once plus a quarter of that (at least 32 MiB), it first returns
// all unused blocks to the system: their sizes are evidently not needed any more.
class Cache : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    void *data = bytes < large ? c10::alloc_cpu(bytes) : take(rounded(bytes));
    return {data, data, &release, at::Device(at::kCPU)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &release; }
  void copy_data(void *to, const void *from, size_t bytes) const override { default_copy_data(to, from, bytes); }

 private:
  std::mutex mutex_;
  std::unordered_map<void *, size_t> used_;
  std::multimap<size_t, void *> unused_;
  size_t used_bytes_ = 0, unused_bytes_ = 0, most_used_ = 0;

  void *take(size_t bytes) {
    std::lock_guard<std::mutex> lock(mutex_);
    void *data;
    if (auto found = unused_.lower_bound(bytes); found != unused_.end() && found->first <= bytes + bytes / 4) {
      bytes = found->first;
      data = found->second;
      unused_bytes_ -= bytes;
      unused_.erase(found);
    } else {
      if (used_bytes_ + unused_bytes_ + bytes > most_used_ + std::max(most_used_ / 4, size_t{32} << 20)) give_back();
      data = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      TORCH_CHECK_WITH(OutOfMemoryError, data != MAP_FAILED, "no memory for a tensor of ", bytes, " bytes");
      madvise(data, bytes, MADV_HUGEPAGE);
    }
    used_[data] = bytes;
    used_bytes_ += bytes;
    most_used_ = std::max(most_used_, used_bytes_);
    return data;
  }

  void give_back() {
    for (auto [bytes, block] : unused_) munmap(block, bytes);
    unused_.clear();
    unused_bytes_ = 0;
  }

  bool put(void *data) {
    std::lock_guard<std::mutex> lock(mutex_);
    auto found = used_.find(data);
    if (found == used_.end()) return false;
    const size_t bytes = found->second;
    used_.erase(found);
    used_bytes_ -= bytes;
    unused_bytes_ += bytes;
    unused_.emplace_hint(unused_.lower_bound(bytes), bytes, data);  // before blocks of equal size, so that it is reused first
    return true;
  }

  static void release(void *data);
};

// Never destroyed, because tensors may be freed after static objects are.
Cache &cache() {
  static Cache *cache = new Cache;
  return *cache;
}

void Cache::release(void *data) {
  if (data && !cache().put(data)) c10::free_cpu(data);
}

}  // namespace

fx_error fx_cache_memory(void) {
  return fx::guard([] { c10::SetCPUAllocator(&cache()); });
}
