// Loops that threads share out among themselves while they run.
#pragma once
#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>
#include <vector>

namespace fx {

// The indices 0 <= i < n, cut into parts of `grain`, the last one perhaps shorter. Each thread has a share of its own,
// the one that at::parallel_for would give it.
class Shares {
 public:
  Shares(int64_t n, int64_t grain, int64_t threads)
      : n_(n), grain_(grain), length_((n + threads - 1) / threads), next_(threads) {
    for (int64_t i = 0; i < threads; i++) next_[i].at = i * length_;
  }

  // The first index of the next part for that thread, and the index after the part: from its own share or, when that has
  // been taken, from another's.
  std::optional<std::pair<int64_t, int64_t>> take(int64_t thread) {
    const int64_t threads = static_cast<int64_t>(next_.size());
    for (int64_t i = 0; i < threads; i++) {
      const int64_t share = (thread + i) % threads, end = std::min(n_, (share + 1) * length_);
      if (next_[share].at.load(std::memory_order_relaxed) >= end) continue;
      const int64_t begin = next_[share].at.fetch_add(grain_, std::memory_order_relaxed);
      if (begin < end) return std::pair(begin, std::min(begin + grain_, end));
    }
    return std::nullopt;
  }

 private:
  struct alignas(64) Next {  // in a cache line of its own
    std::atomic<int64_t> at;
  };
  const int64_t n_, grain_, length_;
  std::vector<Next> next_;
};

// Both loops call body(begin, end) for intervals that make up 0 <= i < n, in parallel. A thread gets its body from make().

// In parts of `grain`. If another process takes a thread's core, the other threads do the rest of its share, where
// at::parallel_for would wait. The result must not depend on which thread does a part.
constexpr auto in_parts = [](int64_t n, int64_t grain, auto &&make) {
  const int64_t threads = std::min<int64_t>(at::get_num_threads(), (n + grain - 1) / grain);
  Shares shares(n, grain, std::max<int64_t>(threads, 1));
  at::parallel_for(0, threads, 1, [&](int64_t begin, int64_t end) {
    for (int64_t thread = begin; thread < end; thread++) {
      auto part = shares.take(thread);
      if (!part) continue;
      auto body = make();
      for (; part; part = shares.take(thread)) body(part->first, part->second);
    }
  });
};

// One share for each thread, which always has the same one: for results that depend on it, such as sums of each thread.
constexpr auto in_shares = [](int64_t n, int64_t grain, auto &&make) {
  at::parallel_for(0, n, grain, [&](int64_t begin, int64_t end) { make()(begin, end); });
};

// in_parts with one body for all threads.
template <class Body>
void parallel_for(int64_t n, int64_t grain, const Body &body) {
  in_parts(n, grain, [&] { return [&](int64_t begin, int64_t end) { body(begin, end); }; });
}

}  // namespace fx
