// What the kernels of convolution and attention share: vectors of AVX-512, buffers, sums of each thread. Including this
// header compiles the rest of the translation unit for AVX-512, bf16 included, so include it last.
#pragma once
#include <ATen/Parallel.h>
#include <c10/core/CPUAllocator.h>
#include <immintrin.h>

#include <algorithm>
#include <optional>
#include <type_traits>
#include <vector>

#include "bf16.h"

#pragma GCC target("avx2,fma,avx512f,avx512vl,avx512dq,avx512bw,avx512bf16")
// GCC 12 gives these warnings inside its own header of intrinsics.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"

// Stands before every loop over sums that have to stay in registers. An array that any loop indexes at run time is in
// memory instead.
#define FX_UNROLL _Pragma("GCC unroll 16")

namespace fx {
namespace {

constexpr int64_t lanes = 16;
using pair = uint32_t;  // two bf16, the first in the lower half

template <class T>
using term_of = std::conditional_t<std::is_same_v<T, bf16>, pair, float>;
template <class E>
constexpr int64_t values_of = std::is_same_v<E, pair> ? 2 : 1;

inline __m512i vector(const void *x) { return _mm512_loadu_si512(x); }
inline void put(void *y, __m512i v) { _mm512_storeu_si512(y, v); }

// acc + a b, with b broadcast to all lanes.
inline __m512 multiply_add(__m512 acc, const float *a, float b) {
  return _mm512_fmadd_ps(_mm512_loadu_ps(a), _mm512_set1_ps(b), acc);
}
inline __m512 multiply_add(__m512 acc, const pair *a, pair b) {
  return _mm512_dpbf16_ps(acc, (__m512bh)vector(a), (__m512bh)_mm512_set1_epi32(static_cast<int>(b)));
}

inline void store(float *y, __m512 v) { _mm512_storeu_ps(y, v); }
inline void store(bf16 *y, __m512 v) { _mm256_storeu_si256(reinterpret_cast<__m256i *>(y), (__m256i)_mm512_cvtneps_pbh(v)); }
inline __m512 load(const float *x) { return _mm512_loadu_ps(x); }
inline __m512 load(const bf16 *x) {
  const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(x)));
  return (__m512)_mm512_slli_epi32(wide, 16);
}

// Sixteen terms from values that are contiguous along the summed axis.
template <class E, class T>
__m512i along(const T *x) {
  if constexpr (std::is_same_v<E, pair> && std::is_same_v<T, float>)
    return (__m512i)_mm512_cvtne2ps_pbh(load(x + lanes), load(x));
  else
    return vector(x);
}
// Sixteen terms with their first values in x and, if a term has two, their second values in next.
inline __m512i widened(const bf16 *x) {
  return _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(x)));
}
inline __m512i widened(const float *x) { return _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(load(x))); }
template <class E, class T>
__m512i across(const T *x, const T *next) {
  if constexpr (std::is_same_v<E, pair>)
    return _mm512_or_si512(widened(x), _mm512_slli_epi32(widened(next), 16));
  else
    return vector(x);
}

// Transposes 16 rows of 16 in place. It swaps the blocks off the diagonal, of size 8 first, then 4, 2 and 1.
inline void transpose(__m512i *rows) {
#pragma GCC unroll 4
  for (int h = 8; h > 0; h /= 2) {
    alignas(64) int32_t low[lanes], high[lanes];
    for (int j = 0; j < lanes; j++) {
      low[j] = j & h ? lanes + j - h : j;
      high[j] = j & h ? lanes + j : j + h;
    }
    const __m512i to_low = vector(low), to_high = vector(high);
#pragma GCC unroll 16
    for (int i = 0; i < lanes; i++) {
      if (i & h) continue;
      const __m512i a = rows[i], b = rows[i + h];
      rows[i] = _mm512_permutex2var_epi32(a, to_low, b);
      rows[i + h] = _mm512_permutex2var_epi32(a, to_high, b);
    }
  }
}

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

// Splits the channels into blocks of 32, the last one of 16 if channels are left over, and calls body(first channel,
// vectors of the block) in parallel.
template <class Body>
void each_block(int64_t channels, Body &&body) {
  at::parallel_for(0, (channels + 2 * lanes - 1) / (2 * lanes), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) body(i * 2 * lanes, std::min<int64_t>(2, channels / lanes - i * 2));
  });
}

}  // namespace
}  // namespace fx
