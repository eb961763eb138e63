// See winograd.h for the maths.
#include "winograd.h"

#include <type_traits>
#include <utility>

#include "core/parallel.h"
#include "simd/buffers.h"
#include "simd/simd.h"

namespace fx {
namespace {

// The functions of winograd.h, compiled for each set of instructions; see winograd_kernel.h.
struct Kernel {
  void (*pack)(const ConvShape &s, const float *w, float *to);
  void (*pack_large)(const ConvShape &s, const float *w, float *to);
  void (*forward)(const ConvShape &s, const float *x, const float *w, const float *b, const float *r, float *y);
  void (*forward_large)(const ConvShape &s, const float *x, const float *w, const float *b, const float *r, float *y);
  void (*input_gradient)(const ConvShape &s, const float *dy, const float *w, float *dx);
  void (*weight_gradient)(const ConvShape &s, const float *x, const float *dy, float *dw, float *db);
};

// The length of a plane of transformed weights, one for each point. Without the last term it would be a power of two, and
// all points would fall into the same few sets of the cache.
int64_t plane_of(const ConvShape &s) { return s.in * s.out + 16; }

#define FX_KERNEL "conv/winograd_kernel.h"
#include "simd/each_target.h"

}  // namespace

bool has_winograd(const ConvShape &s) { return s.kernel == 3 && s.samples * s.height * s.width >= 512; }

bool has_large_winograd(const ConvShape &s) {
  const int64_t cells = s.samples * s.height * s.width;
  return s.inference && s.kernel == 3 && cells >= 64 && cells * 64 >= s.in * s.out;
}

int64_t winograd_packed_bytes(const ConvShape &s) {
  const int64_t points = has_large_winograd(s) ? 36 : 16;
  return points * plane_of(s) * static_cast<int64_t>(sizeof(float));
}

void winograd_pack(const ConvShape &s, const float *w, float *packed) {
  const auto &k = FX_BEST(kernel);
  (has_large_winograd(s) ? k.pack_large : k.pack)(s, w, packed);
}

void winograd_forward(const ConvShape &s, const float *x, const float *w, const float *b, const float *r, float *y) {
  const auto &k = FX_BEST(kernel);
  (has_large_winograd(s) ? k.forward_large : k.forward)(s, x, w, b, r, y);
}

void winograd_input_gradient(const ConvShape &s, const float *dy, const float *w, float *dx) {
  FX_BEST(kernel).input_gradient(s, dy, w, dx);
}

void winograd_weight_gradient(const ConvShape &s, const float *x, const float *dy, float *dw, float *db) {
  FX_BEST(kernel).weight_gradient(s, x, dy, dw, db);
}

}  // namespace fx
