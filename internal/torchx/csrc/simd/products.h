// What the kernels of convolution and attention share: vectors that fill one register, terms, and their transposition.
// A kernel includes this file inside the namespace that it opens (see each_target.h), after buffers.h, and only if
// FX_WIDTH > 1. There is no include guard.
//
// A "term" is what one multiplication takes: a float, or a pair of bf16 that are neighbours along the summed axis, as
// vdpbf16ps takes them. Products of pairs exist only if FX_BF16.

typedef float vec __attribute__((vector_size(4 * FX_WIDTH)));
typedef int32_t words __attribute__((vector_size(4 * FX_WIDTH)));  // a term in each lane
typedef float vec_anywhere __attribute__((vector_size(4 * FX_WIDTH), aligned(4), may_alias));
typedef int32_t words_anywhere __attribute__((vector_size(4 * FX_WIDTH), aligned(4), may_alias));

constexpr int64_t lanes = FX_WIDTH;
using pair = uint32_t;  // two bf16, the first in the lower half

template <class T>
using term_of = std::conditional_t<std::is_same_v<T, bf16>, pair, float>;
template <class E>
constexpr int64_t values_of = std::is_same_v<E, pair> ? 2 : 1;

FX_INLINE vec all(float x) { return x - vec{}; }
FX_INLINE vec load(const float *x) { return *reinterpret_cast<const vec_anywhere *>(x); }
FX_INLINE void store(float *y, vec v) { *reinterpret_cast<vec_anywhere *>(y) = v; }
FX_INLINE words vector(const void *x) { return *static_cast<const words_anywhere *>(x); }
FX_INLINE void put(void *y, words v) { *static_cast<words_anywhere *>(y) = v; }

// What differs: the number of registers; a b + c; the larger of a and b, and b if one is NaN; x rounded to an integer;
// x 2^n for whole n >= least_power, where results below float32's normal numbers may be 0; the sum over the lanes; the
// first n <= lanes terms at x, and zeros (with AVX2, n is lanes: terms are floats, and channels multiples of 16).
#if FX_WIDTH == 16
constexpr int registers = 32, least_power = -200;
FX_INLINE vec multiply_add(vec a, vec b, vec c) { return (vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }
FX_INLINE vec larger(vec a, vec b) { return (vec)_mm512_max_ps((__m512)a, (__m512)b); }
FX_INLINE vec rounded(vec x) {
  return (vec)_mm512_roundscale_ps((__m512)x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
FX_INLINE vec scaled(vec x, vec n) { return (vec)_mm512_scalef_ps((__m512)x, (__m512)n); }
FX_INLINE float sum_of(vec x) { return _mm512_reduce_add_ps((__m512)x); }
FX_INLINE words first(int64_t n, const void *x) {
  return (words)_mm512_maskz_loadu_epi32(static_cast<__mmask16>((1 << n) - 1), x);
}
#else
constexpr int registers = 16, least_power = -127;
FX_INLINE vec multiply_add(vec a, vec b, vec c) { return (vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c); }
FX_INLINE vec larger(vec a, vec b) { return (vec)_mm256_max_ps((__m256)a, (__m256)b); }
FX_INLINE vec rounded(vec x) {
  return (vec)_mm256_round_ps((__m256)x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
FX_INLINE vec scaled(vec x, vec n) { return x * (vec)((__builtin_convertvector(n, words) + 127) << 23); }
FX_INLINE float sum_of(vec x) {
  float sum = 0;
  FX_UNROLL for (int i = 0; i < lanes; i++) sum += x[i];
  return sum;
}
FX_INLINE words first(int64_t, const void *x) { return vector(x); }
#endif

// acc + a b, with b broadcast to all lanes.
FX_INLINE vec add_product(vec acc, const float *a, float b) { return multiply_add(load(a), all(b), acc); }

#if FX_BF16
FX_INLINE vec add_product(vec acc, const pair *a, pair b) {
  return (vec)_mm512_dpbf16_ps((__m512)acc, (__m512bh)vector(a), (__m512bh)_mm512_set1_epi32(static_cast<int>(b)));
}
FX_INLINE void store(bf16 *y, vec v) {
  _mm256_storeu_si256(reinterpret_cast<__m256i *>(y), (__m256i)_mm512_cvtneps_pbh((__m512)v));
}
FX_INLINE words widened(const bf16 *x) {
  return (words)_mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(x)));
}
FX_INLINE words widened(const float *x) { return (words)_mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh((__m512)load(x))); }
FX_INLINE vec load(const bf16 *x) { return (vec)(widened(x) << 16); }
// The values of low and after them those of high, rounded to bf16.
FX_INLINE words narrowed(vec low, vec high) { return (words)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low); }
#endif

// A vector of terms from values that are contiguous along the summed axis.
template <class E, class T>
FX_INLINE words along(const T *x) {
  if constexpr (std::is_same_v<E, pair> && std::is_same_v<T, float>)
    return narrowed(load(x), load(x + lanes));
  else
    return vector(x);
}
// A vector of terms with their first values in x and, if a term has two, their second values in next.
template <class E, class T>
FX_INLINE words across(const T *x, const T *next) {
  if constexpr (std::is_same_v<E, pair>)
    return widened(x) | (widened(next) << 16);
  else
    return vector(x);
}

// Transposes as many rows as there are lanes in place. It swaps the blocks off the diagonal, of half the size first, then
// a quarter, and so on down to 1.
template <int H, int... J>
FX_INLINE void swap_blocks(words *rows, std::integer_sequence<int, J...>) {
  constexpr words to_low{(J & H ? lanes + J - H : J)...}, to_high{(J & H ? lanes + J : J + H)...};
  FX_UNROLL for (int i = 0; i < lanes; i++) {
    if (i & H) continue;
    const words a = rows[i], b = rows[i + H];
    rows[i] = __builtin_shuffle(a, b, to_low);
    rows[i + H] = __builtin_shuffle(a, b, to_high);
  }
}
FX_INLINE void transpose(words *rows) {
  constexpr std::make_integer_sequence<int, lanes> all_lanes;
  if constexpr (lanes > 8) swap_blocks<8>(rows, all_lanes);
  swap_blocks<4>(rows, all_lanes);
  swap_blocks<2>(rows, all_lanes);
  swap_blocks<1>(rows, all_lanes);
}

// Splits the channels into blocks of two vectors, the last one of one vector if channels are left over, and calls
// body(first channel, vectors of the block) in parallel.
template <class Body>
void each_block(int64_t channels, Body &&body) {
  at::parallel_for(0, (channels + 2 * lanes - 1) / (2 * lanes), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) body(i * 2 * lanes, std::min<int64_t>(2, channels / lanes - i * 2));
  });
}
