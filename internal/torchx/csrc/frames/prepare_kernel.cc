// See prepare.h for the maths.
#include "prepare.h"

#include <cstring>
#include <vector>

#include "core/error.h"
#include "simd/cpu.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define FX_VECTOR __attribute__((target_clones("avx2", "default"), optimize("fp-contract=off")))
#define FX_AVX2 __attribute__((target("avx2"), optimize("fp-contract=off")))
#else
#define FX_VECTOR __attribute__((optimize("fp-contract=off")))
#endif

namespace {

// The bits of the largest |x|. 0x7f800000 and above are Inf and NaN.
FX_VECTOR uint32_t largest(const float *x, int64_t n) {
  uint32_t most = 0;
  for (int64_t i = 0; i < n; i++) {
    const uint32_t bits = __builtin_bit_cast(uint32_t, x[i]) & 0x7fffffff;
    most = bits > most ? bits : most;
  }
  return most;
}

FX_VECTOR void normalize(const float *x, float *y, int64_t n, float mean, float scale) {
  for (int64_t i = 0; i < n; i++) y[i] = (x[i] - mean) * scale;
}

// n coarse cells from the fine rows a and b (2n each). The sum begins at +0, so that it is never -0.
FX_VECTOR void pool(const float *a, const float *b, float *y, int64_t n) {
  for (int64_t i = 0; i < n; i++) y[i] = ((((0.0f + a[2 * i]) + a[2 * i + 1]) + b[2 * i]) + b[2 * i + 1]) * 0.25f;
}

FX_VECTOR void blend(const float *a, const float *b, float *y, int64_t n, float weight) {
  for (int64_t i = 0; i < n; i++) y[i] = a[i] + (b[i] - a[i]) * weight;
}

// 2n fine cells from n coarse cells. Reads x[-1] and x[n] too.
FX_VECTOR void widen(const float *x, float *y, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    y[2 * i] = x[i - 1] + (x[i] - x[i - 1]) * 0.75f;
    y[2 * i + 1] = x[i] + (x[i + 1] - x[i]) * 0.25f;
  }
}

void gather(const float *src, int64_t stride, float *y, int64_t n) {
  if (stride == 1) {
    std::memcpy(y, src, n * sizeof(float));
    return;
  }
  for (int64_t i = 0; i < n; i++) y[i] = src[i * stride];
}

#if defined(__x86_64__)
// Splits a row of w cells of eight channels into eight lines, 8 x 8 values at a time, when every channel is kept in order.
FX_AVX2 void gather_all8(const float *src, float *lines, int64_t w) {
  for (int64_t x = 0; x + 8 <= w; x += 8) {
    const float *s = src + 8 * x;
    __m256 a[8], b[8];
    for (int i = 0; i < 8; i++) a[i] = _mm256_loadu_ps(s + 8 * i);
    for (int i = 0; i < 8; i += 2) {
      b[i] = _mm256_unpacklo_ps(a[i], a[i + 1]);
      b[i + 1] = _mm256_unpackhi_ps(a[i], a[i + 1]);
    }
    for (int i = 0; i < 8; i += 4) {
      a[i] = _mm256_shuffle_ps(b[i], b[i + 2], 0x44);
      a[i + 1] = _mm256_shuffle_ps(b[i], b[i + 2], 0xee);
      a[i + 2] = _mm256_shuffle_ps(b[i + 1], b[i + 3], 0x44);
      a[i + 3] = _mm256_shuffle_ps(b[i + 1], b[i + 3], 0xee);
    }
    for (int i = 0; i < 4; i++) {
      _mm256_storeu_ps(lines + i * w + x, _mm256_permute2f128_ps(a[i], a[i + 4], 0x20));
      _mm256_storeu_ps(lines + (i + 4) * w + x, _mm256_permute2f128_ps(a[i], a[i + 4], 0x31));
    }
  }
}

// Writes past the caches. The values are not read again soon, and the destination need not be fetched first.
FX_AVX2 void stream(float *dst, const float *src, int64_t n) {
  for (int64_t i = 0; i < n; i += 8) _mm256_stream_ps(dst + i, _mm256_loadu_ps(src + i));
}
#endif

void put(float *dst, const float *src, int64_t n) {
#if defined(__x86_64__)
  if (fx::has_avx2() && n % 8 == 0 && reinterpret_cast<uintptr_t>(dst) % 32 == 0) return stream(dst, src, n);
#endif
  std::memcpy(dst, src, n * sizeof(float));
}

class Frame {
 public:
  Frame(const fx_prepare_plan &p, const float *src, float *hi, float *lo)
      : p(p), src(src), hi(hi), lo(lo), cw(p.w / 2), fine(2 * p.n * p.w), coarse(lo ? 3 * p.n * cw : 0), line(cw + 2), out(p.w) {}

  // Returns whether all kept values are finite.
  bool run() {
    const int64_t step = lo ? 2 : 1;
    for (int64_t y = 0; y < p.h; y += step) {
      for (int64_t r = 0; r < step; r++) rows(y + r, fine.data() + r * p.n * p.w);
      if (lo) between(y / 2);
    }
    if (lo) edges();
#if defined(__x86_64__)
    _mm_sfence();  // orders the streamed writes before all later ones
#endif
    return most < 0x7f800000;
  }

 private:
  // Copies fine row y of every channel to lines, and normalized to hi.
  void rows(int64_t y, float *lines) {
    const float *row = src + y * p.w * p.cell_stride;
    if (!all8(row, lines))
      for (int64_t k = 0; k < p.n; k++) gather(row + p.channels[k] * p.channel_stride, p.cell_stride, lines + k * p.w, p.w);
    for (int64_t k = 0; k < p.n; k++) {
      const uint32_t m = largest(lines + k * p.w, p.w);
      most = m > most ? m : most;
      finish(lines + k * p.w, k, hi + (k * p.h + y) * p.w);
    }
  }

  bool all8([[maybe_unused]] const float *row, [[maybe_unused]] float *lines) const {
#if defined(__x86_64__)
    if (!fx::has_avx2() || p.n != 8 || p.cell_stride != 8 || p.channel_stride != 1 || p.w % 8 != 0) return false;
    for (int64_t k = 0; k < 8; k++)
      if (p.channels[k] != k) return false;
    gather_all8(row, lines, p.w);
    return true;
#else
    return false;
#endif
  }

  // Normalizes a finished row of channel k and writes it to dst.
  void finish(const float *x, int64_t k, float *dst) {
    if (p.mean) {
      normalize(x, out.data(), p.w, p.mean[k], p.scale[k]);
      x = out.data();
    }
    put(dst, x, p.w);
  }

  // Coarse row j of channel k. The two latest rows are kept, and the first one.
  float *coarse_row(int64_t j, int64_t k) { return coarse.data() + ((j == 0 ? 2 : j % 2) * p.n + k) * cw; }

  // Pools coarse row j, and computes the fine rows between rows j-1 and j.
  void between(int64_t j) {
    for (int64_t k = 0; k < p.n; k++) {
      pool(fine.data() + k * p.w, fine.data() + (p.n + k) * p.w, coarse_row(j, k), cw);
      if (j == 0) continue;
      interpolate(k, coarse_row(j - 1, k), coarse_row(j, k), 0.25f, 2 * j - 1);
      interpolate(k, coarse_row(j - 1, k), coarse_row(j, k), 0.75f, 2 * j);
    }
  }

  // Computes the first and the last fine row.
  void edges() {
    for (int64_t k = 0; k < p.n; k++) {
      const float *first = coarse_row(0, k), *last = coarse_row(p.h / 2 - 1, k);
      interpolate(k, p.periodic ? last : first, first, 0.75f, 0);
      interpolate(k, last, p.periodic ? first : last, 0.25f, p.h - 1);
    }
  }

  // Computes fine row y of channel k, between the coarse rows a and b.
  void interpolate(int64_t k, const float *a, const float *b, float weight, int64_t y) {
    float *x = line.data() + 1;
    blend(a, b, x, cw, weight);
    x[-1] = p.periodic ? x[cw - 1] : x[0];
    x[cw] = p.periodic ? x[0] : x[cw - 1];
    widen(x, out.data(), cw);
    finish(out.data(), k, lo + (k * p.h + y) * p.w);
  }

  const fx_prepare_plan &p;
  const float *src;
  float *hi, *lo;
  const int64_t cw;
  std::vector<float> fine, coarse, line, out;
  uint32_t most = 0;
};

}  // namespace

fx_error fx_prepare(const fx_prepare_plan *plan, const float *src, float *hi, float *lo, bool *finite) {
  return fx::caught([&] { *finite = Frame(*plan, src, hi, lo).run(); });
}

// Sums use a fixed number of lanes, so that the bits do not depend on the width of the processor's vectors.
constexpr int64_t lanes = 16;

FX_VECTOR static double sum(const float *x, int64_t n, double mean, bool squares) {
  double lane[lanes] = {};
  const int64_t whole = n / lanes * lanes;
  if (squares) {
    for (int64_t i = 0; i < whole; i += lanes)
      for (int64_t l = 0; l < lanes; l++) {
        const double d = static_cast<double>(x[i + l]) - mean;
        lane[l] += d * d;
      }
  } else {
    for (int64_t i = 0; i < whole; i += lanes)
      for (int64_t l = 0; l < lanes; l++) lane[l] += static_cast<double>(x[i + l]);
  }
  for (int64_t i = whole; i < n; i++) {
    const double d = static_cast<double>(x[i]) - mean;
    lane[i - whole] += squares ? d * d : static_cast<double>(x[i]);
  }
  double total = 0;
  for (double v : lane) total += v;
  return total;
}

void fx_moments(const float *x, int64_t n, double *mean, double *m2) {
  *mean = sum(x, n, 0, false) / static_cast<double>(n);
  *m2 = sum(x, n, *mean, true);
}
