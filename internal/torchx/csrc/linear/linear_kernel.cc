// See linear.h for the maths.
#include "linear.h"

#include <ATen/Parallel.h>

#include <algorithm>

#include "simd/simd.h"

namespace fx {
namespace {

// The inner loops, compiled for each set of instructions; see linear_kernel.h.
struct Kernel {
  float (*dot)(const float *a, const float *b, int64_t n);
  void (*add_scaled)(float a, const float *x, int64_t begin, int64_t end, float *y);
};

#define FX_KERNEL "linear/linear_kernel.h"
#include "simd/each_target.h"

// Calls body(begin, end) in parallel. Each of the size pieces takes that many products, and a thread gets at least some
// ten microseconds of work.
template <class Body>
void split(int64_t size, int64_t products, Body &&body) {
  at::parallel_for(0, size, std::max<int64_t>(1, (1 << 17) / products), body);
}

}  // namespace

void linear_forward(const LinearShape &s, const float *x, const float *w, const float *b, float *y) {
  const auto dot = FX_BEST(kernel).dot;
  split(s.out, s.rows * s.in, [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; o++)
      for (int64_t n = 0; n < s.rows; n++) y[n * s.out + o] = b[o] + dot(x + n * s.in, w + o * s.in, s.in);
  });
}

void linear_input_gradient(const LinearShape &s, const float *dy, const float *w, float *dx) {
  const auto add_scaled = FX_BEST(kernel).add_scaled;
  std::fill_n(dx, s.rows * s.in, 0.0f);
  const int64_t part = 64, parts = (s.in + part - 1) / part;  // a part of a row is a whole number of vectors
  split(parts, s.rows * s.out * part, [&](int64_t begin, int64_t end) {
    for (int64_t o = 0; o < s.out; o++)
      for (int64_t n = 0; n < s.rows; n++)
        add_scaled(dy[n * s.out + o], w + o * s.in, begin * part, std::min(end * part, s.in), dx + n * s.in);
  });
}

void linear_weight_gradient(const LinearShape &s, const float *x, const float *dy, float *dw, float *db) {
  const auto add_scaled = FX_BEST(kernel).add_scaled;
  split(s.out, s.rows * s.in, [&](int64_t begin, int64_t end) {
    std::fill(dw + begin * s.in, dw + end * s.in, 0.0f);
    for (int64_t o = begin; o < end; o++) {
      db[o] = 0;
      for (int64_t n = 0; n < s.rows; n++) {
        add_scaled(dy[n * s.out + o], x + n * s.in, 0, s.in, dw + o * s.in);
        db[o] += dy[n * s.out + o];
      }
    }
  });
}

}  // namespace fx
