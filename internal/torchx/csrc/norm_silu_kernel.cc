// See norm_silu.h for the maths. Rows of cells are the vectorized loops; each is
// compiled for AVX-512, AVX2 and plain x86-64, and the processor picks.
#include "norm_silu.h"

#include <ATen/Parallel.h>

#include <cmath>
#include <vector>

#if defined(__x86_64__)
#define FX_VECTOR __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FX_VECTOR
#endif

// Inlined into each clone, to be compiled for its instructions.
#define FX_INLINE inline __attribute__((always_inline))

namespace fx {
namespace {

// Rows are worked on in pieces of this many cells: bf16 is widened into a buffer
// that stays in the first cache, since compilers do not vectorize mixed widths;
// and sums are float within a piece, double over them.
constexpr int64_t piece = 2048;

// A piece of a row as float: itself, or widened into buffer.
FX_INLINE const float *widen(const float *x, float *, int64_t) { return x; }
FX_INLINE const float *widen(const bf16 *x, float *buffer, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; i++) buffer[i] = __builtin_bit_cast(float, static_cast<uint32_t>(x[i]) << 16);
  return buffer;
}

// Where to compute a piece of a row: in place, or in buffer, from which narrow
// rounds to nearest even; NaN stays NaN.
FX_INLINE float *room(float *y, float *) { return y; }
FX_INLINE float *room(bf16 *, float *buffer) { return buffer; }
FX_INLINE void narrow(const float *, float *, int64_t) {}
FX_INLINE void narrow(const float *buffer, bf16 *y, int64_t n) {
#pragma omp simd
  for (int64_t i = 0; i < n; i++) {
    const uint32_t bits = __builtin_bit_cast(uint32_t, buffer[i]);
    const uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    y[i] = static_cast<bf16>((bits & 0x7fffffff) > 0x7f800000 ? 0x7fc0 : rounded);
  }
}

// exp to 2e-7, relatively, within the range that float32 has room for (Cephes).
FX_INLINE float fast_exp(float x) {
  x = x < -87.3f ? -87.3f : x;
  x = x > 88.3f ? 88.3f : x;
  const float magic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to a whole number
  const float n = (x * 1.44269504f + magic) - magic;
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const uint32_t scale = static_cast<uint32_t>(static_cast<int32_t>(n) + 127) << 23;
  return p * __builtin_bit_cast(float, scale);
}

FX_INLINE float sigmoid(float z) { return 1.0f / (1.0f + fast_exp(-z)); }

template <class T>
FX_INLINE double sum_row(const T *x, int64_t n) {
  float buffer[piece];
  double total = 0;
  for (int64_t at = 0; at < n; at += piece) {
    const int64_t m = n - at < piece ? n - at : piece;
    const float *v = widen(x + at, buffer, m);
    float s = 0;
#pragma omp simd reduction(+ : s)
    for (int64_t i = 0; i < m; i++) s += v[i];
    total += s;
  }
  return total;
}

template <class T>
FX_INLINE double squares_row(const T *x, int64_t n, float mean) {
  float buffer[piece];
  double total = 0;
  for (int64_t at = 0; at < n; at += piece) {
    const int64_t m = n - at < piece ? n - at : piece;
    const float *v = widen(x + at, buffer, m);
    float s = 0;
#pragma omp simd reduction(+ : s)
    for (int64_t i = 0; i < m; i++) s += (v[i] - mean) * (v[i] - mean);
    total += s;
  }
  return total;
}

// y = silu(a x + b).
template <class T>
FX_INLINE void silu_row(const T *x, T *y, int64_t n, float a, float b) {
  float in[piece], out[piece];
  for (int64_t at = 0; at < n; at += piece) {
    const int64_t m = n - at < piece ? n - at : piece;
    const float *v = widen(x + at, in, m);
    float *w = room(y + at, out);
#pragma omp simd
    for (int64_t i = 0; i < m; i++) {
      const float z = a * v[i] + b;
      w[i] = z * sigmoid(z);
    }
    narrow(w, y + at, m);
  }
}

// dz of silu(z), z = a x + b; its sum and its sum with xhat = (x - mean) rstd.
template <class T>
FX_INLINE void silu_back_row(const T *x, const T *dy, float *dz, int64_t n, float a, float b, float mean, float rstd,
                             double *sum, double *with_xhat) {
  float in[piece], grad[piece];
  for (int64_t at = 0; at < n; at += piece) {
    const int64_t m = n - at < piece ? n - at : piece;
    const float *v = widen(x + at, in, m), *g = widen(dy + at, grad, m);
    float *d = dz + at;
    float s0 = 0, s1 = 0;
#pragma omp simd reduction(+ : s0, s1)
    for (int64_t i = 0; i < m; i++) {
      const float z = a * v[i] + b;
      const float s = sigmoid(z);
      d[i] = g[i] * s * (1.0f + z * (1.0f - s));
      s0 += d[i];
      s1 += d[i] * ((v[i] - mean) * rstd);
    }
    *sum += s0;
    *with_xhat += s1;
  }
}

// dx = p dz + q x + r.
template <class T>
FX_INLINE void dx_row(const T *x, const float *dz, T *dx, int64_t n, float p, float q, float r) {
  float in[piece], out[piece];
  for (int64_t at = 0; at < n; at += piece) {
    const int64_t m = n - at < piece ? n - at : piece;
    const float *v = widen(x + at, in, m), *d = dz + at;
    float *w = room(dx + at, out);
#pragma omp simd
    for (int64_t i = 0; i < m; i++) w[i] = p * d[i] + q * v[i] + r;
    narrow(w, dx + at, m);
  }
}

// The clones: one set for each type, since templates cannot be cloned.
#define FX_ROWS(T)                                                                                                   \
  FX_VECTOR double sum_of(const T *x, int64_t n) { return sum_row(x, n); }                                           \
  FX_VECTOR double squares_of(const T *x, int64_t n, float mean) { return squares_row(x, n, mean); }                 \
  FX_VECTOR void silu_of(const T *x, T *y, int64_t n, float a, float b) { silu_row(x, y, n, a, b); }                 \
  FX_VECTOR void silu_back_of(const T *x, const T *dy, float *dz, int64_t n, float a, float b, float mean, float rstd, \
                              double *sum, double *with_xhat) {                                                      \
    silu_back_row(x, dy, dz, n, a, b, mean, rstd, sum, with_xhat);                                                   \
  }                                                                                                                  \
  FX_VECTOR void dx_of(const T *x, const float *dz, T *dx, int64_t n, float p, float q, float r) {                   \
    dx_row(x, dz, dx, n, p, q, r);                                                                                   \
  }
FX_ROWS(float)
FX_ROWS(bf16)

// Calls body(first channel, group index) for every group of every sample, in parallel.
template <class Body>
void each_group(const NormShape &s, Body &&body) {
  const int64_t width = s.channels / s.groups;
  at::parallel_for(0, s.samples * s.groups, 1, [&](int64_t begin, int64_t end) {
    for (int64_t g = begin; g < end; g++) body(g * width, g);
  });
}

template <class T>
void forward(const NormShape &s, const T *x, const float *gamma, const float *beta, T *y, float *mean, float *rstd) {
  const int64_t width = s.channels / s.groups, n = width * s.cells;
  each_group(s, [&](int64_t channel, int64_t g) {
    const T *block = x + channel * s.cells;
    const float mu = static_cast<float>(sum_of(block, n) / static_cast<double>(n));
    const float r = static_cast<float>(1 / std::sqrt(squares_of(block, n, mu) / static_cast<double>(n) + s.eps));
    mean[g] = mu;
    rstd[g] = r;
    for (int64_t c = channel; c < channel + width; c++) {
      const float a = r * gamma[c];
      silu_of(x + c * s.cells, y + c * s.cells, s.cells, a, beta[c] - mu * a);
    }
  });
}

template <class T>
void backward(const NormShape &s, const T *x, const T *dy, const float *gamma, const float *beta, const float *mean,
              const float *rstd, T *dx, float *sums, float *with_xhat) {
  const int64_t width = s.channels / s.groups, n = width * s.cells;
  each_group(s, [&](int64_t channel, int64_t g) {
    thread_local std::vector<float> dz;
    dz.resize(n);
    const float mu = mean[g], r = rstd[g];
    double m1 = 0, m2 = 0;
    for (int64_t c = channel; c < channel + width; c++) {
      const float a = r * gamma[c];
      double sum = 0, hat = 0;
      silu_back_of(x + c * s.cells, dy + c * s.cells, &dz[(c - channel) * s.cells], s.cells, a, beta[c] - mu * a, mu, r,
                   &sum, &hat);
      sums[c] = static_cast<float>(sum);
      with_xhat[c] = static_cast<float>(hat);
      m1 += gamma[c] * sum / static_cast<double>(n);
      m2 += gamma[c] * hat / static_cast<double>(n);
    }
    // (gamma dz - m1 - xhat m2) r, with xhat written out
    const float q = static_cast<float>(-r * r * m2);
    const float offset = static_cast<float>(-r * m1) - q * mu;
    for (int64_t c = channel; c < channel + width; c++)
      dx_of(x + c * s.cells, &dz[(c - channel) * s.cells], dx + c * s.cells, s.cells, r * gamma[c], q, offset);
  });
}

}  // namespace

void norm_silu_forward(const NormShape &shape, const float *x, const float *gamma, const float *beta, float *y,
                       float *mean, float *rstd) {
  forward(shape, x, gamma, beta, y, mean, rstd);
}
void norm_silu_forward(const NormShape &shape, const bf16 *x, const float *gamma, const float *beta, bf16 *y,
                       float *mean, float *rstd) {
  forward(shape, x, gamma, beta, y, mean, rstd);
}
void norm_silu_backward(const NormShape &shape, const float *x, const float *dy, const float *gamma,
                        const float *beta, const float *mean, const float *rstd, float *dx, float *s, float *t) {
  backward(shape, x, dy, gamma, beta, mean, rstd, dx, s, t);
}
void norm_silu_backward(const NormShape &shape, const bf16 *x, const bf16 *dy, const float *gamma, const float *beta,
                        const float *mean, const float *rstd, bf16 *dx, float *s, float *t) {
  backward(shape, x, dy, gamma, beta, mean, rstd, dx, s, t);
}

}  // namespace fx
