// See winograd.h for the maths.
#include "winograd.h"

#include <type_traits>
#include <utility>

#include "simd/buffers.h"
#include "simd/simd.h"

namespace fx {
namespace {

constexpr int points = 16;

// The functions of winograd.h, compiled for each set of instructions; see winograd_kernel.h.
struct Kernel {
  void (*forward)(const ConvShape &s, const float *x, const float *w, const float *b, const float *r, float *y);
  void (*input_gradient)(const ConvShape &s, const float *dy, const float *w, float *dx);
  void (*weight_gradient)(const ConvShape &s, const float *x, const float *dy, float *dw, float *db);
};

#define FX_KERNEL "conv/winograd_kernel.h"
#include "simd/each_target.h"

}  // namespace

bool has_winograd(const ConvShape &s) { return s.kernel == 3 && s.samples * s.height * s.width >= 512; }

void winograd_forward(const ConvShape &s, const float *x, const float *w, const float *b, const float *r, float *y) {
  FX_BEST(kernel).forward(s, x, w, b, r, y);
}

void winograd_input_gradient(const ConvShape &s, const float *dy, const float *w, float *dx) {
  FX_BEST(kernel).input_gradient(s, dy, w, dx);
}

void winograd_weight_gradient(const ConvShape &s, const float *x, const float *dy, float *dw, float *db) {
  FX_BEST(kernel).weight_gradient(s, x, dy, dw, db);
}

}  // namespace fx
