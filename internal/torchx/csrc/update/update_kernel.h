// The inner loops of update_kernel.cc, compiled once for each set of instructions; see each_target.h.
namespace FX_TARGET {

#include "simd/vec.h"

typedef float v8_anywhere __attribute__((vector_size(32), aligned(4), may_alias));
typedef double v8d __attribute__((vector_size(64)));

// sqrt(x) by intrinsics. std::sqrt may set errno, so the compiler would take the elements one by one.
FX_INLINE vec root(const vec &x) {
#if FX_WIDTH == 8
  return (vec)_mm256_sqrt_ps((__m256)x);
#elif FX_WIDTH == 16
  return (vec)_mm512_maskz_sqrt_ps(0xffff, (__m512)x);  // the mask takes all lanes: without one GCC 12 warns about its own header
#else
  vec y;
  for (int64_t i = 0; i < lanes; i++) y[i] = std::sqrt(x[i]);
  return y;
#endif
}

// In float64, which can hold the square of any float32. Four sums, since each addition to a single sum would wait for
// the one before.
inline double sum_squares(const float *x, int64_t n) {
  auto square = [=](int64_t i) {
    const v8d wide = __builtin_convertvector(*reinterpret_cast<const v8_anywhere *>(x + i), v8d);
    return wide * wide;
  };
  v8d a = {}, b = {}, c = {}, d = {};
  int64_t i = 0;
  for (; i + 32 <= n; i += 32) {
    a += square(i);
    b += square(i + 8);
    c += square(i + 16);
    d += square(i + 24);
  }
  a = (a + b) + (c + d);
  double sum = 0;
  for (int k = 0; k < 8; k++) sum += a[k];
  for (; i < n; i++) sum += static_cast<double>(x[i]) * x[i];
  return sum;
}

inline void update(const UpdateTensor &t, const Numbers &k) {
  each_vector(0, t.n, [&](int64_t i, auto l) {
    const vec g = l.load(t.grad + i) * k.clip;
    vec m = l.load(t.m + i), v = l.load(t.v + i);
    m += k.m_weight * (g - m);
    v += k.v_weight * (g * g - v);
    const vec p = l.load(t.param + i) * k.decay - k.step_size * m / (root(v) * k.unbias_v + k.eps);
    l.store(t.m + i, m);
    l.store(t.v + i, v);
    l.store(t.param + i, p);
    if (!t.ema) return;
    const vec e = l.load(t.ema + i);
    l.store(t.ema + i, e + k.ema_weight * (p - e));
  });
}

constexpr Kernel kernel = {sum_squares, update};

}  // namespace FX_TARGET
