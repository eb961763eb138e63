// Vectors of floats, for kernels that each_target.h compiles once for each set of instructions. They fill one register:
// sixteen lanes, eight with AVX2, four without either. (GCC splits wider ones, but by way of the stack, and comparisons lane
// by lane.) Everything here is inlined into the kernel and compiled for its instructions. A kernel therefore includes this
// file inside the namespace that it opens, and there is no include guard.

constexpr int64_t lanes = FX_WIDTH == 1 ? 4 : FX_WIDTH;

typedef float vec __attribute__((vector_size(4 * lanes)));
typedef uint32_t uints __attribute__((vector_size(4 * lanes)));
typedef int32_t ints __attribute__((vector_size(4 * lanes)));
typedef uint16_t halves __attribute__((vector_size(2 * lanes)));
typedef float vec_anywhere __attribute__((vector_size(4 * lanes), aligned(4), may_alias));
typedef uint16_t halves_anywhere __attribute__((vector_size(2 * lanes), aligned(2), may_alias));

FX_INLINE vec all(float x) { return vec{} + x; }

FX_INLINE vec load(const float *x) { return *reinterpret_cast<const vec_anywhere *>(x); }
FX_INLINE vec load(const bf16 *x) {
  return (vec)(__builtin_convertvector(*reinterpret_cast<const halves_anywhere *>(x), uints) << 16);
}

// bf16 is rounded to nearest even; NaN stays NaN.
FX_INLINE void store(float *y, vec v) { *reinterpret_cast<vec_anywhere *>(y) = v; }
FX_INLINE void store(bf16 *y, vec v) {
#if FX_BF16
  *reinterpret_cast<halves_anywhere *>(y) = (halves)_mm512_cvtneps_pbh((__m512)v);
#else
  const uints bits = (uints)v, rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  const uints kept = (bits & 0x7fffffff) > 0x7f800000 ? uints{} + 0x7fc0 : rounded;
  *reinterpret_cast<halves_anywhere *>(y) = __builtin_convertvector(kept, halves);
#endif
}

// Two ways to load and store a vector: Whole takes all lanes, First the first n lanes and reads the others as 0.
struct Whole {
  template <class T>
  FX_INLINE vec load(const T *x) const { return FX_TARGET::load(x); }
  template <class T>
  FX_INLINE void store(T *y, const vec &v) const { FX_TARGET::store(y, v); }
};
struct First {
  int64_t n;
  template <class T>
  FX_INLINE vec load(const T *x) const {
    T some[lanes] = {};
    for (int64_t i = 0; i < n; i++) some[i] = x[i];
    return FX_TARGET::load(some);
  }
  template <class T>
  FX_INLINE void store(T *y, const vec &v) const {
    T some[lanes];
    FX_TARGET::store(some, v);
    for (int64_t i = 0; i < n; i++) y[i] = some[i];
  }
};

// Calls body(index, lanes) for every vector of values from begin to end; lanes, a Whole or a First, loads and stores them.
template <class Body>
FX_INLINE void each_vector(int64_t begin, int64_t end, Body &&body) {
  int64_t i = begin;
  for (; i + lanes <= end; i += lanes) body(i, Whole{});
  if (i < end) body(i, First{end - i});
}

// exp(x) with a relative error of 2e-7 where float32 can hold the result, by the polynomial of Cephes.
FX_INLINE vec exp(vec x) {
#if FX_WIDTH < 16
  x = x < -87.3f ? all(-87.3f) : x;
#endif
  x = x > 88.3f ? all(88.3f) : x;
  const float magic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  const vec n = (x * 1.44269504f + magic) - magic;
  const vec r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  vec p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
#if FX_WIDTH == 16
  return (vec)_mm512_scalef_ps((__m512)p, (__m512)n);
#else
  return p * (vec)((__builtin_convertvector(n, ints) + 127) << 23);
#endif
}

// 1 / x with a relative error of 2e-7 for x from 1e-37 to 1e37. An estimate and one Newton step take a third of the
// time of a division.
FX_INLINE vec reciprocal(vec x) {
#if FX_WIDTH == 16
  const vec r = (vec)_mm512_maskz_rcp14_ps(0xffff, (__m512)x);
  return r * (2.0f - x * r);
#else
  return 1.0f / x;
#endif
}

FX_INLINE vec sigmoid(vec z) { return reciprocal(1.0f + exp(-z)); }
