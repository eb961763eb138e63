// See spectrum.h for the order of the work.
#include "spectrum.h"

#include <cmath>
#include <cstring>
#include <stdexcept>
#include <vector>

#include "core/error.h"
#include "simd/simd.h"

namespace {

constexpr int64_t lanes = 8;
typedef float v8 __attribute__((vector_size(32)));
typedef float v8_anywhere __attribute__((vector_size(32), aligned(4)));
typedef double v8d __attribute__((vector_size(64)));

// A cell of a transform: one complex number for each field.
struct Cell {
  v8 re, im;
};

// One pass of a transform: m s groups of R cells, the cells of a group m s apart.
struct Stage {
  int64_t radix, m, s;
  std::vector<float> twiddles;  // e^(-2 pi i p j / (radix m)), p < m, 0 < j < radix
  std::vector<float> roots;     // e^(-2 pi i j / radix), for a radix without code of its own
};

void put_root(std::vector<float> *to, int64_t i, int64_t n) {
  const double angle = -2 * M_PI * static_cast<double>(i % n) / static_cast<double>(n);
  to->push_back(static_cast<float>(std::cos(angle)));
  to->push_back(static_cast<float>(std::sin(angle)));
}

// The radices of n. 2, 4 and 8 come first, so that the first radix of an even n is even.
std::vector<int64_t> radices(int64_t n) {
  int twos = 0;
  for (; n % 2 == 0; n /= 2) twos++;
  std::vector<int64_t> r;
  const int fours = twos % 3 == 2 ? 1 : twos % 3 == 1 && twos > 1 ? 2 : 0;
  if (twos == 1) r.push_back(2);
  for (int i = 0; i < fours; i++) r.push_back(4);
  for (int i = 0; i < (twos - 2 * fours) / 3; i++) r.push_back(8);
  for (int64_t p = 3; n > 1; p += 2)
    for (; n % p == 0; n /= p) r.push_back(p);
  if (r.empty()) r.push_back(1);
  return r;
}

std::vector<Stage> stages(int64_t n) {
  std::vector<Stage> all;
  int64_t s = 1;
  for (int64_t radix : radices(n)) {
    Stage stage{radix, n / radix, s, {}, {}};
    for (int64_t p = 0; p < stage.m; p++)
      for (int64_t j = 1; j < radix; j++) put_root(&stage.twiddles, p * j, n);
    if (radix != 2 && radix != 4 && radix != 8)
      for (int64_t j = 0; j < radix; j++) put_root(&stage.roots, j, radix);
    all.push_back(std::move(stage));
    n /= radix;
    s *= radix;
  }
  return all;
}

// The inner loops, compiled for each set of instructions; see spectrum_kernel.h.
struct Kernel {
  void (*row_pair)(const std::vector<Stage> &plan, const float *re, const float *im, Cell *z, Cell *a, Cell *b);
  void (*row)(const std::vector<Stage> &plan, const float *re, Cell *z, Cell *a, Cell *b);
  void (*column_pair)(const std::vector<Stage> &plan, const Cell *z, const Cell *mirror, int64_t stride, int64_t h,
                      const int32_t *shell, float weight, v8 *power, v8d *sums, Cell *a, Cell *b);
  void (*column)(const std::vector<Stage> &plan, const Cell *z, int64_t stride, int64_t h, const int32_t *shell,
                 float weight, v8 *power, v8d *sums, Cell *a, Cell *b);
  void (*pool)(const float *fine, float *coarse, int64_t w, int64_t factor, bool first, float scale);
};

#define FX_KERNEL "frames/spectrum_kernel.h"
#include "simd/each_target.h"

}  // namespace

// A plan: the transforms along the rows and columns of a grid, and the shells of its modes (W/2+1, H/2+1), column by
// column for ky = 0..H/2.
struct fx_spectrum {
  int64_t h, w, shells;
  std::vector<Stage> rows, columns;
  std::vector<int32_t> shell;
  const Kernel &kernel;

  int64_t stride() const { return w + 1; }  // of the rows of Z; with w itself a column would fall into few sets of the cache
};

namespace {

// Hands out pieces of the scratch memory, each aligned to 64 bytes.
class Room {
 public:
  explicit Room(char *at) : at(at) {}
  template <class T>
  T *take(int64_t n) {
    T *t = reinterpret_cast<T *>(at);
    at += (n * static_cast<int64_t>(sizeof(T)) + 63) / 64 * 64;
    return t;
  }
  char *at;
};

// The transforms and power sums of one grid, the fine or the coarse one.
struct Work {
  const fx_spectrum &g;
  bool paired;  // rows y and y+H/2 are transformed together
  Cell *z, *a, *b;
  v8 *power;
  v8d *sums;

  Work(const fx_spectrum &g, bool paired, Room *room)
      : g(g), paired(paired), z(room->take<Cell>((paired ? g.h / 2 : g.h) * g.stride())), a(room->take<Cell>(std::max(g.h, g.w))),
        b(room->take<Cell>(std::max(g.h, g.w))), power(room->take<v8>(g.h)), sums(room->take<v8d>(g.shells)) {}

  void take(int64_t y, const float *first, const float *second) {
    if (paired) return g.kernel.row_pair(g.rows, first, second, z + y * g.stride(), a, b);
    g.kernel.row(g.rows, first, z + y * g.stride(), a, b);
  }

  void finish(int64_t n, double *out) {
    std::memset(sums, 0, g.shells * sizeof(v8d));
    for (int64_t k = 0; 2 * k <= g.w; k++) {
      const int32_t *shell = &g.shell[k * (g.h / 2 + 1)];
      const float weight = k == 0 || 2 * k == g.w ? 1 : 2;  // a mode counts for its mirror image too
      if (paired) g.kernel.column_pair(g.columns, z + k, z + (g.w - k) % g.w, g.stride(), g.h, shell, weight, power, sums, a, b);
      else g.kernel.column(g.columns, z + k, g.stride(), g.h, shell, weight, power, sums, a, b);
    }
    const double cells = static_cast<double>(g.h) * static_cast<double>(g.w), scale = 1 / (cells * cells * (paired ? 4 : 1));
    for (int64_t lane = 0; lane < n; lane++)
      for (int64_t k = 0; k < g.shells; k++) out[lane * g.shells + k] = sums[k][lane] * scale;
  }
};

// Rows of cells of eight values. A row is used where it is if it has that layout already, else it is gathered.
class Rows {
 public:
  Rows(const fx_spectrum_input &in, int64_t w, Room *room) : in(in), w(w), direct(in.n == lanes && in.cell_stride == lanes && in.channel_stride == 1 && !in.mean) {
    for (int64_t k = 0; k < in.n; k++) direct = direct && in.channels[k] == k;
    for (float *&b : buffer) b = room->take<float>(w * lanes);
  }

  const float *get(int64_t y, int which) {
    const float *x = in.values + y * w * in.cell_stride;
    if (direct) return x;
    float *to = buffer[which];
    for (int64_t k = 0; k < lanes; k++) {
      const float *from = x + (k < in.n ? in.channels[k] * in.channel_stride : 0);
      const float mean = in.mean && k < in.n ? in.mean[k] : 0, scale = k >= in.n ? 0 : in.mean ? in.scale[k] : 1;
      for (int64_t i = 0; i < w; i++) to[i * lanes + k] = k < in.n ? (from[i * in.cell_stride] - mean) * scale : 0;
    }
    return to;
  }

 private:
  const fx_spectrum_input &in;
  int64_t w;
  bool direct;
  float *buffer[2];
};

bool pairs(const fx_spectrum &hi, const fx_spectrum *lo) { return hi.h % 2 == 0 && (!lo || lo->h % 2 == 0); }

void run(const fx_spectrum &hi, const fx_spectrum *lo, const fx_spectrum_input &in, char *scratch, double *hi_power, double *lo_power) {
  Room room(scratch);
  const bool paired = pairs(hi, lo);
  Rows rows(in, hi.w, &room);
  Work fine(hi, paired, &room), coarse(lo ? *lo : hi, paired, &room);
  const int64_t factor = lo ? hi.h / lo->h : 1;
  float *pooled[2] = {room.take<float>(hi.w * lanes), room.take<float>(hi.w * lanes)};
  for (int64_t y = 0; y < (paired ? hi.h / 2 : hi.h); y++) {
    const float *row[2] = {rows.get(y, 0), paired ? rows.get(y + hi.h / 2, 1) : nullptr};
    fine.take(y, row[0], row[1]);
    if (!lo) continue;
    for (int i = 0; i < (paired ? 2 : 1); i++)
      hi.kernel.pool(row[i], pooled[i], lo->w, factor, y % factor == 0, 1 / static_cast<float>(factor * factor));
    if (y % factor == factor - 1) coarse.take(y / factor, pooled[0], pooled[1]);
  }
  fine.finish(in.n, hi_power);
  if (lo) coarse.finish(in.n, lo_power);
}

}  // namespace

fx_error fx_spectrum_new(int64_t h, int64_t w, const int32_t *shell, int64_t shells, fx_spectrum_plan *out) {
  return fx::caught([&] {
    const int64_t half = w / 2 + 1;
    std::vector<int32_t> by_column;
    for (int64_t x = 0; x < half; x++)
      for (int64_t y = 0; y <= h / 2; y++) by_column.push_back(shell[y * half + x]);
    *out = new fx_spectrum{h, w, shells, stages(w), stages(h), std::move(by_column), FX_BEST(kernel)};
  });
}

void fx_spectrum_free(fx_spectrum_plan plan) { delete plan; }

int64_t fx_spectrum_scratch(fx_spectrum_plan hi, fx_spectrum_plan lo) {
  Room room(nullptr);
  const fx_spectrum_input none = {};
  Rows rows(none, hi->w, &room);
  Work fine(*hi, pairs(*hi, lo), &room), coarse(lo ? *lo : *hi, pairs(*hi, lo), &room);
  room.take<float>(2 * hi->w * lanes);
  return room.at - static_cast<char *>(nullptr) + 64;
}

fx_error fx_spectrum_run(fx_spectrum_plan hi, fx_spectrum_plan lo, const fx_spectrum_input *in, void *scratch, double *hi_power,
                         double *lo_power) {
  return fx::caught([&] {
    char *aligned = reinterpret_cast<char *>((reinterpret_cast<uintptr_t>(scratch) + 63) / 64 * 64);
    run(*hi, lo, *in, aligned, hi_power, lo_power);
  });
}
