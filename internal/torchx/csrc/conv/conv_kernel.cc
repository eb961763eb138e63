// See conv.h for the maths.
#include "conv.h"

#include <array>
#include <cstring>
#include <type_traits>
#include <utility>

#include "amx.h"
#include "core/parallel.h"
#include "simd/buffers.h"
#include "simd/simd.h"
#include "winograd.h"

namespace fx {
namespace {

// The functions of conv.h, compiled for each set of instructions; see conv_kernel.h.
template <class T>
struct Kernel {
  void (*pack)(const ConvShape &s, const float *w, void *to);
  void (*forward)(const ConvShape &s, const T *x, const void *w, const float *b, const T *r, T *y);
  void (*input_gradient)(const ConvShape &s, const T *dy, const float *w, T *dx);
  void (*weight_gradient)(const ConvShape &s, const T *x, const T *dy, float *dw, float *db);
};

#define FX_KERNEL "conv/conv_kernel.h"
#include "simd/each_target.h"

}  // namespace

bool has_conv(bool bfloat16) { return bfloat16 ? FX_BEST(kernel<bf16>) != nullptr : FX_BEST(kernel<float>) != nullptr; }

template <class T>
ConvWay conv_way(const ConvShape &s) {
  if (!std::is_same_v<T, float>) return has_tiles() ? ConvWay::amx : ConvWay::direct;
  if (has_large_winograd(s)) return ConvWay::large_winograd;
  return has_winograd(s) ? ConvWay::winograd : ConvWay::direct;
}

template <class T>
int64_t conv_packed_bytes(const ConvShape &s) {
  switch (conv_way<T>(s)) {
    case ConvWay::direct: return s.out * s.kernel * s.kernel * s.in * static_cast<int64_t>(sizeof(T));
    case ConvWay::amx: return amx_packed_bytes(s);
    default: return winograd_packed_bytes(s);
  }
}

template <class T>
void conv_pack(const ConvShape &s, const float *w, void *to) {
  switch (conv_way<T>(s)) {
    case ConvWay::direct: return FX_BEST(kernel<T>)->pack(s, w, to);
    case ConvWay::amx: return amx_pack(s, w, to);
    default: return winograd_pack(s, w, static_cast<float *>(to));
  }
}

template <class T>
void conv_forward(const ConvShape &s, const T *x, const void *w, const float *b, const T *r, T *y) {
  const ConvWay way = conv_way<T>(s);
  if (way == ConvWay::direct) return FX_BEST(kernel<T>)->forward(s, x, w, b, r, y);
  if constexpr (std::is_same_v<T, bf16>)
    amx_forward(s, x, w, b, r, y);
  else
    winograd_forward(s, x, static_cast<const float *>(w), b, r, y);
}

template <class T>
void conv_input_gradient(const ConvShape &s, const T *dy, const float *w, T *dx) {
  if constexpr (std::is_same_v<T, bf16>) {
    if (has_tiles()) return amx_input_gradient(s, dy, w, dx);
  } else if (has_winograd(s))
    return winograd_input_gradient(s, dy, w, dx);
  FX_BEST(kernel<T>)->input_gradient(s, dy, w, dx);
}

template <class T>
void conv_weight_gradient(const ConvShape &s, const T *x, const T *dy, float *dw, float *db) {
  if constexpr (std::is_same_v<T, bf16>) {
    if (has_tiles()) return amx_weight_gradient(s, x, dy, dw, db);
  } else if (has_winograd(s))
    return winograd_weight_gradient(s, x, dy, dw, db);
  FX_BEST(kernel<T>)->weight_gradient(s, x, dy, dw, db);
}

#define FX_INSTANTIATE(T)                                                                                     \
  template ConvWay conv_way<T>(const ConvShape &);                                                            \
  template int64_t conv_packed_bytes<T>(const ConvShape &);                                                   \
  template void conv_pack<T>(const ConvShape &, const float *, void *);                                       \
  template void conv_forward(const ConvShape &, const T *, const void *, const float *, const T *, T *);      \
  template void conv_input_gradient(const ConvShape &, const T *, const float *, T *);                        \
  template void conv_weight_gradient(const ConvShape &, const T *, const T *, float *, float *);
FX_INSTANTIATE(float)
FX_INSTANTIATE(bf16)

}  // namespace fx
