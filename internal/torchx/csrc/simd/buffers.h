// Memory of kernels: buffers, and the sums of each thread.
#pragma once
#include <ATen/Parallel.h>
#include <c10/core/CPUAllocator.h>

#include <algorithm>
#include <optional>
#include <vector>

namespace fx {

// Uninitialized memory from libtorch's allocator, so that memory.cc keeps it for the next use.
template <class E>
struct Buffer {
  c10::DataPtr data;
  explicit Buffer(int64_t n) : data(c10::GetCPUAllocator()->allocate(n * sizeof(E))) {}
  E *get() const { return static_cast<E *>(data.get()); }
};

// A buffer of n sums for each thread that adds to one, to be added up afterwards.
class ThreadSums {
 public:
  explicit ThreadSums(int64_t n) : n_(n), parts_(at::get_num_threads()) {}

  // The calling thread's sums, set to zero. A thread calls this once.
  float *begin() {
    auto &part = parts_[at::get_thread_num()].emplace(n_);
    std::fill_n(part.get(), n_, 0.0f);
    return part.get();
  }

  // The sums of all threads that called begin.
  std::vector<const float *> made() const {
    std::vector<const float *> made;
    for (const auto &part : parts_)
      if (part) made.push_back(part->get());
    return made;
  }

 private:
  int64_t n_;
  std::vector<std::optional<Buffer<float>>> parts_;
};

// to[i] = the sum over the parts of part[at + i], for i < n.
inline void add_up(const std::vector<const float *> &parts, int64_t at, int64_t n, float *to) {
  std::fill_n(to, n, 0.0f);
  for (const float *part : parts)
    for (int64_t i = 0; i < n; i++) to[i] += part[at + i];
}

}  // namespace fx
