// See conv.h for the maths. All of it is matrix products whose innermost loop keeps a block of sums in registers: 32
// sums along one side, in vectors, by 8 along the other, which are broadcast. What is multiplied is a float, or a pair
// of bf16 that are neighbours along the summed axis, as vdpbf16ps takes them: a "term" in the following.
//
// Written for AVX-512, on which alone it runs.
#include "conv.h"

#include <ATen/Parallel.h>
#include <c10/core/CPUAllocator.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <type_traits>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
// The intrinsics' own header.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"

#pragma GCC target("avx2,fma,avx512f,avx512vl,avx512dq,avx512bw,avx512bf16")

namespace fx {
namespace {

// ---- The loops

#pragma GCC push_options
#pragma GCC target("avx2,fma,avx512f,avx512vl,avx512dq,avx512bw,avx512bf16")

constexpr int64_t lanes = 16;
using pair = uint32_t;  // of bf16, the first in the lower half

template <class T>
using term_of = std::conditional_t<std::is_same_v<T, bf16>, pair, float>;
template <class E>
constexpr int64_t values_of = std::is_same_v<E, pair> ? 2 : 1;

inline __m512i vector(const void *x) { return _mm512_loadu_si512(x); }
inline void put(void *y, __m512i v) { _mm512_storeu_si512(y, v); }

// acc + a b, b being broadcast.
inline __m512 multiply_add(__m512 acc, const float *a, float b) {
  return _mm512_fmadd_ps(_mm512_loadu_ps(a), _mm512_set1_ps(b), acc);
}
inline __m512 multiply_add(__m512 acc, const pair *a, pair b) {
  return _mm512_dpbf16_ps(acc, (__m512bh)vector(a), (__m512bh)_mm512_set1_epi32(static_cast<int>(b)));
}

inline void store(float *y, __m512 v) { _mm512_storeu_ps(y, v); }
inline void store(bf16 *y, __m512 v) { _mm256_storeu_si256(reinterpret_cast<__m256i *>(y), (__m256i)_mm512_cvtneps_pbh(v)); }
inline __m512 load(const float *x) { return _mm512_loadu_ps(x); }
inline __m512 load(const bf16 *x) {
  const __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(x)));
  return (__m512)_mm512_slli_epi32(wide, 16);
}

// Sixteen terms of values that lie side by side along the summed axis.
template <class E, class T>
__m512i along(const T *x) {
  if constexpr (std::is_same_v<E, pair> && std::is_same_v<T, float>)
    return (__m512i)_mm512_cvtne2ps_pbh(load(x + lanes), load(x));
  else
    return vector(x);
}
// Sixteen terms of which each has its first value in x and its second, if it has one, in next.
inline __m512i widened(const bf16 *x) {
  return _mm512_cvtepu16_epi32(_mm256_loadu_si256(reinterpret_cast<const __m256i *>(x)));
}
inline __m512i widened(const float *x) { return _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(load(x))); }
template <class E, class T>
__m512i across(const T *x, const T *next) {
  if constexpr (std::is_same_v<E, pair>)
    return _mm512_or_si512(widened(x), _mm512_slli_epi32(widened(next), 16));
  else
    return vector(x);
}

// Transposes 16 rows of 16 in place, swapping the blocks off the diagonal of ever smaller size.
inline void transpose(__m512i *rows) {
#pragma GCC unroll 4
  for (int h = 8; h > 0; h /= 2) {
    alignas(64) int32_t low[lanes], high[lanes];
    for (int j = 0; j < lanes; j++) {
      low[j] = j & h ? lanes + j - h : j;
      high[j] = j & h ? lanes + j : j + h;
    }
    const __m512i to_low = vector(low), to_high = vector(high);
#pragma GCC unroll 16
    for (int i = 0; i < lanes; i++) {
      if (i & h) continue;
      const __m512i a = rows[i], b = rows[i + h];
      rows[i] = _mm512_permutex2var_epi32(a, to_low, b);
      rows[i + h] = _mm512_permutex2var_epi32(a, to_high, b);
    }
  }
}

// ---- y from x, and dx from dy

// A row of x as the products take it: terms (channels, width + 2), with the edges' padding, for k = 3; (channels,
// width) for k = 1. Lines are padded to whole vectors.
template <class T>
struct Lines {
  using E = term_of<T>;
  const ConvShape &s;
  int64_t border, terms, length;
  explicit Lines(const ConvShape &s)
      : s(s), border(s.kernel / 2), terms(s.in / values_of<E>), length((s.width + 2 * border + lanes - 1) / lanes * lanes) {}
  int64_t size() const { return terms * length; }

  void fill(const T *sample, int64_t row, E *to) const {
    if (s.periodic) row = (row + s.height) % s.height;
    if (row < 0 || row >= s.height) {
      std::memset(to, 0, size() * sizeof(E));
      return;
    }
    const E *from = reinterpret_cast<const E *>(sample + row * s.width * s.in);
    for (int64_t c = 0; c < terms; c += lanes) {
      const int64_t count = std::min(lanes, terms - c);
      const auto some = static_cast<__mmask16>((1 << count) - 1);
      for (int64_t x = 0; x < s.width; x += lanes) {
        __m512i block[lanes];
        const int64_t cells = std::min(lanes, s.width - x);
        for (int64_t i = 0; i < lanes; i++)
          block[i] = i < cells ? _mm512_maskz_loadu_epi32(some, from + (x + i) * terms + c) : _mm512_setzero_si512();
        transpose(block);
        const auto present = static_cast<__mmask16>((1 << cells) - 1);
        for (int64_t i = 0; i < count; i++) _mm512_mask_storeu_epi32(to + (c + i) * length + x + border, present, block[i]);
      }
    }
    if (!border) return;
    for (int64_t c = 0; c < terms; c++) {
      E *line = to + c * length;
      line[0] = s.periodic ? line[s.width] : 0;
      line[s.width + 1] = s.periodic ? line[1] : 0;
    }
  }
};

// P neighbouring cells of y, V vectors of its channels; w is (k, k, terms, V vectors).
template <class T, class E, int P, int V>
void strip(const E *const *rows, int64_t kernel, int64_t terms, int64_t length, const E *w, const float *b, T *y,
           int64_t stride) {
  __m512 acc[P][V];
  for (int p = 0; p < P; p++)
    for (int v = 0; v < V; v++) acc[p][v] = b ? _mm512_loadu_ps(b + v * lanes) : _mm512_setzero_ps();
  for (int64_t ky = 0; ky < kernel; ky++)
    for (int64_t kx = 0; kx < kernel; kx++) {
      const E *x = rows[ky] + kx;
      for (int64_t c = 0; c < terms; c++) {
#pragma GCC unroll 16
        for (int p = 0; p < P; p++)
#pragma GCC unroll 4
          for (int v = 0; v < V; v++) acc[p][v] = multiply_add(acc[p][v], w + v * lanes, x[p]);
        x += length;
        w += V * lanes;
      }
    }
  for (int p = 0; p < P; p++)
    for (int v = 0; v < V; v++) store(y + p * stride + v * lanes, acc[p][v]);
}

// One row of y, V vectors of its channels.
template <class T, class E, int V>
void row_of(const E *const *rows, const Lines<T> &lines, const E *w, const float *b, T *y) {
  const ConvShape &s = lines.s;
  const E *at[3] = {rows[0], rows[1], rows[2]};
  int64_t x = 0;
  auto run = [&](auto cells) {
    constexpr int P = decltype(cells)::value;
    for (; x + P <= s.width; x += P) {
      strip<T, E, P, V>(at, s.kernel, lines.terms, lines.length, w, b, y + x * s.out, s.out);
      for (auto &row : at) row += P;
    }
  };
  run(std::integral_constant<int, 8>());
  run(std::integral_constant<int, 4>());
  run(std::integral_constant<int, 1>());
}

// w (O,k,k,I) as product takes it, of V vectors of y's channels from o on.
template <class E>
void pack_forward(const ConvShape &s, const float *w, int64_t o, int64_t vectors, E *to) {
  const int64_t depth = s.kernel * s.kernel * s.in, terms = depth / values_of<E>;
  for (int64_t v = 0; v < vectors; v++)
    for (int64_t t = 0; t < terms; t += lanes) {
      __m512i block[lanes];
      const int64_t count = std::min(lanes, terms - t);
      for (int64_t i = 0; i < lanes; i++) {
        const float *from = w + (o + v * lanes + i) * depth + t * values_of<E>;
        float some[2 * lanes] = {};
        if (count < lanes) std::memcpy(some, from, count * values_of<E> * sizeof(float));
        block[i] = along<E>(count < lanes ? some : from);
      }
      transpose(block);
      for (int64_t i = 0; i < count; i++) put(to + ((t + i) * vectors + v) * lanes, block[i]);
    }
}

// w[i][-t][o] as product takes it, of V vectors of x's channels from i on.
template <class E>
void pack_backward(const ConvShape &s, const float *w, int64_t i, int64_t vectors, E *to) {
  const int64_t taps = s.kernel * s.kernel;
  for (int64_t t = taps - 1; t >= 0; t--)
    for (int64_t o = 0; o < s.out; o += values_of<E>)
      for (int64_t v = 0; v < vectors; v++, to += lanes) {
        const float *from = w + (o * taps + t) * s.in + i + v * lanes;
        put(to, across<E>(from, from + (values_of<E> - 1) * taps * s.in));
      }
}

// ---- dw from x and dy

// Rows of x, or of dy, as the sums over cells take them: cells (width + 2 border, channels). A term of two cells may
// begin at an even one or an odd one: there is one plane of each.
template <class T>
struct Cells {
  using E = term_of<T>;
  const ConvShape &s;
  int64_t channels, border, steps, plane;  // steps: terms that dy's row has
  Cells(const ConvShape &s, int64_t channels, int64_t border)
      : s(s), channels(channels), border(border), steps((s.width + values_of<E> - 1) / values_of<E>),
        plane((steps + 2 * border) * channels) {}
  int64_t size() const { return plane * (values_of<E> > 1 && border ? 2 : 1); }

  // The term that begins at a cell of the row with its border.
  const E *at(const E *row, int64_t cell) const {
    return values_of<E> == 1 ? row + cell * channels : row + (cell % 2) * plane + cell / 2 * channels;
  }

  void fill(const T *sample, int64_t row, const T *zeros, E *to) const {
    if (s.periodic) row = (row + s.height) % s.height;
    const bool outside = row < 0 || row >= s.height;
    auto cell = [&](int64_t x) {
      if (s.periodic && border) x = (x + s.width) % s.width;
      return outside || x < 0 || x >= s.width ? zeros : sample + (row * s.width + x) * channels;
    };
    for (int64_t x = 0; x < s.width + 2 * border; x += border ? 1 : values_of<E>) {
      const T *first = cell(x - border), *next = cell(x - border + 1);
      E *term = const_cast<E *>(at(to, x));
      for (int64_t c = 0; c < channels; c += lanes) put(term + c, across<E>(first + c, next + c));
    }
  }
};

// acc (8 channels of x, V vectors of dy's) += the sum over the steps of a row.
template <class E, int V>
inline void add_row(__m512 (&acc)[8][V], const E *x, int64_t in, const E *dy, int64_t out, int64_t steps) {
  for (int64_t i = 0; i < steps; i++, x += in, dy += out)
#pragma GCC unroll 8
    for (int c = 0; c < 8; c++)
#pragma GCC unroll 4
      for (int v = 0; v < V; v++) acc[c][v] = multiply_add(acc[c][v], dy + v * lanes, x[c]);
}

// dw (k, k, I, V vectors) += that of a band of rows, x and dy being of it.
template <class T, class E, int V>
void add_band(const Cells<T> &xs, const Cells<T> &dys, const E *x, const E *dy, int64_t rows, float *dw) {
  const ConvShape &s = xs.s;
  for (int64_t ky = 0; ky < s.kernel; ky++)
    for (int64_t kx = 0; kx < s.kernel; kx++)
      for (int64_t i = 0; i < s.in; i += 8, dw += 8 * V * lanes) {
        __m512 acc[8][V];
        for (int c = 0; c < 8; c++)
          for (int v = 0; v < V; v++) acc[c][v] = load(dw + (c * V + v) * lanes);
        for (int64_t r = 0; r < rows; r++)
          add_row<E, V>(acc, xs.at(x + (r + ky) * xs.size(), kx) + i, s.in, dy + r * dys.size(), s.out, dys.steps);
        for (int c = 0; c < 8; c++)
          for (int v = 0; v < V; v++) store(dw + (c * V + v) * lanes, acc[c][v]);
      }
}

template <class T>
void add_bias(const T *dy, int64_t cells, int64_t out, float *db) {
  for (int64_t o = 0; o < out; o += lanes) {
    __m512 acc = load(db + o);
    for (int64_t i = 0; i < cells; i++) acc = _mm512_add_ps(acc, load(dy + i * out + o));
    store(db + o, acc);
  }
}

// dw (O,k,k,I) of V vectors of y's channels from o on, from the sum of count parts.
void unpack(const ConvShape &s, const float *const *parts, int64_t count, int64_t o, int64_t vectors, float *dw) {
  const int64_t depth = s.kernel * s.kernel * s.in;
  for (int64_t v = 0; v < vectors; v++)
    for (int64_t t = 0; t < depth; t += lanes) {
      __m512i block[lanes];
      for (int64_t i = 0; i < lanes; i++) {
        __m512 sum = _mm512_setzero_ps();
        for (int64_t j = 0; j < count; j++)
          sum = _mm512_add_ps(sum, load(parts[j] + o * depth + ((t + i) * vectors + v) * lanes));
        block[i] = (__m512i)sum;
      }
      transpose(block);
      for (int64_t i = 0; i < lanes; i++) put(dw + (o + v * lanes + i) * depth + t, block[i]);
    }
}

#pragma GCC pop_options

// ---- Who does what

// Memory as tensors have it.
template <class E>
struct Buffer {
  c10::DataPtr data;
  int64_t size;
  explicit Buffer(int64_t n) : data(c10::GetCPUAllocator()->allocate(n * sizeof(E))), size(n) {}
  E *get() const { return static_cast<E *>(data.get()); }
};

// How many rows to do at once, that what is read of them stay in the second cache.
int64_t band_of(const ConvShape &s, int64_t row_bytes) {
  return std::clamp<int64_t>(262144 / row_bytes - (s.kernel - 1), 1, std::min<int64_t>(s.height, 16));
}

// Runs body(sample, first row, row after the last) for bands of the rows of all samples, a thread's in order;
// body is made once for each thread by make(thread).
template <class Make>
void each_band(const ConvShape &s, int64_t rows, Make &&make) {
  const int64_t bands = (s.height + rows - 1) / rows;
  at::parallel_for(0, s.samples * bands, 1, [&](int64_t begin, int64_t end) {
    auto body = make();
    for (int64_t i = begin; i < end; i++) body(i / bands, i % bands * rows, std::min(i % bands * rows + rows, s.height));
  });
}

// Calls body(first of 32 or 16 channels, how many vectors) in parallel.
template <class Body>
void each_block(int64_t channels, Body &&body) {
  at::parallel_for(0, (channels + 2 * lanes - 1) / (2 * lanes), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) body(i * 2 * lanes, std::min<int64_t>(2, channels / lanes - i * 2));
  });
}

// s.in and s.out are those of the product; w is (s.out/32, k, k, terms, 32), the last block of 16 where there are.
template <class T>
void product(const ConvShape &s, const T *x, const term_of<T> *w, const float *b, T *y) {
  using E = term_of<T>;
  const Lines<T> lines(s);
  const int64_t taps = s.kernel * s.kernel, band = band_of(s, lines.size() * sizeof(E));
  each_band(s, band, [&] {
    return [&, rows_of = Buffer<E>((band + s.kernel - 1) * lines.size())](int64_t n, int64_t begin, int64_t end) {
      E *buffered = rows_of.get();
      const T *sample = x + n * s.height * s.width * s.in;
      const int64_t count = end - begin + s.kernel - 1;
      for (int64_t i = 0; i < count; i++) lines.fill(sample, begin + i - lines.border, buffered + i * lines.size());
      for (int64_t o = 0; o < s.out; o += 2 * lanes)
        for (int64_t i = 0; i < end - begin; i++) {
          const E *rows[3];
          for (int64_t ky = 0; ky < 3; ky++) rows[ky] = buffered + (i + std::min(ky, s.kernel - 1)) * lines.size();
          const E *weights = w + o * taps * lines.terms;
          const float *bias = b ? b + o : nullptr;
          T *to = y + ((n * s.height + begin + i) * s.width) * s.out + o;
          if (o + 2 * lanes <= s.out)
            row_of<T, E, 2>(rows, lines, weights, bias, to);
          else
            row_of<T, E, 1>(rows, lines, weights, bias, to);
        }
    };
  });
}

template <class E>
using Pack = void (*)(const ConvShape &s, const float *w, int64_t first, int64_t vectors, E *to);

// The weights of all the channels of a product's y, each block by pack.
template <class E>
Buffer<E> packed(const ConvShape &s, int64_t channels, const float *w, Pack<E> pack) {
  const int64_t depth = s.kernel * s.kernel * s.in * s.out / channels / values_of<E>;
  Buffer<E> to(channels * depth);
  each_block(channels, [&](int64_t first, int64_t vectors) { pack(s, w, first, vectors, to.get() + first * depth); });
  return to;
}

}  // namespace

bool has_conv(bool bfloat16) {
  static const bool avx512 = __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
                             __builtin_cpu_supports("avx512bw");
  return avx512 && (!bfloat16 || __builtin_cpu_supports("avx512bf16"));
}

template <class T>
void conv_forward(const ConvShape &s, const T *x, const float *w, const float *b, T *y) {
  product(s, x, packed(s, s.out, w, pack_forward<term_of<T>>).get(), b, y);
}

template <class T>
void conv_input_gradient(const ConvShape &s, const T *dy, const float *w, T *dx) {
  ConvShape reversed = s;
  std::swap(reversed.in, reversed.out);
  product(reversed, dy, packed(s, s.in, w, pack_backward<term_of<T>>).get(), nullptr, dx);
}

template <class T>
void conv_weight_gradient(const ConvShape &s, const T *x, const T *dy, float *dw, float *db) {
  using E = term_of<T>;
  const Cells<T> xs(s, s.in, s.kernel / 2), dys(s, s.out, 0);
  const std::vector<T> zeros(std::max(s.in, s.out));
  const int64_t rows = std::clamp<int64_t>(128 / s.width, 1, s.height), depth = s.kernel * s.kernel * s.in;
  // of each thread: dw as unpack takes it, then db
  std::vector<std::optional<Buffer<float>>> parts(at::get_num_threads());
  each_band(s, rows, [&] {
    auto &part = parts[at::get_thread_num()].emplace(s.out * (depth + 1));
    std::memset(part.get(), 0, part.size * sizeof(float));
    return [&, to = part.get(), x_rows = Buffer<E>((rows + 2) * xs.size()), dy_rows = Buffer<E>(rows * dys.size())](
               int64_t n, int64_t begin, int64_t end) {
      const int64_t cells = s.height * s.width;
      for (int64_t i = 0; i < end - begin + s.kernel - 1; i++)
        xs.fill(x + n * cells * s.in, begin + i - xs.border, zeros.data(), x_rows.get() + i * xs.size());
      for (int64_t i = 0; i < end - begin; i++)
        dys.fill(dy + n * cells * s.out, begin + i, zeros.data(), dy_rows.get() + i * dys.size());
      for (int64_t o = 0; o < s.out; o += 2 * lanes) {
        if (o + 2 * lanes <= s.out)
          add_band<T, E, 2>(xs, dys, x_rows.get(), dy_rows.get() + o, end - begin, to + o * depth);
        else
          add_band<T, E, 1>(xs, dys, x_rows.get(), dy_rows.get() + o, end - begin, to + o * depth);
      }
      add_bias(dy + (n * s.height + begin) * s.width * s.out, (end - begin) * s.width, s.out, to + s.out * depth);
    };
  });
  std::vector<const float *> made;
  for (const auto &part : parts)
    if (part) made.push_back(part->get());
  each_block(s.out, [&](int64_t o, int64_t vectors) {
    unpack(s, made.data(), static_cast<int64_t>(made.size()), o, vectors, dw);
  });
  std::fill_n(db, s.out, 0.0f);
  for (const float *part : made)
    for (int64_t o = 0; o < s.out; o++) db[o] += part[s.out * depth + o];
}

#else  // no such processor: conv.cc asks first

namespace fx {
bool has_conv(bool) { return false; }
template <class T>
void conv_forward(const ConvShape &, const T *, const float *, const float *, T *) {}
template <class T>
void conv_input_gradient(const ConvShape &, const T *, const float *, T *) {}
template <class T>
void conv_weight_gradient(const ConvShape &, const T *, const T *, float *, float *) {}
#endif

#define FX_INSTANTIATE(T)                                                                                     \
  template void conv_forward(const ConvShape &, const T *, const float *, const float *, T *);                \
  template void conv_input_gradient(const ConvShape &, const T *, const float *, T *);                        \
  template void conv_weight_gradient(const ConvShape &, const T *, const T *, float *, float *);
FX_INSTANTIATE(float)
FX_INSTANTIATE(bf16)

}  // namespace fx
