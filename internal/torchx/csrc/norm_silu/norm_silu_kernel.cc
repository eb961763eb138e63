// See norm_silu.h for the maths. Each sample's cells are cut into chunks. Sums over a chunk are float32; sums over the
// chunks are float64 and always in the same order, so that the result does not depend on the number of threads.
#include "norm_silu.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/parallel.h"
#include "simd/simd.h"

namespace fx {
namespace {

// The inner loops, compiled for each set of instructions; see norm_silu_kernel.h.
template <class T>
struct Kernel {
  void (*moments)(const T *x, int64_t channels, int64_t cells, float *mean, float *m2);
  void (*apply)(const T *x, T *y, int64_t channels, int64_t cells, const float *a, const float *b);
  void (*sums)(const T *x, const T *dy, int64_t channels, int64_t cells, const float *a, const float *b,
               const float *mean, const float *rstd, float *s, float *t);
  void (*input_gradient)(const T *x, const T *dy, T *dx, int64_t channels, int64_t cells, const float *a,
                         const float *b, const float *q, const float *r);
};

#define FX_KERNEL "norm_silu/norm_silu_kernel.h"
#include "simd/each_target.h"

template <class T>
const Kernel<T> &kernel_of(const NormShape &s) {
  return s.silu ? FX_BEST(kernel<T, true>) : FX_BEST(kernel<T, false>);
}

// The chunks of a sample's cells, small enough for sums in float32.
struct Chunks {
  const NormShape &s;
  int64_t cells, count;
  explicit Chunks(const NormShape &s) : s(s) {
    cells = std::max<int64_t>(1, 16384 / s.channels);
    count = (s.cells + cells - 1) / cells;
  }
  // The offset of a sample's i-th chunk in the tensor, and its number of cells.
  int64_t begin(int64_t sample, int64_t i) const { return (sample * s.cells + i * cells) * s.channels; }
  int64_t length(int64_t i) const { return std::min(cells, s.cells - i * cells); }
};

// For each sample, runs first(sample, chunk) for all its chunks, then middle(sample), then last(sample, chunk) for all
// its chunks. If the samples divide evenly among the threads, each thread takes whole samples, which then stay in its
// cache; otherwise the threads share the chunks of one sample after the other.
template <class First, class Middle, class Last>
void each_sample(const Chunks &chunks, First &&first, Middle &&middle, Last &&last) {
  const int64_t samples = chunks.s.samples;
  auto serially = [&](auto &&body, int64_t sample, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) body(sample, i);
  };
  if (samples % at::get_num_threads() == 0) {
    parallel_for(samples, 1, [&](int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; n++) {
        serially(first, n, 0, chunks.count);
        middle(n);
        serially(last, n, 0, chunks.count);
      }
    });
    return;
  }
  const int64_t grain = 1;
  for (int64_t n = 0; n < samples; n++) {
    parallel_for(chunks.count, grain, [&](int64_t begin, int64_t end) { serially(first, n, begin, end); });
    middle(n);
    parallel_for(chunks.count, grain, [&](int64_t begin, int64_t end) { serially(last, n, begin, end); });
  }
}

// For each sample and channel: mean and rstd of its group, and a and b of z = a x + b.
struct Affine {
  std::vector<float> mean, rstd, a, b;
  explicit Affine(const NormShape &s) {
    for (auto *v : {&mean, &rstd, &a, &b}) v->resize(s.samples * s.channels);
  }
  void fill(const NormShape &s, const NormParams &p, int64_t sample, const float *group_mean, const float *group_rstd) {
    const float *film = p.film ? p.film + sample * 2 * s.channels : nullptr;
    for (int64_t c = 0; c < s.channels; c++) {
      const int64_t at = sample * s.channels + c, g = sample * s.groups + c / (s.channels / s.groups);
      const float scale = film ? 1 + film[c] : 1, shift = film ? film[s.channels + c] : 0;
      mean[at] = group_mean[g];
      rstd[at] = group_rstd[g];
      a[at] = rstd[at] * p.w[c] * scale;
      b[at] = p.b[c] * scale + shift - mean[at] * a[at];
    }
  }
};

// The statistics of each group from the channels of the chunks. The group's sum of squares about its mean is the sum of
// the m2 of its parts plus that of the parts' means.
void combine(const Chunks &chunks, const float *means, const float *m2s, float *mean, float *rstd) {
  const NormShape &s = chunks.s;
  const int64_t width = s.channels / s.groups;
  const double count = static_cast<double>(width * s.cells);
  std::vector<double> mu(s.groups), m2(s.groups);
  auto each = [&](auto &&add) {
    for (int64_t i = 0; i < chunks.count; i++)
      for (int64_t g = 0; g < s.groups; g++)
        for (int64_t c = i * s.channels + g * width, end = c + width; c < end; c++)
          add(g, static_cast<double>(chunks.length(i)), c);
  };
  each([&](int64_t g, double n, int64_t c) { mu[g] += n * means[c]; });
  for (double &sum : mu) sum /= count;
  each([&](int64_t g, double n, int64_t c) { m2[g] += m2s[c] + n * (means[c] - mu[g]) * (means[c] - mu[g]); });
  for (int64_t g = 0; g < s.groups; g++) {
    mean[g] = static_cast<float>(mu[g]);
    rstd[g] = static_cast<float>(1 / std::sqrt(m2[g] / count + s.eps));
  }
}

}  // namespace

template <class T>
void norm_silu_forward(const NormShape &s, const NormParams &params, const T *x, T *y, float *mean, float *rstd) {
  const auto &kernel = kernel_of<T>(s);
  const Chunks chunks(s);
  const int64_t channels = s.channels, row = chunks.count * channels;
  std::vector<float> means(s.samples * row), m2s(s.samples * row);
  Affine z(s);
  each_sample(
      chunks,
      [&](int64_t n, int64_t i) {
        const int64_t to = n * row + i * channels;
        kernel.moments(x + chunks.begin(n, i), channels, chunks.length(i), &means[to], &m2s[to]);
      },
      [&](int64_t n) {
        combine(chunks, &means[n * row], &m2s[n * row], mean + n * s.groups, rstd + n * s.groups);
        z.fill(s, params, n, mean, rstd);
      },
      [&](int64_t n, int64_t i) {
        const int64_t at = chunks.begin(n, i);
        kernel.apply(x + at, y + at, channels, chunks.length(i), &z.a[n * channels], &z.b[n * channels]);
      });
}

template <class T>
void norm_silu_backward(const NormShape &s, const NormParams &params, const T *x, const T *dy, const float *mean,
                        const float *rstd, T *dx, float *dw, float *db, float *dfilm) {
  const auto &kernel = kernel_of<T>(s);
  const Chunks chunks(s);
  const int64_t channels = s.channels, row = chunks.count * channels, width = channels / s.groups;
  std::vector<float> sums(s.samples * row), with_xhat(s.samples * row);
  std::vector<double> total(s.samples * channels), total_xhat(s.samples * channels);
  std::vector<float> q(s.samples * channels), r(s.samples * channels);
  Affine z(s);
  for (int64_t n = 0; n < s.samples; n++) z.fill(s, params, n, mean, rstd);
  each_sample(
      chunks,
      [&](int64_t n, int64_t i) {
        const int64_t at = chunks.begin(n, i), to = n * row + i * channels, c = n * channels;
        kernel.sums(x + at, dy + at, channels, chunks.length(i), &z.a[c], &z.b[c], &z.mean[c], &z.rstd[c], &sums[to],
                    &with_xhat[to]);
      },
      [&](int64_t n) {
        for (int64_t i = 0; i < chunks.count; i++)
          for (int64_t c = 0; c < channels; c++) {
            total[n * channels + c] += sums[n * row + i * channels + c];
            total_xhat[n * channels + c] += with_xhat[n * row + i * channels + c];
          }
        // a dz - (<gamma dz> + xhat <gamma dz xhat>) rstd, with xhat written out; a = gamma rstd
        for (int64_t g = n * channels; g < (n + 1) * channels; g += width) {
          double m1 = 0, m2 = 0;
          for (int64_t c = g; c < g + width; c++) {
            m1 += z.a[c] * total[c];
            m2 += z.a[c] * total_xhat[c];
          }
          const double share = 1 / static_cast<double>(width * s.cells), slope = -m2 * share * z.rstd[g];
          std::fill_n(&q[g], width, static_cast<float>(slope));
          std::fill_n(&r[g], width, static_cast<float>(-m1 * share - slope * z.mean[g]));
        }
      },
      [&](int64_t n, int64_t i) {
        const int64_t at = chunks.begin(n, i), c = n * channels;
        kernel.input_gradient(x + at, dy + at, dx + at, channels, chunks.length(i), &z.a[c], &z.b[c], &q[c], &r[c]);
      });
  for (int64_t c = 0; c < channels; c++) {
    double weight = 0, bias = 0;
    for (int64_t n = 0; n < s.samples; n++) {
      const double sum = total[n * channels + c], hat = total_xhat[n * channels + c];
      const double scale = params.film ? 1 + params.film[n * 2 * channels + c] : 1;
      weight += scale * hat;
      bias += scale * sum;
      if (!dfilm) continue;
      dfilm[n * 2 * channels + c] = static_cast<float>(params.w[c] * hat + params.b[c] * sum);
      dfilm[(n * 2 + 1) * channels + c] = static_cast<float>(sum);
    }
    dw[c] = static_cast<float>(weight);
    db[c] = static_cast<float>(bias);
  }
}

#define FX_INSTANTIATE(T)                                                                                           \
  template void norm_silu_forward(const NormShape &, const NormParams &, const T *, T *, float *, float *);         \
  template void norm_silu_backward(const NormShape &, const NormParams &, const T *, const T *, const float *,      \
                                   const float *, T *, float *, float *, float *);
FX_INSTANTIATE(float)
FX_INSTANTIATE(bf16)

}  // namespace fx
