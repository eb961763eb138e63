// Memory for tensors on the CPU. A training step frees and asks again for the same few hundred blocks; from malloc
// they come back to the kernel and from it, page by page, which costs up to a tenth of a step.
#include <c10/core/CPUAllocator.h>
#include <c10/core/impl/alloc_cpu.h>
#include <sys/mman.h>

#include <algorithm>
#include <map>
#include <mutex>
#include <unordered_map>

#include "guard.h"

namespace {

constexpr size_t large = 64 << 10;  // smaller blocks are malloc's

size_t rounded(size_t bytes) { return (bytes + 4095) / 4096 * 4096; }

// Keeps blocks for their next use by something of the same size or a little smaller: as long as it has no more of them,
// used and unused, than 5/4 of what was ever used at once, or 32 MiB more; then it gives all the unused ones back, since
// other sizes are wanted now.
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
    unused_.emplace_hint(unused_.lower_bound(bytes), bytes, data);  // before its equals: it is the next to be taken
    return true;
  }

  static void release(void *data);
};

// Tensors outlive everything static.
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
