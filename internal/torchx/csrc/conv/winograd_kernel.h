// The kernels of winograd_kernel.cc, compiled once for each set of instructions; see each_target.h, and winograd.h for the
// maths. A "point" below is one of the 16 or 36 elements of a transformed tile. Each point is a matrix product of its own,
// over a block of tiles that stays in the L2 cache.
namespace FX_TARGET {

#if FX_BF16
using avx512::kernel;
#elif FX_WIDTH == 1
constexpr Kernel kernel{};
#else
#include "simd/products.h"

// ---- The transforms along one dimension, in place, on every step-th element. A tile of y has made x made cells, and
// depends on side x side cells of x.

struct Small {  // F(2x2,3x3)
  static constexpr int made = 2, side = 4;

  static void input(vec *d, int step) {  // B'
    const vec a = d[0], b = d[step], c = d[2 * step], e = d[3 * step];
    d[0] = a - c;
    d[step] = b + c;
    d[2 * step] = c - b;
    d[3 * step] = b - e;
  }
  static void weights(const vec *g, int from, vec *u, int step) {  // G
    const vec half = all(0.5f), even = half * (g[0] + g[2 * from]), odd = half * g[from];
    u[0] = g[0];
    u[step] = even + odd;
    u[2 * step] = even - odd;
    u[3 * step] = g[2 * from];
  }
  static void output(vec *m, int step) {  // A'
    const vec sum = m[step] + m[2 * step], difference = m[step] - m[2 * step];
    m[0] += sum;
    m[step] = difference - m[3 * step];
  }
  static void output_gradient(vec *d, int step) {  // A
    const vec a = d[0], b = d[step];
    d[step] = a + b;
    d[2 * step] = a - b;
    d[3 * step] = -b;
  }
  static void weight_gradient(vec *u, int step) {  // G'
    const vec half = all(0.5f), sum = half * (u[step] + u[2 * step]);
    u[0] += sum;
    u[step] = half * (u[step] - u[2 * step]);
    u[2 * step] = sum + u[3 * step];
  }
};

struct Large {  // F(4x4,3x3)
  static constexpr int made = 4, side = 6;
  static constexpr float r = 1.41421356f;

  static void input(vec *d, int step) {  // B'
    const vec a = d[step], b = d[2 * step], c = d[3 * step], e = d[4 * step];
    const vec even = 2.0f * b - e, odd = r * (a - 0.5f * c), far_even = e - 0.5f * b, far_odd = r * (c - 0.5f * a);
    d[0] += e - 2.5f * b;
    d[step] = even + odd;
    d[2 * step] = even - odd;
    d[3 * step] = far_even + far_odd;
    d[4 * step] = far_even - far_odd;
    d[5 * step] += a - 2.5f * c;
  }
  static void weights(const vec *g, int from, vec *u, int step) {  // G
    const vec first = g[0] * (1 / 6.0f), middle = g[from] * (r / 6), last = g[2 * from] * (1 / 3.0f);
    const vec even = 4.0f * first + last, odd = 2.0f * middle, far_even = first + last;
    u[0] = g[0];
    u[step] = even + odd;
    u[2 * step] = even - odd;
    u[3 * step] = far_even + middle;
    u[4 * step] = far_even - middle;
    u[5 * step] = g[2 * from];
  }
  static void output(vec *m, int step) {  // A'
    const vec sum = m[step] + m[2 * step], difference = 0.5f * r * (m[step] - m[2 * step]);
    const vec far_sum = m[3 * step] + m[4 * step], far_difference = r * (m[3 * step] - m[4 * step]);
    m[0] += sum + far_sum;
    m[step] = difference + far_difference;
    m[2 * step] = 0.5f * sum + 2.0f * far_sum;
    m[3 * step] = 0.5f * difference + 2.0f * far_difference + m[5 * step];
  }
};

template <class F>
constexpr int points = F::side * F::side;

// ---- Tiles of fields, and blocks of tiles

// The tiles of all samples, row by row.
template <class F>
struct Tiles {
  const ConvShape &s;
  int64_t rows, columns, count;
  explicit Tiles(const ConvShape &s)
      : s(s), rows((s.height + F::made - 1) / F::made), columns((s.width + F::made - 1) / F::made),
        count(s.samples * rows * columns) {}
};

// One tile; next moves on to the tile after it.
template <class F>
struct Tile {
  const Tiles<F> &t;
  int64_t sample, row, column;
  Tile(const Tiles<F> &t, int64_t i)
      : t(t), sample(i / (t.rows * t.columns)), row(i / t.columns % t.rows), column(i % t.columns) {}
  void next() {
    if (++column < t.columns) return;
    column = 0;
    if (++row < t.rows) return;
    row = 0;
    sample++;
  }

  // Points cells[i][j] to the cell (first + i, first + j), counted from the tile's corner, in the field `of` with that
  // many channels. Cells outside the field become null.
  template <int N, class T>
  void cells(T *of, int64_t channels, int64_t first, bool periodic, T *null, T *(&cells)[N][N]) const {
    T *rows[N];
    int64_t columns[N];  // -1: outside
    auto place = [=](int64_t i, int64_t size) {
      if (periodic) return i < 0 ? i + size : i % size;
      return i < size ? i : -1;
    };
    for (int i = 0; i < N; i++) {
      const int64_t y = place(F::made * row + first + i, t.s.height), x = place(F::made * column + first + i, t.s.width);
      rows[i] = y < 0 ? nullptr : of + (sample * t.s.height + y) * t.s.width * channels;
      columns[i] = x < 0 ? -1 : x * channels;
    }
    for (int i = 0; i < N; i++)
      for (int j = 0; j < N; j++) cells[i][j] = rows[i] && columns[j] >= 0 ? rows[i] + columns[j] : null;
  }
};

// Transformed tiles: (points, channels / lanes, tiles, lanes). A point is as much longer as a plane of weights, see plane_of.
template <class F>
struct Block {
  int64_t channels, tiles;
  int64_t group() const { return tiles * lanes; }
  int64_t point() const { return channels * tiles + 16; }
  int64_t size() const { return points<F> * point(); }
};

// Transforms N x N cells of each tile, beginning at (first, first) from the tile's corner, by each along both dimensions.
template <int N, class F, class Each>
void fill(Tile<F> tile, const float *from, Block<F> block, int64_t first, bool periodic, const float *zeros, float *to, Each &&each) {
  constexpr int side = F::side;
  const int64_t point = block.point();
  for (int64_t i = 0; i < block.tiles; i++, tile.next()) {
    const float *cells[N][N];
    tile.cells(from, block.channels, first, periodic, zeros, cells);
    for (int64_t c = 0; c < block.channels; c += lanes) {
      vec d[side][side];
      FX_UNROLL for (int x = 0; x < N; x++) {
        FX_UNROLL for (int y = 0; y < N; y++) d[y][x] = load(cells[y][x] + c);
        each(&d[0][x], side);
      }
      float *at = to + c * block.tiles + i * lanes;
      FX_UNROLL for (int y = 0; y < side; y++) {
        each(d[y], 1);
        FX_UNROLL for (int x = 0; x < side; x++) store(at + (y * side + x) * point, d[y][x]);
      }
    }
  }
}

template <class F>
void fill_inputs(const Tile<F> &tile, const float *x, Block<F> block, const float *zeros, float *to) {
  fill<F::side>(tile, x, block, -1, tile.t.s.periodic, zeros, to, [](vec *d, int step) { F::input(d, step); });
}

// Transforms the products back and writes y; b and r may be null.
template <class F>
void write_outputs(Tile<F> tile, const float *products, Block<F> block, const float *b, const float *r, float *y) {
  constexpr int side = F::side, made = F::made;
  const int64_t point = block.point();
  for (int64_t t = 0; t < block.tiles; t++, tile.next()) {
    float *cells[made][made];
    tile.template cells<made, float>(y, block.channels, 0, false, nullptr, cells);
    for (int64_t c = 0; c < block.channels; c += lanes) {
      const float *at = products + c * block.tiles + t * lanes;
      vec m[side][side];
      FX_UNROLL for (int x = 0; x < side; x++) {
        FX_UNROLL for (int y = 0; y < side; y++) m[y][x] = load(at + (y * side + x) * point);
        F::output(&m[0][x], side);
      }
      const vec none = vec{}, bias = b ? load(b + c) : none;
      FX_UNROLL for (int i = 0; i < made; i++) {
        F::output(m[i], 1);
        FX_UNROLL for (int j = 0; j < made; j++)
          if (cells[i][j]) store(cells[i][j] + c, m[i][j] + bias + (r ? load(r + (cells[i][j] - y) + c) : none));
      }
    }
  }
}

// ---- Weights and their gradients: (points, O / (2 lanes), I, 2 lanes); the last block is of one vector if one is left over

template <class F, class Tap>
void transform_taps(Tap &&tap, vec (&u)[F::side][F::side]) {
  vec g[3][3], half[F::side][3];
  FX_UNROLL for (int t = 0; t < 9; t++) g[t / 3][t % 3] = tap(t);
  FX_UNROLL for (int x = 0; x < 3; x++) F::weights(&g[0][x], 3, &half[0][x], 3);
  FX_UNROLL for (int y = 0; y < F::side; y++) F::weights(half[y], 1, u[y], 1);
}

// Packs the transformed weights of V vectors of y's channels from o on.
template <class F>
void pack_forward(const ConvShape &s, const float *w, int64_t o, int64_t vectors, float *to) {
  constexpr int side = F::side;
  const int64_t in = s.in;
  for (int64_t v = 0; v < vectors; v++)
    for (int64_t i = 0; i < s.in; i += lanes) {
      words transformed[points<F>][lanes];
      for (int64_t l = 0; l < lanes; l++) {
        const float *from = w + (o + v * lanes + l) * 9 * s.in + i;
        vec u[side][side];
        transform_taps<F>([&](int t) { return load(from + t * in); }, u);
        FX_UNROLL for (int y = 0; y < side; y++)
          FX_UNROLL for (int x = 0; x < side; x++) transformed[y * side + x][l] = (words)u[y][x];
      }
      for (int p = 0; p < points<F>; p++) {
        transpose(transformed[p]);
        float *at = to + p * plane_of(s) + o * s.in + (i * vectors + v) * lanes;
        for (int64_t l = 0; l < lanes; l++) put(at + l * vectors * lanes, transformed[p][l]);
      }
    }
}

// Packs the transformed weights of the kernels rotated by 180 degrees, V vectors of x's channels from i on.
void pack_backward(const ConvShape &s, const float *w, int64_t i, int64_t vectors, float *to) {
  const int64_t in = s.in, plane = plane_of(s);
  for (int64_t o = 0; o < s.out; o++)
    for (int64_t v = 0; v < vectors; v++) {
      const float *from = w + o * 9 * s.in + i + v * lanes;
      vec u[4][4];
      transform_taps<Small>([&](int t) { return load(from + (8 - t) * in); }, u);
      float *at = to + i * s.out + (o * vectors + v) * lanes;
      FX_UNROLL for (int p = 0; p < points<Small>; p++) store(at + p * plane, u[p / 4][p % 4]);
    }
}

// Adds up the parts, transforms the sum and writes dw (O,3,3,I) for V vectors of y's channels from o on.
void unpack(const ConvShape &s, const std::vector<const float *> &parts, int64_t o, int64_t vectors, float *dw) {
  for (int64_t v = 0; v < vectors; v++)
    for (int64_t i = 0; i < s.in; i += lanes) {
      words sums[points<Small>][lanes];
      for (int p = 0; p < points<Small>; p++) {
        for (int64_t l = 0; l < lanes; l++) {
          vec sum = vec{};
          for (const float *part : parts) sum += load(part + p * plane_of(s) + o * s.in + ((i + l) * vectors + v) * lanes);
          sums[p][l] = (words)sum;
        }
        transpose(sums[p]);
      }
      for (int64_t l = 0; l < lanes; l++) {
        vec u[4][4];
        FX_UNROLL for (int p = 0; p < points<Small>; p++) u[p / 4][p % 4] = (vec)sums[p][l];
        FX_UNROLL for (int x = 0; x < 4; x++) Small::weight_gradient(&u[0][x], 4);
        float *at = dw + (o + v * lanes + l) * 9 * s.in + i;
        FX_UNROLL for (int y = 0; y < 3; y++) {
          Small::weight_gradient(u[y], 1);
          FX_UNROLL for (int x = 0; x < 3; x++) store(at + (3 * y + x) * s.in, u[y][x]);
        }
      }
    }
}

// ---- Products

// P tiles and V vectors of channels: y (V groups of tiles) = the sum over the channels of x.
template <int P, int V, class F>
void multiply(const float *x, Block<F> in, const float *w, float *y, int64_t group) {
  vec acc[P][V];
  FX_UNROLL for (int p = 0; p < P; p++)
    FX_UNROLL for (int v = 0; v < V; v++) acc[p][v] = vec{};
  for (int64_t c = 0; c < in.channels; c += lanes, x += in.group())
    for (int i = 0; i < lanes; i++, w += V * lanes)
      FX_UNROLL for (int p = 0; p < P; p++)
        FX_UNROLL for (int v = 0; v < V; v++) acc[p][v] = add_product(acc[p][v], w + v * lanes, x[p * lanes + i]);
  FX_UNROLL for (int v = 0; v < V; v++)
    FX_UNROLL for (int p = 0; p < P; p++) store(y + v * group + p * lanes, acc[p][v]);
}

constexpr int few = registers / 8;  // tiles: with two vectors of channels, the sums of 3 * few leave registers for factors

// Multiplies all tiles of a block at one point.
template <int V, class F>
void multiply_all(const float *x, Block<F> in, const float *w, float *y) {
  int64_t tile = 0;
  auto run = [&](auto tiles) {
    constexpr int P = decltype(tiles)::value;
    for (; tile + P <= in.tiles; tile += P)
      multiply<P, V>(x + tile * lanes, in, w, y + tile * lanes, in.group());
  };
  run(std::integral_constant<int, 3 * few>());
  run(std::integral_constant<int, 2 * few>());
  run(std::integral_constant<int, few>());
  run(std::integral_constant<int, 1>());
}

// du (I, V vectors) += the sum over the tiles of x and dy, at one point.
template <int V>
void accumulate(const float *x, Block<Small> in, const float *dy, float *du) {
  const int64_t tiles = in.tiles, group = in.group();
  constexpr int C = registers / 4;  // channels of x whose sums are in registers
  for (int64_t i = 0; i < in.channels; i += C, du += C * V * lanes) {
    const float *xs = x + i / lanes * group + i % lanes;
    vec acc[C][V];
    FX_UNROLL for (int c = 0; c < C; c++)
      FX_UNROLL for (int v = 0; v < V; v++) acc[c][v] = load(du + (c * V + v) * lanes);
    for (int64_t t = 0; t < tiles * lanes; t += lanes)
      FX_UNROLL for (int c = 0; c < C; c++)
        FX_UNROLL for (int v = 0; v < V; v++) acc[c][v] = add_product(acc[c][v], dy + v * group + t, xs[t + c]);
    FX_UNROLL for (int c = 0; c < C; c++)
      FX_UNROLL for (int v = 0; v < V; v++) store(du + (c * V + v) * lanes, acc[c][v]);
  }
}

// ---- Work of the threads

// Cuts the tiles into blocks whose transforms stay in the L2 cache, and calls body(first tile, number of tiles) for each,
// in a loop of core/parallel.h. A thread gets its body from make(largest number of tiles).
template <class F, class Loop, class Make>
void each_block_of_tiles(const Tiles<F> &t, Loop &&loop, Make &&make) {
  const int64_t threads = at::get_num_threads(), tile = points<F> * (t.s.in + t.s.out);
  const int64_t some = std::is_same_v<F, Small> ? 48 : std::clamp<int64_t>(131072 / tile / 12 * 12, 24, 48);
  int64_t blocks = (t.count + some - 1) / some;
  blocks = (blocks + threads - 1) / threads * threads;
  const int64_t most = ((t.count + blocks - 1) / blocks + few - 1) / few * few;
  loop((t.count + most - 1) / most, 1, [&] {
    return [&, body = make(most)](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) body(i * most, std::min(most, t.count - i * most));
    };
  });
}

// s.in and s.out are the channels of this product's x and y.
template <class F>
void product(const ConvShape &s, const float *x, const float *w, const float *b, const float *r, float *y) {
  const Tiles<F> tiles(s);
  const std::vector<float> zeros(s.in);
  each_block_of_tiles(tiles, in_parts, [&](int64_t most) {
    return [&, x_data = Buffer<float>(Block<F>{s.in, most}.size()),
            y_data = Buffer<float>(Block<F>{s.out, most}.size())](int64_t first, int64_t count) {
      const Block<F> in{s.in, count}, out{s.out, count};
      fill_inputs<F>({tiles, first}, x, in, zeros.data(), x_data.get());
      for (int p = 0; p < points<F>; p++)
        for (int64_t o = 0; o < s.out; o += 2 * lanes) {
          const float *x_at = x_data.get() + p * in.point(), *w_at = w + p * plane_of(s) + o * s.in;
          float *y_at = y_data.get() + p * out.point() + o * count;
          if (o + 2 * lanes <= s.out)
            multiply_all<2>(x_at, in, w_at, y_at);
          else
            multiply_all<1>(x_at, in, w_at, y_at);
        }
      write_outputs<F>({tiles, first}, y_data.get(), out, b, r, y);
    };
  });
}

template <class F>
void pack(const ConvShape &s, const float *w, float *to) {
  each_block(s.out, [&](int64_t o, int64_t vectors) { pack_forward<F>(s, w, o, vectors, to); });
}

void input_gradient(const ConvShape &s, const float *dy, const float *w, float *dx) {
  Buffer<float> packed(points<Small> * plane_of(s));
  each_block(s.in, [&](int64_t i, int64_t vectors) { pack_backward(s, w, i, vectors, packed.get()); });
  ConvShape reversed = s;
  std::swap(reversed.in, reversed.out);
  product<Small>(reversed, dy, packed.get(), nullptr, nullptr, dx);
}

void weight_gradient(const ConvShape &s, const float *x, const float *dy, float *dw, float *db) {
  const Tiles<Small> tiles(s);
  const std::vector<float> zeros(std::max(s.in, s.out));
  ThreadSums sums(points<Small> * plane_of(s) + s.out);  // the sums at each point, then db
  each_block_of_tiles(tiles, in_shares, [&](int64_t most) {
    return [&, to = sums.begin(), x_data = Buffer<float>(Block<Small>{s.in, most}.size()),
            dy_data = Buffer<float>(Block<Small>{s.out, most}.size())](int64_t first, int64_t count) {
      const Block<Small> in{s.in, count}, out{s.out, count};
      fill_inputs<Small>({tiles, first}, x, in, zeros.data(), x_data.get());
      fill<2>(Tile<Small>{tiles, first}, dy, out, 0, false, zeros.data(), dy_data.get(),
              [](vec *d, int step) { Small::output_gradient(d, step); });
      // db: the point (1,1) of A dy A' is the sum of dy over the tile
      for (int64_t c = 0; c < s.out; c += lanes) {
        const float *tiles_sums = dy_data.get() + 5 * out.point() + c * count;
        float *bias = to + points<Small> * plane_of(s) + c;
        vec sum = load(bias);
        for (int64_t t = 0; t < count; t++) sum += load(tiles_sums + t * lanes);
        store(bias, sum);
      }
      for (int p = 0; p < points<Small>; p++)
        for (int64_t o = 0; o < s.out; o += 2 * lanes) {
          const float *x_at = x_data.get() + p * in.point(), *dy_at = dy_data.get() + p * out.point() + o * count;
          float *du = to + p * plane_of(s) + o * s.in;
          if (o + 2 * lanes <= s.out)
            accumulate<2>(x_at, in, dy_at, du);
          else
            accumulate<1>(x_at, in, dy_at, du);
        }
    };
  });
  const auto made = sums.made();
  each_block(s.out, [&](int64_t o, int64_t vectors) { unpack(s, made, o, vectors, dw); });
  add_up(made, points<Small> * plane_of(s), s.out, db);
}

constexpr Kernel kernel{pack<Small>, pack<Large>, product<Small>, product<Large>, input_gradient, weight_gradient};
#endif

}  // namespace FX_TARGET
