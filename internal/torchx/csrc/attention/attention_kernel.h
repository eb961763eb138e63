// The kernels of attention_kernel.cc, compiled once for each set of instructions; see each_target.h, and attention.h for
// the maths. The lanes of a vector are queries: scores are (keys, queries), so that softmax works on whole vectors. Each
// product keeps half of the registers full of sums. The terms of products are neighbours along the summed axis: channels,
// keys or queries.
//
// With AMX (FX_TILES), products are those of tiles, in the same layouts but for one: k and v are first factors in sums
// over keys, so that their transposes are kept in place of stacked rows.
namespace FX_TARGET {

template <class T>
constexpr const Kernel<T> *kernel = nullptr;

#if FX_WIDTH > 1
#include "simd/products.h"

constexpr int64_t block = 64;  // queries, and keys, in a block
constexpr int rows = 4, vectors = registers / 8;  // rows of scores computed at once, and their vectors of queries
constexpr int64_t columns = vectors * lanes;

// keys are padded to a multiple of key_step
#if FX_TILES
constexpr int64_t key_step = tile_depth;
using Registers = TileRegisters;
#else
constexpr int64_t key_step = lanes;
struct Registers {};
#endif

using Vectors = vec[vectors];  // a value for each of some queries of a block

// 2^x for x up to 127, with a relative error of 1e-7.
inline vec exp2(vec x) {
  x = larger(all(least_power), x);  // minus infinity would give a NaN as its fraction; NaN stays NaN
  const vec n = rounded(x), f = x - n;
  vec p = multiply_add(f, all(1.327647198e-3f), all(9.675541334e-3f));
  for (float c : {5.550713274e-2f, 2.402211972e-1f, 6.931469671e-1f, 1.000000072f})
    p = multiply_add(p, f, all(c));
  return scaled(p, n);
}

// 2^(t - m) for a score q k. Forward and backward must round it the same way: for a large t the rounding is much of the
// result.
inline vec power(vec score, float slope, vec m) {
  return exp2(multiply_add(score, all(slope), -m));
}

// ---- Layouts of terms

// Rows of T: the first one, the distance from one to the next, and their number.
template <class T>
struct Rows {
  const T *at;
  int64_t apart, count;
  const T *row(int64_t i) const { return at + i * apart; }
  Rows from(int64_t i, int64_t most) const { return {row(i), apart, std::min(most, count - i)}; }
};

// to (terms, block) = up to a block of rows of W vectors, transposed and padded with zeros.
template <int W, class T>
void fill_columns(const Rows<T> &x, term_of<T> *to) {
  constexpr int64_t terms = W * lanes / values_of<term_of<T>>;
  for (int64_t r = 0; r < block; r += lanes)
    for (int64_t t = 0; t < terms; t += lanes) {
      const int64_t some = std::min(lanes, terms - t);
      words rows[lanes];
      for (int64_t i = 0; i < lanes; i++)
        rows[i] = r + i < x.count ? first(some, reinterpret_cast<const term_of<T> *>(x.row(r + i)) + t) : words{};
      transpose(rows);
      for (int64_t i = 0; i < some; i++) put(to + (t + i) * block + r, rows[i]);
    }
}

// to (terms, W vectors) = the rows, zeros after them to `padded` rows in all. The values of a term come from rows one
// below the other.
template <int W, class T>
void fill_stacked(const Rows<T> &x, int64_t padded, term_of<T> *to) {
  static const T zeros[W * lanes] = {};
  auto row = [&](int64_t i) { return i < x.count ? x.row(i) : zeros; };
  for (int64_t i = 0; i < padded; i += values_of<term_of<T>>)
    for (int64_t c = 0; c < W; c++, to += lanes) put(to, across<term_of<T>>(row(i) + c * lanes, row(i + 1) + c * lanes));
}

#if FX_TILES
// to (blocks of rows, channels, block) = the rows, transposed in each block, and zeros after them.
template <int W>
void fill_transposed(const Rows<bf16> &x, pair *to) {
  static const bf16 zeros[W * lanes] = {};
  auto row = [&](int64_t i) { return i < x.count ? x.row(i) : zeros; };
  for (int64_t i = 0; i < x.count; i += block, to += W * lanes * block / 2)
    for (int64_t j = 0; j < block / 2; j += lanes)
      for (int64_t c = 0; c < W * lanes; c += lanes) {
        words rows[lanes];
        for (int64_t l = 0; l < lanes; l++) rows[l] = across<pair>(row(i + 2 * (j + l)) + c, row(i + 2 * (j + l) + 1) + c);
        transpose(rows);
        for (int64_t l = 0; l < lanes; l++) put(to + (c + l) * block / 2 + j, rows[l]);
      }
}
#endif

// to (padded, terms) = the rows as they are, and zeros after them.
template <int W, class T>
void fill_rows(const Rows<T> &x, int64_t padded, term_of<T> *to) {
  constexpr int64_t terms = W * lanes / values_of<term_of<T>>;
  for (int64_t i = 0; i < x.count; i++, to += terms) std::memcpy(to, x.row(i), terms * sizeof(*to));
  std::memset(to, 0, (padded - x.count) * terms * sizeof(*to));
}

// put_row writes a row of values as terms along the row; put_stacked writes two rows as terms across them.
inline void put_row(float *to, const Vectors &x) { FX_UNROLL for (int v = 0; v < vectors; v++) store(to + v * lanes, x[v]); }
inline void put_stacked(float *to, const Vectors &x, const Vectors &next) {
  put_row(to, x);
  put_row(to + block, next);
}
#if FX_BF16
inline void put_row(pair *to, const Vectors &x) {
  FX_UNROLL for (int v = 0; v < vectors; v += 2) put(to + v * lanes / 2, narrowed(x[v], x[v + 1]));
}
inline void put_stacked(pair *to, const Vectors &x, const Vectors &next) {
  const words low = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, turns = low | ((low + lanes) << 16);
  FX_UNROLL for (int v = 0; v < vectors; v++)
    put(to + v * lanes, (words)_mm512_permutexvar_epi16((__m512i)turns, (__m512i)narrowed(x[v], next[v])));
}
#endif

// Writes count rows of T to `to`. value(c, r) is a vector: channel c of the 16 rows from r on.
template <int W, class T, class Value>
void write_rows(int64_t count, int64_t apart, Value &&value, T *to) {
  for (int64_t r = 0; r < count; r += lanes)
    for (int64_t c = 0; c < W * lanes; c += lanes) {
      words rows[lanes];
      for (int64_t i = 0; i < lanes; i++) rows[i] = (words)value(c + i, r);
      transpose(rows);
      for (int64_t i = 0; i < std::min(lanes, count - r); i++) store(to + (r + i) * apart + c, (vec)rows[i]);
    }
}

// ---- Products. They are not inlined, since the loops around them would take up registers.

// acc[p] += the sum over t of a[p][t] b[t]. In a, successive p are `row` apart and successive t `term`; in b, successive
// t are `step` apart.
template <int P, int V, class E>
inline void add_products(vec (&acc)[P][V], const E *a, int64_t row, int64_t term, const E *b, int64_t step,
                         int64_t terms) {
  for (int64_t t = 0; t < terms; t++, a += term, b += step)
    FX_UNROLL for (int p = 0; p < P; p++)
      FX_UNROLL for (int v = 0; v < V; v++) acc[p][v] = add_product(acc[p][v], b + v * lanes, a[p * row]);
}

// y (rows, columns) = scale y + the sums of add_products, for P rows and V vectors at a time; without scale, y + the sums.
template <int P, int V, class E>
[[gnu::noinline]] void accumulate(float *y, int64_t rows, int64_t columns, const float *scale, const E *a, int64_t row,
                                  int64_t term, const E *b, int64_t terms) {
  for (int64_t c = 0; c < columns; c += V * lanes)
    for (int64_t i = 0; i < rows; i += P) {
      float *to = y + i * columns + c;
      vec acc[P][V];
      FX_UNROLL for (int p = 0; p < P; p++)
        FX_UNROLL for (int v = 0; v < V; v++) {
          acc[p][v] = load(to + p * columns + v * lanes);
          if (scale) acc[p][v] *= load(scale + c + v * lanes);
        }
      add_products(acc, a + i * row, row, term, b + c, columns, terms);
      FX_UNROLL for (int p = 0; p < P; p++)
        FX_UNROLL for (int v = 0; v < V; v++) store(to + p * columns + v * lanes, acc[p][v]);
    }
}

#if FX_TILES
// y (rows, columns) = the sum over t of a[row][t] b[t][column], plus y if `add`. Rows of a are `apart` terms apart.
[[gnu::noinline]] void multiply_tiles(float *y, int64_t rows, int64_t columns, const pair *a, int64_t apart, const pair *b,
                                      int64_t terms, bool add) {
  using Sums = TileSums<2, 2>;
  constexpr int64_t side = 2 * tile_side, depth = tile_depth / 2;
  const int64_t y_apart = columns * sizeof(float), b_apart = columns * sizeof(pair);
  for (int64_t i = 0; i < rows; i += side)
    for (int64_t c = 0; c < columns; c += side) {
      float *to = y + i * columns + c;
      add ? Sums::load(to, y_apart) : Sums::zero();
      for (int64_t t = 0; t < terms; t += depth) {
        const pair *at = a + i * apart + t;
        Sums::add(at, at + tile_side * apart, apart * sizeof(pair), b + t * columns + c, b_apart);
      }
      Sums::store(to, y_apart);
    }
}
#endif

// ---- One head of one sample

template <class T>
struct Head {
  Rows<T> q, k, v;
  int64_t y;  // offset of the head's rows in y
  Head(const AttentionShape &s, const T *qkv, int64_t i) {
    const int64_t c = s.heads * s.width, sample = i / s.heads, channel = i % s.heads * s.width;
    const T *first = qkv + sample * s.positions * 3 * c + channel;
    q = {first, 3 * c, s.positions};
    k = {first + c, 3 * c, s.positions};
    v = {first + 2 * c, 3 * c, s.positions};
    y = sample * s.positions * c + channel;
  }
};

int64_t blocks_of(int64_t positions) { return (positions + block - 1) / block; }
int64_t padded(int64_t keys) { return (keys + key_step - 1) / key_step * key_step; }

constexpr float log2e = 1.44269504f, infinity = std::numeric_limits<float>::infinity();
float root_of(int64_t width) { return 1 / std::sqrt(static_cast<float>(width)); }

template <class T, int W>
struct Attention {
  using E = term_of<T>;
  static constexpr int64_t width = W * lanes, values = values_of<E>, terms = width / values;
  // Vectors of channels and rows of the keys' gradients, computed at once.
  static constexpr int wide = std::min(W, vectors), key_rows = wide == 3 ? rows : registers / 2 / wide;

  // s (count rounded up, block) = the scores of count keys, and minus infinity for the keys that pad them.
  [[gnu::noinline]] static void score(const E *k, const E *q, int64_t count, float *s) {
#if FX_TILES
    multiply_tiles(s, padded(count), block, k, terms, q, terms, false);
    std::fill(s + count * block, s + padded(count) * block, -infinity);
#else
    for (int64_t c = 0; c < block; c += columns)
      for (int64_t j = 0; j < padded(count); j += rows) {
        vec acc[rows][vectors];
        FX_UNROLL for (int p = 0; p < rows; p++)
          FX_UNROLL for (int v = 0; v < vectors; v++) acc[p][v] = all(j + p < count ? 0 : -infinity);
        add_products(acc, k + j * terms, terms, 1, q + c, block, terms);
        FX_UNROLL for (int p = 0; p < rows; p++)
          FX_UNROLL for (int v = 0; v < vectors; v++) store(s + (j + p) * block + c + v * lanes, acc[p][v]);
      }
#endif
  }

  // What the sums over keys multiply: k or v in that layout.
  static void fill_summed(const Rows<T> &x, E *to) {
#if FX_TILES
    fill_transposed<W>(x, to);
#else
    fill_stacked<W>(x, padded(x.count), to);
#endif
  }
  // y (width, block) = scale y + the sum over `count` keys of x, in that layout, times p; without scale, y + the sum.
  static void add_keys(float *y, const float *scale, const E *x, const E *p, int64_t count) {
#if FX_TILES
    const bool same = !scale || std::all_of(scale, scale + block, [](float f) { return f == 1; });
    for (int64_t i = 0; !same && i < width * block; i += lanes) store(y + i, load(y + i) * load(scale + i % block));
    multiply_tiles(y, width, block, x, block / 2, p, padded(count) / 2, true);
#else
    accumulate<rows, vectors>(y, width, block, scale, x, 1, width, p, padded(count) / values);
#endif
  }
  // y (keys, width) += the sum over a block of queries of p (keys, block) times x (block, width).
  static void add_queries(float *y, int64_t count, const E *p, const E *x) {
#if FX_TILES
    multiply_tiles(y, padded(count), width, p, block / 2, x, block / 2, true);
#else
    accumulate<key_rows, wide>(y, padded(count), width, nullptr, p, block / values, 1, x, block / values);
#endif
  }

  // ---- Forward

  struct Forward {
    Registers registers;
    Buffer<E> k, v, q, p;
    Buffer<float> s, y;
    alignas(64) float m[block], sum[block];
    explicit Forward(int64_t positions)
        : k(padded(positions) * terms), v(blocks_of(positions) * block * terms), q(terms * block), p(block * block / values),
          s(block * block), y(width * block) {}

    void set(const Head<T> &head) {
      fill_rows<W>(head.k, padded(head.k.count), k.get());
      fill_summed(head.v, v.get());
    }

    // p = the powers of count scores. Updates m and sum; the caller multiplies the earlier sums of y by scale.
    void weigh(int64_t count, float *scale) {
      for (int64_t c = 0; c < block; c += columns)
        weigh(count, s.get() + c, m + c, sum + c, scale + c, p.get() + c);
    }

    // The same for some of the queries.
    [[gnu::noinline]] static void weigh(int64_t count, const float *s, float *m, float *sum, float *scale, E *p) {
      const float slope = log2e * root_of(width);
      Vectors most, total;
      FX_UNROLL for (int v = 0; v < vectors; v++) most[v] = all(-infinity);
      for (const float *at = s; at < s + count * block; at += block)
        FX_UNROLL for (int v = 0; v < vectors; v++) most[v] = larger(most[v], load(at + v * lanes));
      FX_UNROLL for (int v = 0; v < vectors; v++) {
        const vec before = load(m + v * lanes);
        most[v] = larger(before, most[v] * slope);
        const vec kept = exp2(before - most[v]);
        store(scale + v * lanes, kept);
        store(m + v * lanes, most[v]);
        total[v] = kept * load(sum + v * lanes);
      }
      for (int64_t j = 0; j < padded(count); j += 2) {
        Vectors x[2];
        FX_UNROLL for (int i = 0; i < 2; i++)
          FX_UNROLL for (int v = 0; v < vectors; v++) {
            x[i][v] = power(load(s + (j + i) * block + v * lanes), slope, most[v]);
            total[v] += x[i][v];
          }
        put_stacked(p + j * block / values, x[0], x[1]);
      }
      FX_UNROLL for (int v = 0; v < vectors; v++) store(sum + v * lanes, total[v]);
    }

    void run(const Head<T> &head, int64_t first, T *to, int64_t apart, float *m_to, float *r_to) {
      const Rows<T> queries = head.q.from(first, block);
      fill_columns<W>(queries, q.get());
      std::fill_n(y.get(), width * block, 0.0f);
      std::fill_n(m, block, -infinity);
      std::fill_n(sum, block, 0.0f);
      for (int64_t key = 0; key < head.k.count; key += block) {
        const int64_t count = std::min(block, head.k.count - key);
        float scale[block];
        score(k.get() + key * terms, q.get(), count, s.get());
        weigh(count, scale);
        add_keys(y.get(), scale, v.get() + key * terms, p.get(), count);
      }
      float r[block];
      for (int64_t i = 0; i < block; i++) r[i] = 1 / sum[i];
      std::copy_n(m, queries.count, m_to + first);
      std::copy_n(r, queries.count, r_to + first);
      write_rows<W>(queries.count, apart, [&](int64_t c, int64_t i) { return load(y.get() + c * block + i) * load(r + i); },
                    to + first * apart);
    }
  };

  static void forward(const AttentionShape &s, const T *qkv, T *y, float *m, float *r) {
    const int64_t blocks = blocks_of(s.positions);
    at::parallel_for(0, s.samples * s.heads * blocks, 1, [&](int64_t begin, int64_t end) {
      Forward work(s.positions);
      for (int64_t i = begin; i < end; i++) {
        const Head<T> head(s, qkv, i / blocks);
        if (i == begin || i % blocks == 0) work.set(head);
        const int64_t statistics = i / blocks * s.positions;
        work.run(head, i % blocks * block, y + head.y, s.heads * width, m + statistics, r + statistics);
      }
    });
  }

  // ---- Backward, for a piece of a head's keys and all of its queries

  // A block of queries with what the backward pass needs of them.
  struct Queries {
    Buffer<E> q, dy, q_stacked, dy_stacked;
    alignas(64) float m[block], r[block], dot[block];  // dot: the sum over channels of dy y
    Queries() : q(terms * block), dy(terms * block), q_stacked(terms * block), dy_stacked(terms * block) {}

    void set(const Rows<T> &q_rows, const Rows<T> &dy_rows, const T *y, const float *all_m, const float *all_r) {
      fill_columns<W>(q_rows, q.get());
      fill_columns<W>(dy_rows, dy.get());
      fill_stacked<W>(q_rows, block, q_stacked.get());
      fill_stacked<W>(dy_rows, block, dy_stacked.get());
      for (int64_t i = 0; i < block; i++) {
        const bool is = i < q_rows.count;
        m[i] = is ? all_m[i] : 0;
        r[i] = is ? all_r[i] : 0;
        vec sum{};
        for (int64_t c = 0; is && c < width; c += lanes)
          sum = multiply_add(load(dy_rows.row(i) + c), load(y + i * dy_rows.apart + c), sum);
        dot[i] = sum_of(sum);
      }
    }
  };

  struct Backward {
    Registers registers;
    Queries queries;
    Buffer<E> k, v, k_summed, p, ds, ds_stacked;
    Buffer<float> s, dk, dv;  // s: scores, later p before rounding
    explicit Backward(int64_t keys)
        : k(padded(keys) * terms), v(padded(keys) * terms), k_summed(blocks_of(keys) * block * terms), p(block * block / values),
          ds(block * block / values), ds_stacked(block * block / values), s(block * block), dk(padded(keys) * width),
          dv(padded(keys) * width) {}

    void set(const Rows<T> &k_rows, const Rows<T> &v_rows) {
      const int64_t keys = padded(k_rows.count);
      fill_rows<W>(k_rows, keys, k.get());
      fill_rows<W>(v_rows, keys, v.get());
      fill_summed(k_rows, k_summed.get());
      std::fill_n(dk.get(), keys * width, 0.0f);
      std::fill_n(dv.get(), keys * width, 0.0f);
    }

    // p = the probabilities, from the scores of count keys.
    [[gnu::noinline]] void weigh(int64_t count) {
      const float slope = log2e * root_of(width);
      for (int64_t j = 0; j < padded(count); j++)
        for (int64_t c = 0; c < block; c += columns) {
          float *at = s.get() + j * block + c;
          Vectors x;
          FX_UNROLL for (int v = 0; v < vectors; v++) {
            const int64_t query = c + v * lanes;
            x[v] = power(load(at + v * lanes), slope, load(queries.m + query)) * load(queries.r + query);
            store(at + v * lanes, x[v]);
          }
          put_row(p.get() + (j * block + c) / values, x);
        }
    }

    // ds of count keys; with holds their v.
    [[gnu::noinline]] void differentiate(const E *with, int64_t count) {
#if FX_TILES
      alignas(64) float products[block * block];
      multiply_tiles(products, padded(count), block, with, terms, queries.dy.get(), terms, false);
#endif
      for (int64_t c = 0; c < block; c += columns)
        for (int64_t j = 0; j < padded(count); j += rows) {
          vec acc[rows][vectors];
          FX_UNROLL for (int i = 0; i < rows; i++)
            FX_UNROLL for (int v = 0; v < vectors; v++)
#if FX_TILES
              acc[i][v] = load(products + (j + i) * block + c + v * lanes);
#else
              acc[i][v] = vec{};
          add_products(acc, with + j * terms, terms, 1, queries.dy.get() + c, block, terms);
#endif
          FX_UNROLL for (int i = 0; i < rows; i++) {
            FX_UNROLL for (int v = 0; v < vectors; v++) {
              const int64_t query = c + v * lanes;
              acc[i][v] = load(s.get() + (j + i) * block + query) * (acc[i][v] - load(queries.dot + query));
            }
            if (values > 1) put_row(ds.get() + ((j + i) * block + c) / values, acc[i]);
          }
          FX_UNROLL for (int i = 0; i < rows; i += 2)
            put_stacked(ds_stacked.get() + (j + i) * block / values + c, acc[i], acc[i + 1]);
        }
    }

    // Adds the contributions of a block of queries to dk and dv, and computes its dq (width, block).
    void run(int64_t keys, float *dq) {
      const E *ds_rows = values > 1 ? ds.get() : ds_stacked.get();
      std::fill_n(dq, width * block, 0.0f);
      for (int64_t key = 0; key < keys; key += block) {
        const int64_t count = std::min(block, keys - key);
        score(k.get() + key * terms, queries.q.get(), count, s.get());
        weigh(count);
        differentiate(v.get() + key * terms, count);
        add_keys(dq, nullptr, k_summed.get() + key * terms, ds_stacked.get(), count);
        add_queries(dv.get() + key * width, count, p.get(), queries.dy_stacked.get());
        add_queries(dk.get() + key * width, count, ds_rows, queries.q_stacked.get());
      }
    }

    void write(int64_t keys, int64_t apart, T *dk_to, T *dv_to) const {
      for (int64_t j = 0; j < keys; j++)
        for (int64_t c = 0; c < width; c += lanes) {
          store(dk_to + j * apart + c, load(dk.get() + j * width + c) * root_of(width));
          store(dv_to + j * apart + c, load(dv.get() + j * width + c));
        }
    }
  };

  static void backward(const AttentionShape &s, const T *qkv, const T *y, const float *m, const float *r, const T *dy,
                       T *dqkv) {
    const int64_t heads = s.samples * s.heads, c = s.heads * width, blocks = blocks_of(s.positions);
    // The number of pieces depends on the shape alone, so that the sums do too. Each piece has a dq of its own.
    const int64_t pieces = std::clamp<int64_t>(s.positions / 512, 1, 4);
    const int64_t length = (blocks + pieces - 1) / pieces * block, size = width * block;
    Buffer<float> dq(heads * pieces * blocks * size);
    at::parallel_for(0, heads * pieces, 1, [&](int64_t begin, int64_t end) {
      Backward work(length);
      for (int64_t i = begin; i < end; i++) {
        const Head<T> head(s, qkv, i / pieces);
        const int64_t first = i % pieces * length, statistics = i / pieces * s.positions;
        const Rows<T> keys = head.k.from(first, length), dys{dy + head.y, c, s.positions};
        work.set(keys, head.v.from(first, length));
        for (int64_t b = 0; b < blocks; b++) {
          const int64_t at = b * block;
          work.queries.set(head.q.from(at, block), dys.from(at, block), y + head.y + at * c, m + statistics + at,
                           r + statistics + at);
          work.run(keys.count, dq.get() + (i * blocks + b) * size);
        }
        T *to = dqkv + (keys.at - qkv);
        work.write(keys.count, 3 * c, to, to + c);
      }
    });
    at::parallel_for(0, heads * blocks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i++) {
        const Head<T> head(s, qkv, i / blocks);
        const Rows<T> queries = head.q.from(i % blocks * block, block);
        auto sum = [&](int64_t channel, int64_t query) {
          const float *parts = dq.get() + (i / blocks * pieces * blocks + i % blocks) * size + channel * block + query;
          vec total = load(parts);
          for (int64_t piece = 1; piece < pieces; piece++) total += load(parts + piece * blocks * size);
          return total * root_of(width);
        };
        write_rows<W>(queries.count, 3 * c, sum, dqkv + (queries.at - qkv));
      }
    });
  }
};

// The Attention for heads of W vectors. With an odd number of them, AMX's tiles would be half empty.
#if FX_TILES
template <class T, int W>
using Heads = std::conditional_t<W % 2 == 0, Attention<T, W>, avx512bf16::Attention<T, W>>;
#else
template <class T, int W>
using Heads = Attention<T, W>;
#endif

// Calls body with the Attention for heads of that width.
template <class T, class Body>
void with_width(int64_t width, Body &&body) {
  constexpr int vectors = 16 / lanes;
  switch (width / 16) {
    case 1: return body(Heads<T, vectors>());
    case 2: return body(Heads<T, 2 * vectors>());
    case 3: return body(Heads<T, 3 * vectors>());
    case 4: return body(Heads<T, 4 * vectors>());
  }
}

template <class T>
void forward(const AttentionShape &s, const T *qkv, T *y, float *m, float *r) {
  with_width<T>(s.width, [&](auto of) { of.forward(s, qkv, y, m, r); });
}

template <class T>
void backward(const AttentionShape &s, const T *qkv, const T *y, const float *m, const float *r, const T *dy, T *dqkv) {
  with_width<T>(s.width, [&](auto of) { of.backward(s, qkv, y, m, r, dy, dqkv); });
}

template <class T>
constexpr Kernel<T> made{forward<T>, backward<T>};
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
