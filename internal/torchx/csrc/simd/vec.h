// Vectors of sixteen floats, for kernels that each_target.h compiles once for each set of instructions. The compiler
// splits a vector if the instructions have none that wide. Everything here is inlined into the kernel and compiled for
// its instructions. A kernel therefore includes this file inside the namespace that it opens, and there is no include
// guard.

typedef float v16 __attribute__((vector_size(64)));
typedef uint32_t u16 __attribute__((vector_size(64)));
typedef int32_t i16 __attribute__((vector_size(64)));
typedef uint16_t h16 __attribute__((vector_size(32)));
typedef float v16_anywhere __attribute__((vector_size(64), aligned(4), may_alias));
typedef uint16_t h16_anywhere __attribute__((vector_size(32), aligned(2), may_alias));

constexpr int64_t lanes = 16;

FX_INLINE v16 all(float x) { return v16{} + x; }

FX_INLINE v16 load(const float *x) { return *reinterpret_cast<const v16_anywhere *>(x); }
FX_INLINE v16 load(const bf16 *x) {
  return (v16)(__builtin_convertvector(*reinterpret_cast<const h16_anywhere *>(x), u16) << 16);
}

// bf16 is rounded to nearest even; NaN stays NaN.
FX_INLINE void store(float *y, v16 v) { *reinterpret_cast<v16_anywhere *>(y) = v; }
FX_INLINE void store(bf16 *y, v16 v) {
#if FX_BF16
  *reinterpret_cast<h16_anywhere *>(y) = (h16)_mm512_cvtneps_pbh((__m512)v);
#else
  const u16 bits = (u16)v, rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  const u16 kept = (bits & 0x7fffffff) > 0x7f800000 ? u16{} + 0x7fc0 : rounded;
  *reinterpret_cast<h16_anywhere *>(y) = __builtin_convertvector(kept, h16);
#endif
}

// Two ways to load and store a vector: Whole takes all lanes, First the first n lanes and reads the others as 0.
struct Whole {
  template <class T>
  FX_INLINE v16 load(const T *x) const { return FX_TARGET::load(x); }
  template <class T>
  FX_INLINE void store(T *y, const v16 &v) const { FX_TARGET::store(y, v); }
};
struct First {
  int64_t n;
  template <class T>
  FX_INLINE v16 load(const T *x) const {
    T some[lanes] = {};
    for (int64_t i = 0; i < n; i++) some[i] = x[i];
    return FX_TARGET::load(some);
  }
  template <class T>
  FX_INLINE void store(T *y, const v16 &v) const {
    T some[lanes];
    FX_TARGET::store(some, v);
    for (int64_t i = 0; i < n; i++) y[i] = some[i];
  }
};

// Calls body(index, lanes) for every sixteen values from begin to end; lanes, a Whole or a First, loads and stores them.
template <class Body>
FX_INLINE void each_vector(int64_t begin, int64_t end, Body &&body) {
  int64_t i = begin;
  for (; i + lanes <= end; i += lanes) body(i, Whole{});
  if (i < end) body(i, First{end - i});
}

// exp(x) with a relative error of 2e-7 where float32 can hold the result, by the polynomial of Cephes.
FX_INLINE v16 exp(v16 x) {
#if FX_WIDTH < 16
  x = x < -87.3f ? all(-87.3f) : x;
#endif
  x = x > 88.3f ? all(88.3f) : x;
  const float magic = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  const v16 n = (x * 1.44269504f + magic) - magic;
  const v16 r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  v16 p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
#if FX_WIDTH == 16
  return (v16)_mm512_scalef_ps((__m512)p, (__m512)n);
#else
  return p * (v16)((__builtin_convertvector(n, i16) + 127) << 23);
#endif
}

// 1 / x with a relative error of 2e-7 for x from 1e-37 to 1e37. An estimate and one Newton step take a third of the
// time of a division.
FX_INLINE v16 reciprocal(v16 x) {
#if FX_WIDTH == 16
  const v16 r = (v16)_mm512_maskz_rcp14_ps(0xffff, (__m512)x);
  return r * (2.0f - x * r);
#else
  return 1.0f / x;
#endif
}

FX_INLINE v16 sigmoid(v16 z) { return reciprocal(1.0f + exp(-z)); }
