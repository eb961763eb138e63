// The inner loops of spectrum_kernel.cc, compiled once for each set of instructions; see each_target.h.
namespace FX_TARGET {

FX_INLINE Cell operator+(const Cell &a, const Cell &b) { return {a.re + b.re, a.im + b.im}; }
FX_INLINE Cell operator-(const Cell &a, const Cell &b) { return {a.re - b.re, a.im - b.im}; }
FX_INLINE Cell times(const Cell &a, const float *w) { return {a.re * w[0] - a.im * w[1], a.re * w[1] + a.im * w[0]}; }
FX_INLINE Cell minus_i(const Cell &a) { return {a.im, -a.re}; }

// Transforms of R cells in place.
template <int R>
void dft(Cell *a);
template <>
FX_INLINE void dft<2>(Cell *a) {
  const Cell b = a[0] - a[1];
  a[0] = a[0] + a[1];
  a[1] = b;
}
template <>
FX_INLINE void dft<4>(Cell *a) {
  const Cell s0 = a[0] + a[2], d0 = a[0] - a[2], s1 = a[1] + a[3], d1 = minus_i(a[1] - a[3]);
  a[0] = s0 + s1;
  a[1] = d0 + d1;
  a[2] = s0 - s1;
  a[3] = d0 - d1;
}
template <>
FX_INLINE void dft<8>(Cell *a) {
  const float r = 0.70710678118654752f;
  Cell even[4] = {a[0], a[2], a[4], a[6]}, odd[4] = {a[1], a[3], a[5], a[7]};
  dft<4>(even);
  dft<4>(odd);
  const Cell o1 = {(odd[1].re + odd[1].im) * r, (odd[1].im - odd[1].re) * r};
  const Cell o2 = minus_i(odd[2]);
  const Cell o3 = {(odd[3].im - odd[3].re) * r, (odd[3].re + odd[3].im) * -r};
  a[0] = even[0] + odd[0];
  a[1] = even[1] + o1;
  a[2] = even[2] + o2;
  a[3] = even[3] + o3;
  a[4] = even[0] - odd[0];
  a[5] = even[1] - o1;
  a[6] = even[2] - o2;
  a[7] = even[3] - o3;
}

// Sources of a pass. at(i) is cell i; fill reads R cells, `step` apart. This one reads cells.
struct Cells {
  const Cell *x;
  FX_INLINE Cell at(int64_t i) const { return x[i]; }
  template <int R>
  FX_INLINE void fill(Cell *a, int64_t i, int64_t step) const {
    for (int j = 0; j < R; j++) a[j] = x[i + step * j];
  }
};

// Two rows of values, as the real and the imaginary parts.
struct RowPair {
  const v8_anywhere *re, *im;
  FX_INLINE Cell at(int64_t i) const { return {re[i], im[i]}; }
  template <int R>
  FX_INLINE void fill(Cell *a, int64_t i, int64_t step) const {
    for (int j = 0; j < R; j++) a[j] = at(i + step * j);
  }
};

// One row of values, as the real parts.
struct Row {
  const v8_anywhere *re;
  FX_INLINE Cell at(int64_t i) const { return {re[i], v8{}}; }
  template <int R>
  FX_INLINE void fill(Cell *a, int64_t i, int64_t step) const {
    for (int j = 0; j < R; j++) a[j] = at(i + step * j);
  }
};

// A column of rows that were transformed one by one.
struct Column {
  const Cell *z;
  int64_t stride;
  FX_INLINE Cell at(int64_t i) const { return z[i * stride]; }
  template <int R>
  FX_INLINE void fill(Cell *a, int64_t i, int64_t step) const {
    for (int j = 0; j < R; j++) a[j] = at(i + step * j);
  }
};

// A column k of rows that were transformed in pairs, from columns k and W-k of Z: twice the transform of row y is
// Z(k) + Z(W-k)*, and twice that of row y+H/2 is -i (Z(k) - Z(W-k)*).
struct ColumnPair {
  const Cell *z, *mirror;
  int64_t stride;
  FX_INLINE Cell at(int64_t) const { return {v8{}, v8{}}; }  // only an odd first radix would need it, and there is none
  template <int R>
  FX_INLINE void fill(Cell *a, int64_t i, int64_t step) const {
    for (int j = 0; j < R / 2; j++) {
      const Cell &p = z[(i + step * j) * stride], &q = mirror[(i + step * j) * stride];
      __builtin_prefetch(&p + 1);
      __builtin_prefetch(&q - 1);
      a[j] = {p.re + q.re, p.im - q.im};
      a[j + R / 2] = {p.im + q.im, q.re - p.re};
    }
  }
};

// Destinations of a pass: the cells, or their power.
struct ToCells {
  Cell *y;
  FX_INLINE void put(int64_t i, const Cell &c) const { y[i] = c; }
};
struct ToPower {
  v8 *y;
  FX_INLINE void put(int64_t i, const Cell &c) const { y[i] = c.re * c.re + c.im * c.im; }
};

template <int R, class From, class To>
FX_INLINE void pass(const Stage &st, From from, To to) {
  const int64_t m = st.m, s = st.s;
  const float *w = st.twiddles.data();
  for (int64_t p = 0; p < m; p++, w += 2 * (R - 1))
    for (int64_t q = 0; q < s; q++) {
      Cell a[R];
      from.template fill<R>(a, q + s * p, s * m);
      dft<R>(a);
      to.put(q + s * R * p, a[0]);
      for (int j = 1; j < R; j++) to.put(q + s * (R * p + j), m == 1 ? a[j] : times(a[j], w + 2 * (j - 1)));
    }
}

// A pass of a radix without code of its own, by the definition.
template <class From, class To>
FX_INLINE void pass_any(const Stage &st, From from, To to) {
  const int64_t radix = st.radix, m = st.m, s = st.s;
  for (int64_t p = 0; p < m; p++)
    for (int64_t q = 0; q < s; q++)
      for (int64_t j = 0; j < radix; j++) {
        Cell sum = {};
        for (int64_t i = 0; i < radix; i++) sum = sum + times(from.at(q + s * (p + m * i)), &st.roots[2 * (i * j % radix)]);
        to.put(q + s * (radix * p + j), j == 0 ? sum : times(sum, &st.twiddles[2 * (p * (radix - 1) + j - 1)]));
      }
}

template <class From, class To>
FX_INLINE void run_stage(const Stage &st, From from, To to) {
  switch (st.radix) {
    case 8: return pass<8>(st, from, to);
    case 4: return pass<4>(st, from, to);
    case 2: return pass<2>(st, from, to);
    default: return pass_any(st, from, to);
  }
}

// A whole transform; a and b are scratch of n cells each.
template <class From, class To>
FX_INLINE void transform(const std::vector<Stage> &plan, From from, To to, Cell *a, Cell *b) {
  const size_t last = plan.size() - 1;
  if (last == 0) return run_stage(plan[0], from, to);
  run_stage(plan[0], from, ToCells{a});
  for (size_t i = 1; i < last; i++) {
    run_stage(plan[i], Cells{a}, ToCells{b});
    std::swap(a, b);
  }
  run_stage(plan[last], Cells{a}, to);
}

inline void row_pair(const std::vector<Stage> &plan, const float *re, const float *im, Cell *z, Cell *a, Cell *b) {
  transform(plan, RowPair{reinterpret_cast<const v8_anywhere *>(re), reinterpret_cast<const v8_anywhere *>(im)}, ToCells{z}, a, b);
}
inline void row(const std::vector<Stage> &plan, const float *re, Cell *z, Cell *a, Cell *b) {
  transform(plan, Row{reinterpret_cast<const v8_anywhere *>(re)}, ToCells{z}, a, b);
}

// Adds a column's power to its shells. ky and -ky are in the same shell.
FX_INLINE void bin(const v8 *power, int64_t h, const int32_t *shell, float weight, v8d *sums) {
  sums[shell[0]] += __builtin_convertvector(power[0] * weight, v8d);
  for (int64_t y = 1; 2 * y < h; y++)
    sums[shell[y]] += __builtin_convertvector((power[y] + power[h - y]) * weight, v8d);
  if (h > 1 && h % 2 == 0) sums[shell[h / 2]] += __builtin_convertvector(power[h / 2] * weight, v8d);
}

inline void column_pair(const std::vector<Stage> &plan, const Cell *z, const Cell *mirror, int64_t stride, int64_t h,
                           const int32_t *shell, float weight, v8 *power, v8d *sums, Cell *a, Cell *b) {
  transform(plan, ColumnPair{z, mirror, stride}, ToPower{power}, a, b);
  bin(power, h, shell, weight, sums);
}
inline void column(const std::vector<Stage> &plan, const Cell *z, int64_t stride, int64_t h, const int32_t *shell,
                      float weight, v8 *power, v8d *sums, Cell *a, Cell *b) {
  transform(plan, Column{z, stride}, ToPower{power}, a, b);
  bin(power, h, shell, weight, sums);
}

// Adds a fine row to the row of w coarse cells that contains it.
inline void pool(const float *fine, float *coarse, int64_t w, int64_t factor, bool first, float scale) {
  const v8_anywhere *x = reinterpret_cast<const v8_anywhere *>(fine);
  v8 *y = reinterpret_cast<v8 *>(coarse);
  for (int64_t i = 0; i < w; i++) {
    v8 sum = x[i * factor];
    for (int64_t j = 1; j < factor; j++) sum += x[i * factor + j];
    y[i] = first ? sum * scale : y[i] + sum * scale;
  }
}

constexpr Kernel kernel = {row_pair, row, column_pair, column, pool};

}  // namespace FX_TARGET
