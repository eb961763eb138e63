// The kernels of conv_kernel.cc, compiled once for each set of instructions; see each_target.h, and conv.h for the maths.
// All of it is matrix products. The innermost loop keeps a block of sums in registers: two vectors of sums along one
// side, by up to 14 (AVX-512) or 6 (AVX2) along the other, whose factors are broadcast. Terms are in simd/products.h.
namespace FX_TARGET {

template <class T>
constexpr const Kernel<T> *kernel = nullptr;

#if FX_WIDTH > 1
#include "simd/products.h"

#include "direct.h"

// ---- y from x, and dx from dy

// A row of x in the layout of the products: terms (blocks of `lanes`, width + 2 border, lanes). The border pads the edges and is
// 1 for k = 3 and 0 for k = 1.
template <class T>
struct Rows {
  using E = term_of<T>;
  const ConvShape &s;
  int64_t border, terms, block;  // block: the length of a block
  explicit Rows(const ConvShape &s)
      : s(s), border(s.kernel / 2), terms(s.in / values_of<E>), block((s.width + 2 * border) * lanes) {}
  int64_t size() const { return (terms + lanes - 1) / lanes * block; }

  void fill(const T *sample, int64_t row, E *to) const {
    if (s.periodic) row = (row + s.height) % s.height;
    const bool outside = row < 0 || row >= s.height;
    const E *from = reinterpret_cast<const E *>(sample + row * s.width * s.in);
    for (int64_t c = 0; c < terms; c += lanes, to += block) {
      if (outside) {
        std::memset(to, 0, block * sizeof(E));
        continue;
      }
      const int64_t some = std::min(lanes, terms - c);
      auto cell = [&](int64_t x) { return first(some, from + x * terms + c); };
      for (int64_t x = 0; x < s.width; x++) put(to + (x + border) * lanes, cell(x));
      if (!border) continue;
      put(to, s.periodic ? cell(s.width - 1) : words{});
      put(to + (s.width + 1) * lanes, s.periodic ? cell(0) : words{});
    }
  }
};

// Computes P neighbouring cells of y, V vectors of its channels; w is (k, k, terms, V vectors).
template <class T, class E, int P, int V>
void strip(const Rows<T> &x_rows, const E *const *rows, const E *w, const float *b, const T *r, T *y) {
  const ConvShape &s = x_rows.s;
  vec acc[P][V];
  FX_UNROLL for (int p = 0; p < P; p++)
    FX_UNROLL for (int v = 0; v < V; v++) acc[p][v] = b ? load(b + v * lanes) : vec{};
  for (int64_t ky = 0; ky < s.kernel; ky++)
    for (int64_t kx = 0; kx < s.kernel; kx++) {
      const E *x = rows[ky] + kx * lanes;
      for (int64_t c = 0; c < x_rows.terms; c += lanes, x += x_rows.block) {
        const int64_t count = std::min(lanes, x_rows.terms - c);
        for (int64_t i = 0; i < count; i++, w += V * lanes)
          FX_UNROLL for (int p = 0; p < P; p++)
            FX_UNROLL for (int v = 0; v < V; v++) acc[p][v] = add_product(acc[p][v], w + v * lanes, x[p * lanes + i]);
      }
    }
  FX_UNROLL for (int p = 0; p < P; p++)
    FX_UNROLL for (int v = 0; v < V; v++) {
      const int64_t at = p * s.out + v * lanes;
      store(y + at, r ? acc[p][v] + load(r + at) : acc[p][v]);
    }
}

constexpr int longest = registers / 2 - 2;  // cells of a strip; with two vectors of channels that fills the registers

// The functions strip for 1, 2, ..., longest cells.
template <class T, class E, int V, int... P>
constexpr auto strips_of(std::integer_sequence<int, P...>) {
  return std::array{strip<T, E, P + 1, V>...};
}
template <class T, class E, int V>
constexpr auto strips = strips_of<T, E, V>(std::make_integer_sequence<int, longest>());

// Computes one row of y, V vectors of its channels, in strips of about equal length, since a short strip cannot keep the
// multipliers busy.
template <class T, class E, int V>
void row_of(const Rows<T> &x_rows, const E *const *rows, const E *w, const float *b, const T *r, T *y) {
  const ConvShape &s = x_rows.s;
  const int64_t count = (s.width + longest - 1) / longest;
  for (int64_t i = 0; i < count; i++) {
    const int64_t begin = s.width * i / count, cells = s.width * (i + 1) / count - begin;
    const E *at[3];
    for (int k = 0; k < 3; k++) at[k] = rows[k] + begin * lanes;
    const int64_t to = begin * s.out;
    strips<T, E, V>[cells - 1](x_rows, at, w, b, r ? r + to : nullptr, y + to);
  }
}

// ---- dw from x and dy

// Rows of x, or of dy, in the layout of the sums over cells: (width + 2 border, channels). A term of two cells may begin
// at an even or an odd cell; there is a plane for each case. Cells are a cache line further apart than their channels: at
// a distance of a power of two, the sums over cells would use a few sets of the cache only.
template <class T>
struct Cells {
  using E = term_of<T>;
  const ConvShape &s;
  int64_t channels, border, apart, steps, plane;  // apart: from one term to the next; steps: terms of a row of dy
  Cells(const ConvShape &s, int64_t channels, int64_t border)
      : s(s), channels(channels), border(border), apart(channels + 16), steps((s.width + values_of<E> - 1) / values_of<E>),
        plane((steps + 2 * border) * apart) {}
  int64_t size() const { return plane * (values_of<E> > 1 && border ? 2 : 1); }

  // The term that begins at that cell, counted from the start of the border.
  const E *at(const E *row, int64_t cell) const {
    return values_of<E> == 1 ? row + cell * apart : row + (cell % 2) * plane + cell / 2 * apart;
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

constexpr int slice = registers / 4;  // channels of x whose sums are in registers

// acc (slice, V vectors of dy's channels) += the sum over the steps of a row.
template <class E, int V>
inline void add_row(vec (&acc)[slice][V], const E *x, int64_t in, const E *dy, int64_t out, int64_t steps) {
  for (int64_t i = 0; i < steps; i++, x += in, dy += out)
    FX_UNROLL for (int c = 0; c < slice; c++)
      FX_UNROLL for (int v = 0; v < V; v++) acc[c][v] = add_product(acc[c][v], dy + v * lanes, x[c]);
}

// dw (k, k, I, V vectors) += the sum over a band of rows, which x and dy hold.
template <class T, class E, int V>
void add_band(const Cells<T> &xs, const Cells<T> &dys, const E *x, const E *dy, int64_t rows, float *dw) {
  const ConvShape &s = xs.s;
  for (int64_t ky = 0; ky < s.kernel; ky++)
    for (int64_t kx = 0; kx < s.kernel; kx++)
      for (int64_t i = 0; i < s.in; i += slice, dw += slice * V * lanes) {
        vec acc[slice][V];
        FX_UNROLL for (int c = 0; c < slice; c++)
          FX_UNROLL for (int v = 0; v < V; v++) acc[c][v] = load(dw + (c * V + v) * lanes);
        for (int64_t r = 0; r < rows; r++)
          add_row<E, V>(acc, xs.at(x + (r + ky) * xs.size(), kx) + i, xs.apart, dy + r * dys.size(), dys.apart, dys.steps);
        FX_UNROLL for (int c = 0; c < slice; c++)
          FX_UNROLL for (int v = 0; v < V; v++) store(dw + (c * V + v) * lanes, acc[c][v]);
      }
}

// Adds up the parts and writes dw (O,k,k,I) for V vectors of y's channels from o on.
void unpack(const ConvShape &s, const std::vector<const float *> &parts, int64_t o, int64_t vectors, float *dw) {
  const int64_t depth = s.kernel * s.kernel * s.in;
  for (int64_t v = 0; v < vectors; v++)
    for (int64_t t = 0; t < depth; t += lanes) {
      words block[lanes];
      for (int64_t i = 0; i < lanes; i++) {
        vec sum = vec{};
        for (const float *part : parts) sum += load(part + o * depth + ((t + i) * vectors + v) * lanes);
        block[i] = (words)sum;
      }
      transpose(block);
      for (int64_t i = 0; i < lanes; i++) put(dw + (o + v * lanes + i) * depth + t, block[i]);
    }
}

// ---- Work of the threads

// The number of rows of a band, such that the rows of x that it reads stay in the L2 cache.
int64_t band_of(const ConvShape &s, int64_t row_bytes) {
  return std::clamp<int64_t>(262144 / row_bytes - (s.kernel - 1), 1, std::min<int64_t>(s.height, 16));
}

// Cuts the rows of all samples into bands and calls body(sample, first row, row after the last) for each, in a loop of
// core/parallel.h. A thread gets its body from make().
template <class Loop, class Make>
void each_band(const ConvShape &s, int64_t rows, Loop &&loop, Make &&make) {
  const int64_t bands = (s.height + rows - 1) / rows;
  loop(s.samples * bands, 1, [&] {
    return [&, body = make()](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++)
        body(i / bands, i % bands * rows, std::min(i % bands * rows + rows, s.height));
    };
  });
}

// s.in and s.out are the channels of this product's x and y. w is packed as direct.h says.
template <class T>
void product(const ConvShape &s, const T *x, const term_of<T> *w, const float *b, const T *r, T *y) {
  using E = term_of<T>;
  const Rows<T> x_rows(s);
  const int64_t taps = s.kernel * s.kernel, band = band_of(s, x_rows.size() * sizeof(E));
  each_band(s, band, in_parts, [&] {
    return [&, rows_of = Buffer<E>((band + s.kernel - 1) * x_rows.size())](int64_t n, int64_t begin, int64_t end) {
      E *buffered = rows_of.get();
      const T *sample = x + n * s.height * s.width * s.in;
      const int64_t count = end - begin + s.kernel - 1;
      for (int64_t i = 0; i < count; i++) x_rows.fill(sample, begin + i - x_rows.border, buffered + i * x_rows.size());
      for (int64_t o = 0; o < s.out; o += 2 * lanes)
        for (int64_t i = 0; i < end - begin; i++) {
          const E *rows[3];
          for (int64_t ky = 0; ky < 3; ky++) rows[ky] = buffered + (i + std::min(ky, s.kernel - 1)) * x_rows.size();
          const E *weights = w + o * taps * x_rows.terms;
          const float *bias = b ? b + o : nullptr;
          const int64_t to = ((n * s.height + begin + i) * s.width) * s.out + o;
          const T *add = r ? r + to : nullptr;
          if (o + 2 * lanes <= s.out)
            row_of<T, E, 2>(x_rows, rows, weights, bias, add, y + to);
          else
            row_of<T, E, 1>(x_rows, rows, weights, bias, add, y + to);
        }
    };
  });
}

template <class T>
void pack(const ConvShape &s, const float *w, void *to) {
  pack_all(s, s.out, s.in, w, pack_forward<term_of<T>>, static_cast<term_of<T> *>(to));
}

template <class T>
void forward(const ConvShape &s, const T *x, const void *w, const float *b, const T *r, T *y) {
  product(s, x, static_cast<const term_of<T> *>(w), b, r, y);
}

template <class T>
void input_gradient(const ConvShape &s, const T *dy, const float *w, T *dx) {
  using E = term_of<T>;
  Buffer<E> packed(s.kernel * s.kernel * s.in * s.out / values_of<E>);
  pack_all(s, s.in, s.out, w, pack_backward<E>, packed.get());
  ConvShape reversed = s;
  std::swap(reversed.in, reversed.out);
  product<T>(reversed, dy, packed.get(), nullptr, nullptr, dx);
}

template <class T>
void weight_gradient(const ConvShape &s, const T *x, const T *dy, float *dw, float *db) {
  using E = term_of<T>;
  const Cells<T> xs(s, s.in, s.kernel / 2), dys(s, s.out, 0);
  const std::vector<T> zeros(std::max(s.in, s.out));
  const int64_t rows = std::clamp<int64_t>(128 / s.width, 1, s.height), depth = s.kernel * s.kernel * s.in;
  ThreadSums sums(s.out * (depth + 1));  // dw in the layout of unpack, then db
  each_band(s, rows, in_shares, [&] {
    return [&, to = sums.begin(), x_rows = Buffer<E>((rows + 2) * xs.size()), dy_rows = Buffer<E>(rows * dys.size())](
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
      add_bias(dy + (n * s.height + begin) * s.width * s.out, (end - begin) * s.width, s.out, 0, s.out,
               to + s.out * depth);
    };
  });
  const auto made = sums.made();
  each_block(s.out, [&](int64_t o, int64_t vectors) { unpack(s, made, o, vectors, dw); });
  add_up(made, s.out * depth, s.out, db);
}

template <class T>
constexpr Kernel<T> made{pack<T>, forward<T>, input_gradient<T>, weight_gradient<T>};
#if FX_BF16
template <>
constexpr const Kernel<bf16> *kernel<bf16> = &made<bf16>;
template <>
constexpr const Kernel<float> *kernel<float> = avx512::kernel<float>;
#else
template <>
constexpr const Kernel<float> *kernel<float> = &made<float>;
#endif
#endif

}  // namespace FX_TARGET
