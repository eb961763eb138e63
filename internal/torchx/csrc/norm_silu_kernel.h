// The inner loops of norm_silu_kernel.cc, which includes them once for each set of
// instructions, in a namespace FX_TARGET: see each_target.h. Each works on some cells of
// one sample, whose channels lie side by side; of a, b, ... there is one for each channel.
namespace FX_TARGET {

#include "vec.h"

// The mean, and the sum of squares about it: the cells are still in the first cache
// when they are read again.
template <class T>
void moments(const T *x, int64_t channels, int64_t cells, float *mean, float *m2) {
  each_vector(0, channels, [=](int64_t c, auto l) {
    auto at = [=](int64_t i) { return l.load(x + c + i * channels); };
    v16 even = {}, odd = {};
    for (int64_t i = 0; i + 1 < cells; i += 2) {
      even += at(i);
      odd += at(i + 1);
    }
    if (cells % 2) even += at(cells - 1);
    const v16 mu = (even + odd) / static_cast<float>(cells);
    auto square = [=](int64_t i) { return (at(i) - mu) * (at(i) - mu); };
    even = odd = v16{};
    for (int64_t i = 0; i + 1 < cells; i += 2) {
      even += square(i);
      odd += square(i + 1);
    }
    if (cells % 2) even += square(cells - 1);
    l.store(mean + c, mu);
    l.store(m2 + c, even + odd);
  });
}

// y = z sigmoid(z), or z, of z = a x + b.
template <class T, bool SiLU>
void apply(const T *x, T *y, int64_t channels, int64_t cells, const float *a, const float *b) {
  each_vector(0, channels, [=](int64_t c, auto l) {
    const v16 scale = l.load(a + c), shift = l.load(b + c);
    for (int64_t i = c; i < c + cells * channels; i += channels) {
      const v16 z = scale * l.load(x + i) + shift;
      l.store(y + i, SiLU ? z * sigmoid(z) : z);
    }
  });
}

template <bool SiLU>
FX_INLINE v16 dz_of(const v16 &z, const v16 &dy) {
  if (!SiLU) return dy;
  const v16 s = sigmoid(z);
  return dy * s * (1.0f + z * (1.0f - s));
}

// S and T, over these cells.
template <class T, bool SiLU>
void sums(const T *x, const T *dy, int64_t channels, int64_t cells, const float *a, const float *b, const float *mean,
          const float *rstd, float *s, float *t) {
  each_vector(0, channels, [=](int64_t c, auto l) {
    const v16 scale = l.load(a + c), shift = l.load(b + c), mu = l.load(mean + c);
    v16 sum = {}, with_x = {};
    for (int64_t i = c; i < c + cells * channels; i += channels) {
      const v16 v = l.load(x + i), dz = dz_of<SiLU>(scale * v + shift, l.load(dy + i));
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
    const v16 scale = l.load(a + c), shift = l.load(b + c), slope = l.load(q + c), offset = l.load(r + c);
    for (int64_t i = c; i < c + cells * channels; i += channels) {
      const v16 v = l.load(x + i), dz = dz_of<SiLU>(scale * v + shift, l.load(dy + i));
      l.store(dx + i, scale * dz + (slope * v + offset));
    }
  });
}

template <class T, bool SiLU>
constexpr Kernel<T> kernel{moments<T>, apply<T, SiLU>, sums<T, SiLU>, input_gradient<T, SiLU>};

}  // namespace FX_TARGET
