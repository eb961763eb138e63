// See amx.h for the maths.
#include "amx.h"

#include <cstring>
#include <type_traits>
#include <utility>

#include "core/parallel.h"
#include "simd/buffers.h"
#include "simd/simd.h"
#include "simd/tiles.h"

namespace fx {

#if FX_HAS_TILES
#pragma GCC push_options
#pragma GCC target("avx2,fma,avx512f,avx512vl,avx512dq,avx512bw,avx512bf16")
#define FX_WIDTH 16
#define FX_BF16 1
namespace {

#include "simd/products.h"

#include "direct.h"

constexpr int64_t side = tile_side, depth = tile_depth;
constexpr int64_t block = 2 * side;  // channels, and cells, whose sums are computed at once

int64_t rounded_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

// ---- y from x, and dx from dy

// A band of rows of x as first factors. The x of 16 cells of y for a tap must be a constant distance apart: channels are
// padded with zeros to whole tiles, and at the edges of a row there is a border. If the width is no multiple of 16,
// cells of y continue in the next row, and the border would lie between them; then there is a plane for each kx instead,
// which holds no border.
struct Band {
  const ConvShape &s;
  int64_t rows, border, channels, planes, row, plane;  // row: cells of a row; plane: the length of a plane
  Band(const ConvShape &s, int64_t rows)
      : s(s), rows(rows), border(s.kernel / 2), channels(rounded_up(s.in, depth)), planes(s.width % side ? s.kernel : 1),
        row(planes == 1 ? s.width + 2 * border : s.width), plane((rows + 2 * border) * row * channels) {}
  int64_t size() const { return planes * plane + side * channels; }  // the last tile may be read beyond the last cell

  // Fills the buffer for the rows of y from `first` on.
  void fill(const bf16 *sample, int64_t first, int64_t count, bf16 *to) const {
    for (int64_t p = 0; p < planes; p++)
      for (int64_t i = 0; i < count + 2 * border; i++)
        fill_row(sample, first + i - border, planes == 1 ? -border : p - border, to + p * plane + i * row * channels);
  }

  // A row of the buffer, whose first cell is x = begin.
  void fill_row(const bf16 *sample, int64_t y, int64_t begin, bf16 *to) const {
    if (s.periodic) y = (y + s.height) % s.height;
    if (y < 0 || y >= s.height) return static_cast<void>(std::memset(to, 0, row * channels * sizeof(bf16)));
    const bf16 *from = sample + y * s.width * s.in;
    auto at = [&](int64_t x) { return to + (x - begin) * channels; };
    auto copy = [&](int64_t x, const bf16 *cell) {
      std::memcpy(at(x), cell, s.in * sizeof(bf16));
      std::memset(at(x) + s.in, 0, (channels - s.in) * sizeof(bf16));
    };
    auto outside = [&](int64_t x) {  // x = -1 or the width
      if (s.periodic) return copy(x, from + (x < 0 ? s.width - 1 : 0) * s.in);
      std::memset(at(x), 0, channels * sizeof(bf16));
    };
    const int64_t first = std::max<int64_t>(begin, 0), last = std::min(begin + row, s.width);
    if (begin < 0) outside(-1);
    if (channels == s.in)
      std::memcpy(at(first), from + first * s.in, (last - first) * s.in * sizeof(bf16));
    else
      for (int64_t x = first; x < last; x++) copy(x, from + x * s.in);
    if (begin + row > s.width) outside(s.width);
  }

  // The x of 16 cells of y, from that one of the band on, for a tap.
  const bf16 *at(const bf16 *buffer, int64_t ky, int64_t kx, int64_t cell) const {
    if (planes > 1) return buffer + kx * plane + (ky * s.width + cell) * channels;
    return buffer + ((cell / s.width + ky) * row + cell % s.width + kx) * channels;
  }
};

// The sums (P x 16 cells, 32 channels) of P tiles of cells and V tiles of channels; w is (k, k, terms, V x 16).
template <int P, int V>
void add_taps(const Band &band, const bf16 *x, const int64_t *cells, const pair *w, float *sums) {
  using Sums = TileSums<P, V>;
  constexpr int64_t w_apart = V * lanes * sizeof(pair);
  const int64_t k = band.s.kernel, channels = band.channels, apart = channels * sizeof(bf16);
  Sums::zero();
  for (int64_t ky = 0; ky < k; ky++)
    for (int64_t kx = 0; kx < k; kx++) {
      const bf16 *at = band.at(x, ky, kx, cells[0]), *below = P > 1 ? band.at(x, ky, kx, cells[1]) : nullptr;
      for (int64_t c = 0; c < channels; c += depth, w += V * side * lanes)
        Sums::add(at + c, P > 1 ? below + c : nullptr, apart, w, w_apart);
    }
  Sums::store(sums, block * sizeof(float));
}

// y of a band, V vectors of its channels.
template <int V>
void band_of_channels(const Band &band, const bf16 *x, int64_t cells, const pair *w, const float *b, const bf16 *r,
                      bf16 *y) {
  alignas(64) float sums[block * block];
  const int64_t tiles = (cells + side - 1) / side, some = std::min(side, cells), out = band.s.out;
  for (int64_t t = 0; t < tiles; t += 2) {
    int64_t at[2];  // the last tile ends at the last cell, and may compute cells once more
    for (int64_t p = 0; p < 2; p++) at[p] = std::max<int64_t>(0, std::min((t + p) * side, cells - side));
    const int64_t count = std::min<int64_t>(2, tiles - t);
    count == 2 ? add_taps<2, V>(band, x, at, w, sums) : add_taps<1, V>(band, x, at, w, sums);
    for (int64_t p = 0; p < count; p++)
      for (int64_t i = 0; i < some; i++)
        FX_UNROLL for (int v = 0; v < V; v++) {
          vec sum = load(sums + (p * side + i) * block + v * lanes);
          const int64_t to = (at[p] + i) * out + v * lanes;
          if (b) sum += load(b + v * lanes);
          if (r) sum += load(r + to);
          store(y + to, sum);
        }
  }
}

// s.in and s.out are the channels of this product's x and y. w is packed as direct.h says.
void product(const ConvShape &s, const bf16 *x, const pair *w, const float *b, const bf16 *r, bf16 *y) {
  const int64_t row_bytes = (s.width + 2) * rounded_up(s.in, depth) * sizeof(bf16) * (s.width % side ? s.kernel : 1);
  const int64_t rows = std::clamp<int64_t>(393216 / row_bytes - (s.kernel - 1), 1, s.height);
  const int64_t bands = (s.height + rows - 1) / rows;
  const Band band(s, rows);
  in_parts(s.samples * bands, 1, [&] {
    return [&, tiles = TileRegisters(), buffer = Buffer<bf16>(band.size())](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) {
        const int64_t n = i / bands, first = i % bands * rows, count = std::min(rows, s.height - first);
        const bf16 *sample = x + n * s.height * s.width * s.in;
        band.fill(sample, first, count, buffer.get());
        for (int64_t o = 0; o < s.out; o += block) {
          const pair *weights = w + o * s.kernel * s.kernel * band.channels / 2;
          const int64_t to = (n * s.height + first) * s.width * s.out + o;
          const auto compute = o + block <= s.out ? band_of_channels<2> : band_of_channels<1>;
          compute(band, buffer.get(), count * s.width, weights, b ? b + o : nullptr, r ? r + to : nullptr, y + to);
        }
      }
    };
  });
}

}  // namespace

int64_t amx_packed_bytes(const ConvShape &s) {
  return s.out * s.kernel * s.kernel * rounded_up(s.in, depth) * static_cast<int64_t>(sizeof(bf16));
}

void amx_pack(const ConvShape &s, const float *w, void *to) {
  pack_all(s, s.out, rounded_up(s.in, depth), w, pack_forward<pair>, static_cast<pair *>(to));
}

void amx_forward(const ConvShape &s, const bf16 *x, const void *w, const float *b, const bf16 *r, bf16 *y) {
  product(s, x, static_cast<const pair *>(w), b, r, y);
}

void amx_input_gradient(const ConvShape &s, const bf16 *dy, const float *w, bf16 *dx) {
  ConvShape reversed = s;
  std::swap(reversed.in, reversed.out);
  Buffer<pair> packed(amx_packed_bytes(reversed) / sizeof(pair));
  pack_all(s, s.in, rounded_up(s.out, depth), w, pack_backward<pair>, packed.get());
  product(reversed, dy, packed.get(), nullptr, nullptr, dx);
}

// ---- dw from x and dy

namespace {

// Cells of x and dy as they are summed over: pieces of some rows of a sample, with a border beside each row. dy is zero in
// the border and after the last row, so that the x of a tap is at a constant distance along a piece.
//
// x is the second factor: pairs of neighbouring cells, (pieces, planes, pairs, channels). A tap's first pair may begin at
// an even or an odd cell; there is a plane for each. dy is the first factor: (channels, pieces, cells).
struct Summed {
  const ConvShape &s;
  int64_t pieces, rows, bands, border, row, steps;  // at most; steps: tiles of cells in a piece
  int64_t pairs, apart, plane, column;              // apart, column: the distance of pairs, and of channels of dy
  explicit Summed(const ConvShape &s)
      : s(s), rows(std::clamp<int64_t>(512 / (s.width + 2), 1, s.height)), bands((s.height + rows - 1) / rows),
        border(s.kernel / 2), row(s.width + 2 * border), steps((rows * row + depth - 1) / depth),
        pairs(steps * depth / 2 + border * (row + 1) + 1), apart(s.in + side), plane(pairs * apart) {
    pieces = std::clamp<int64_t>(16 / steps, 1, std::max<int64_t>(1, all()));
    column = pieces * steps * depth + depth;
  }
  int64_t all() const { return s.samples * bands; }
  int64_t x_piece() const { return plane * (border ? 2 : 1); }

  // The pairs of a piece's cells for a tap.
  const pair *at(const pair *x, int64_t ky, int64_t kx) const {
    const int64_t cell = ky * row + kx;
    return x + cell % 2 * plane + cell / 2 * apart;
  }

  int64_t first_row(int64_t piece) const { return piece % bands * rows; }
  int64_t count(int64_t piece) const { return std::min(rows, s.height - first_row(piece)); }

  void fill_x(const bf16 *x, int64_t piece, pair *to) const {
    static const bf16 zeros[lanes] = {};
    const bf16 *sample = x + piece / bands * s.height * s.width * s.in;
    const int64_t first = first_row(piece), end = (count(piece) + 2 * border) * row;
    auto cell = [&](int64_t i) -> const bf16 * {  // null outside
      int64_t y = first + i / row - border, x = i % row - border;
      if (s.periodic) y = (y + s.height) % s.height, x = (x + s.width) % s.width;
      return i >= end || y < 0 || y >= s.height || x < 0 || x >= s.width ? nullptr : sample + (y * s.width + x) * s.in;
    };
    const bf16 *next = cell(0);
    for (int64_t i = 0; i < 2 * pairs; i++) {
      const bf16 *now = next;
      next = cell(i + 1);
      if (!border && i % 2) continue;
      pair *at = to + i % 2 * plane + i / 2 * apart;
      for (int64_t c = 0; c < s.in; c += lanes) put(at + c, across<pair>(now ? now + c : zeros, next ? next + c : zeros));
    }
  }

  // The piece's rows of dy.
  const bf16 *band_of(const bf16 *dy, int64_t piece) const {
    return dy + (piece / bands * s.height + first_row(piece)) * s.width * s.out;
  }

  // Fills the channels from `begin` to `end`.
  void fill_dy(const bf16 *dy, int64_t piece, int64_t begin, int64_t end, bf16 *to) const {
    static const bf16 zeros[lanes] = {};
    const bf16 *band = band_of(dy, piece);
    const int64_t some = count(piece);
    auto cell = [&](int64_t i, int64_t o) {
      const int64_t y = i / row, x = i % row;
      return y < some && x < s.width ? band + (y * s.width + x) * s.out + o : zeros;
    };
    for (int64_t i = 0; i < steps * depth; i += depth)
      for (int64_t o = begin; o < end; o += lanes) {
        words block[lanes];
        for (int64_t j = 0; j < lanes; j++) block[j] = across<pair>(cell(i + 2 * j, o), cell(i + 2 * j + 1, o));
        transpose(block);
        for (int64_t j = 0; j < lanes; j++) put(to + (o + j) * column + i, block[j]);
      }
  }
};

// dw (P x 16 channels of y, V x 16 of x) += the sum over some pieces. Channels of y are `apart` floats apart.
template <int P, int V>
void add_cells(const Summed &of, int64_t pieces, const bf16 *dy, const pair *x, float *dw, int64_t apart) {
  using Sums = TileSums<P, V>;
  const int64_t bytes = apart * sizeof(float), x_step = of.apart * depth / 2, x_bytes = of.apart * sizeof(pair);
  const int64_t dy_tile = of.column * side, dy_bytes = of.column * sizeof(bf16);
  Sums::load(dw, bytes);
  for (int64_t p = 0; p < pieces; p++, x += of.x_piece()) {
    const pair *at = x;
    for (int64_t i = 0; i < of.steps; i++, dy += depth, at += x_step) Sums::add(dy, dy + dy_tile, dy_bytes, at, x_bytes);
  }
  Sums::store(dw, bytes);
}

// Adds pieces to dw (O,k,k,I) and db, one group of pieces after the other.
struct Adder {
  const Summed &of;
  TileRegisters tiles;
  Buffer<pair> x_cells;
  Buffer<bf16> dy_cells;
  explicit Adder(const Summed &of) : of(of), x_cells(of.pieces * of.x_piece()), dy_cells(of.s.out * of.column) {}

  // The pieces from `first` to `last`, for the channels of y from `begin` to `end`.
  void add(const bf16 *x, const bf16 *dy, int64_t first, int64_t last, int64_t begin, int64_t end, float *dw,
           float *db) const {
    for (; first < last; first += of.pieces) {
      const int64_t count = std::min(of.pieces, last - first);
      for (int64_t i = 0; i < count; i++) {
        of.fill_x(x, first + i, x_cells.get() + i * of.x_piece());
        of.fill_dy(dy, first + i, begin, end, dy_cells.get() + i * of.steps * depth);
        add_bias(of.band_of(dy, first + i), of.count(first + i) * of.s.width, of.s.out, begin, end, db);
      }
      for (int64_t o = begin; o < end; o += block)
        for (int64_t c = 0; c < of.s.in; c += block) add_taps(count, o, c, std::min(block, end - o), dw);
    }
  }

 private:
  void add_taps(int64_t pieces, int64_t o, int64_t c, int64_t channels, float *dw) const {
    const int64_t k = of.s.kernel, in = of.s.in;
    const bool wide = c + block <= in;
    const auto sum = channels == block ? wide ? add_cells<2, 2> : add_cells<2, 1> : wide ? add_cells<1, 2> : add_cells<1, 1>;
    const bf16 *dy = dy_cells.get() + o * of.column;
    for (int64_t ky = 0; ky < k; ky++)
      for (int64_t kx = 0; kx < k; kx++)
        sum(of, pieces, dy, of.at(x_cells.get(), ky, kx) + c, dw + ((o * k + ky) * k + kx) * in + c, k * k * in);
  }
};

}  // namespace

// Each thread adds some pieces to sums of its own, or, with few cells, all pieces to some of the channels: then clearing
// and adding up the threads' sums would take longer than that each of them arranges all cells of x.
void amx_weight_gradient(const ConvShape &s, const bf16 *x, const bf16 *dy, float *dw, float *db) {
  const Summed of(s);
  const int64_t per_channel = s.kernel * s.kernel * s.in, size = s.out * per_channel, blocks = (s.out + block - 1) / block;
  if (blocks >= at::get_num_threads() && s.samples * s.height * s.width < 3 * s.kernel * s.kernel * s.out) {
    at::parallel_for(0, blocks, 1, [&](int64_t first, int64_t last) {
      const int64_t begin = first * block, end = std::min(last * block, s.out);
      std::fill(dw + begin * per_channel, dw + end * per_channel, 0.0f);
      std::fill(db + begin, db + end, 0.0f);
      Adder(of).add(x, dy, 0, of.all(), begin, end, dw, db);
    });
    return;
  }
  ThreadSums sums(size + s.out);
  at::parallel_for(0, of.all(), 1, [&](int64_t first, int64_t last) {
    float *to = sums.begin();
    Adder(of).add(x, dy, first, last, 0, s.out, to, to + size);
  });
  const auto made = sums.made();
  parallel_for(size / lanes, 4096, [&](int64_t begin, int64_t end) {
    add_up(made, begin * lanes, (end - begin) * lanes, dw + begin * lanes);
  });
  add_up(made, size, s.out, db);
}

#pragma GCC pop_options
#else

int64_t amx_packed_bytes(const ConvShape &) { return 0; }
void amx_pack(const ConvShape &, const float *, void *) {}
void amx_forward(const ConvShape &, const bf16 *, const void *, const float *, const bf16 *, bf16 *) {}
void amx_input_gradient(const ConvShape &, const bf16 *, const float *, bf16 *) {}
void amx_weight_gradient(const ConvShape &, const bf16 *, const bf16 *, float *, float *) {}

#endif

}  // namespace fx
