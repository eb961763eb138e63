// The inner loops of norm_silu_kernel.cc, compiled once for each set of instructions; see each_target.h. Each works on
// x (cells, channels), some cells of one sample. a, b and the other parameters and sums are (channels).
namespace FX_TARGET {

#include "simd/vec.h"

// The mean, and the sum of squares about it, from the distances to the first cell's value.
template <class T>
void moments(const T *x, int64_t channels, int64_t cells, float *mean, float *m2) {
  each_vector(0, channels, [=](int64_t c, auto l) {
    const vec first = l.load(x + c);
    vec sum[2] = {}, squares[2] = {};
    auto add = [&](int64_t i, int k) {
      const vec off = l.load(x + c + i * channels) - first;
      sum[k] += off;
      squares[k] += off * off;
    };
    int64_t i = 0;
    for (; i + 1 < cells; i += 2) {
      add(i, 0);
      add(i + 1, 1);
    }
    if (i < cells) add(i, 0);
    const vec all = sum[0] + sum[1], mu = all / static_cast<float>(cells);
    l.store(mean + c, first + mu);
    l.store(m2 + c, squares[0] + squares[1] - all * mu);
  });
}

// y = z sigmoid(z) with z = a x + b; without SiLU, y = z.
template <class T, bool SiLU>
void apply(const T *x, T *y, int64_t channels, int64_t cells, const float *a, const float *b) {
  each_vector(0, channels, [=](int64_t c, auto l) {
    const vec scale = l.load(a + c), shift = l.load(b + c);
    for (int64_t i = c; i < c + cells * channels; i += channels) {
      const vec z = scale * l.load(x + i) + shift;
      l.store(y + i, SiLU ? z * sigmoid(z) : z);
    }
  });
}

template <bool SiLU>
FX_INLINE vec dz_of(const vec &z, const vec &dy) {
  if (!SiLU) return dy;
  const vec s = sigmoid(z);
  return dy * s * (1.0f + z * (1.0f - s));
}

// The sums S and T of norm_silu.h over these cells.
template <class T, bool SiLU>
void sums(const T *x, const T *dy, int64_t channels, int64_t cells, const float *a, const float *b, const float *mean,
          const float *rstd, float *s, float *t) {
  each_vector(0, channels, [=](int64_t c, auto l) {
    const vec scale = l.load(a + c), shift = l.load(b + c), mu = l.load(mean + c);
    vec sum = {}, with_x = {};
    for (int64_t i = c; i < c + cells * channels; i += channels) {
      const vec v = l.load(x + i), dz = dz_of<SiLU>(scale * v + shift, l.load(dy + i));
      sum += dz;
      with_x += dz * (v - mu);
    }
    l.store(s + c, sum);
    l.store(t + c, with_x * l.load(rstd + c));
  });
}

// dx = a dz + q x + r.
template <class T, bool SiLU>
void input_gradient(const T *x, const T *dy, T *dx, int64_t channels, int64_t cells, const float *a, const float *b,
                    const float *q, const float *r) {
  each_vector(0, channels, [=](int64_t c, auto l) {
    const vec scale = l.load(a + c), shift = l.load(b + c), slope = l.load(q + c), offset = l.load(r + c);
    for (int64_t i = c; i < c + cells * channels; i += channels) {
      const vec v = l.load(x + i), dz = dz_of<SiLU>(scale * v + shift, l.load(dy + i));
      l.store(dx + i, scale * dz + (slope * v + offset));
    }
  });
}

template <class T, bool SiLU>
constexpr Kernel<T> kernel{moments<T>, apply<T, SiLU>, sums<T, SiLU>, input_gradient<T, SiLU>};

}  // namespace FX_TARGET
