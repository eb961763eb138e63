// The inner loops of linear_kernel.cc, compiled once for each set of instructions; see each_target.h.
namespace FX_TARGET {

#include "simd/vec.h"

inline float dot(const float *a, const float *b, int64_t n) {
  vec acc = {};
  each_vector(0, n, [&](int64_t i, auto l) { acc += l.load(a + i) * l.load(b + i); });
  float sum = 0;
  for (int i = 0; i < lanes; i++) sum += acc[i];
  return sum;
}

// y[i] += a x[i] for begin <= i < end.
inline void add_scaled(float a, const float *x, int64_t begin, int64_t end, float *y) {
  each_vector(begin, end, [=](int64_t i, auto l) { l.store(y + i, l.load(y + i) + a * l.load(x + i)); });
}

constexpr Kernel kernel{dot, add_scaled};

}  // namespace FX_TARGET
