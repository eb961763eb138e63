// See attention.h for the maths.
#include "attention.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#include "simd/buffers.h"
#include "simd/simd.h"
#include "simd/tiles.h"

namespace fx {
namespace {

// The functions, compiled for each set of instructions; see attention_kernel.h.
template <class T>
struct Kernel {
  void (*forward)(const AttentionShape &s, const T *qkv, T *y, float *m, float *r);
  void (*backward)(const AttentionShape &s, const T *qkv, const T *y, const float *m, const float *r, const T *dy, T *dqkv);
};

#define FX_KERNEL "attention/attention_kernel.h"
#define FX_TILES 0
#include "simd/each_target.h"
#undef FX_TILES

#if FX_HAS_TILES
#pragma GCC push_options
#pragma GCC target("avx2,fma,avx512f,avx512vl,avx512dq,avx512bw,avx512bf16")
#define FX_TARGET amx
#define FX_WIDTH 16
#define FX_BF16 1
#define FX_TILES 1
#include FX_KERNEL
#pragma GCC pop_options
#endif

template <class T>
const Kernel<T> *best() {
#if FX_HAS_TILES
  if (has_tiles()) return amx::kernel<T>;
#endif
  return FX_BEST(kernel<T>);
}

}  // namespace

bool has_attention(int64_t width, bool bfloat16) {
  return (bfloat16 ? best<bf16>() != nullptr : best<float>() != nullptr) && width > 0 && width % 16 == 0 &&
         width <= 64;
}

template <class T>
void attention_forward(const AttentionShape &s, const T *qkv, T *y, float *m, float *r) {
  best<T>()->forward(s, qkv, y, m, r);
}

template <class T>
void attention_backward(const AttentionShape &s, const T *qkv, const T *y, const float *m, const float *r, const T *dy,
                        T *dqkv) {
  best<T>()->backward(s, qkv, y, m, r, dy, dqkv);
}

#define FX_INSTANTIATE(T)                                                                      \
  template void attention_forward(const AttentionShape &, const T *, T *, float *, float *);   \
  template void attention_backward(const AttentionShape &, const T *, const T *, const float *, \
                                   const float *, const T *, T *);
FX_INSTANTIATE(float)
FX_INSTANTIATE(bf16)

}  // namespace fx
