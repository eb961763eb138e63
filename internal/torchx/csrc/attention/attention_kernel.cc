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
#define FX_WITH_TILES 1
#include "simd/each_target.h"

}  // namespace

bool has_attention(int64_t width, bool bfloat16) {
  return (bfloat16 ? FX_BEST(kernel<bf16>) != nullptr : FX_BEST(kernel<float>) != nullptr) && width > 0 && width % 16 == 0 &&
         width <= 64;
}

template <class T>
void attention_forward(const AttentionShape &s, const T *qkv, T *y, float *m, float *r) {
  FX_BEST(kernel<T>)->forward(s, qkv, y, m, r);
}

template <class T>
void attention_backward(const AttentionShape &s, const T *qkv, const T *y, const float *m, const float *r, const T *dy,
                        T *dqkv) {
  FX_BEST(kernel<T>)->backward(s, qkv, y, m, r, dy, dqkv);
}

#define FX_INSTANTIATE(T)                                                                      \
  template void attention_forward(const AttentionShape &, const T *, T *, float *, float *);   \
  template void attention_backward(const AttentionShape &, const T *, const T *, const float *, \
                                   const float *, const T *, T *);
FX_INSTANTIATE(float)
FX_INSTANTIATE(bf16)

}  // namespace fx
