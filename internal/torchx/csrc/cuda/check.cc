// Runs the kernels of the .cu files on the CPU (emulate.h) and compares their results with the formulas in float64.
#include <algorithm>
#include <cstdio>
#include <random>

#include "norm_silu.cu"
#include "update.cu"

namespace {

int failures = 0;

// Checks that rms(got - want) is at most tolerance times rms(want).
template <class T>
void near(const char *what, const std::vector<T> &got, const std::vector<double> &want, double tolerance) {
  double off = 0, size = 0;
  for (size_t i = 0; i < want.size(); i++) {
    const double d = static_cast<double>(static_cast<float>(got[i])) - want[i];
    off += d * d;
    size += want[i] * want[i];
  }
  if (std::sqrt(off / size) <= tolerance) return;
  std::printf("%s: off by %.2g of its size, want at most %g\n", what, std::sqrt(off / size), tolerance);
  failures++;
}

template <class T>
std::vector<T> normal(int seed, int64_t n, double mean = 0) {
  std::mt19937 engine(seed);
  std::normal_distribution<float> draw(static_cast<float>(mean));
  std::vector<T> x;
  for (int64_t i = 0; i < n; i++) x.push_back(static_cast<T>(draw(engine)));
  return x;
}

template <class T>
void check_norm(fx::CudaNorm s, bool with_film, double tolerance) {
  s.bf16 = sizeof(T) == 2;
  std::printf("norm %dx%dx%d, %d groups, %s%s%s\n", int(s.samples), int(s.cells), int(s.channels), int(s.groups),
              s.bf16 ? "bf16" : "float32", s.silu ? ", silu" : "", with_film ? ", film" : "");
  const int64_t nc = s.samples * s.channels, ng = s.samples * s.groups, width = s.channels / s.groups;
  const auto x = normal<T>(1, nc * s.cells, 5), dy = normal<T>(2, nc * s.cells);
  const auto w = normal<float>(3, s.channels), b = normal<float>(4, s.channels), film = normal<float>(5, 2 * nc);
  s.w = w.data(), s.b = b.data(), s.film = with_film ? film.data() : nullptr;
  std::vector<T> y(x.size()), dx(x.size());
  std::vector<float> mean(ng), rstd(ng), dw(s.channels), db(s.channels), dfilm(2 * nc);
  std::vector<char> scratch(fx::norm_scratch(s));
  fx::norm_forward(s, x.data(), y.data(), mean.data(), rstd.data(), scratch.data(), nullptr);
  fx::norm_backward(s, x.data(), dy.data(), mean.data(), rstd.data(), dx.data(), dw.data(), db.data(),
                    with_film ? dfilm.data() : nullptr, scratch.data(), nullptr);
  std::vector<double> want_y(x.size()), want_dx(x.size()), want_dw(s.channels), want_db(s.channels), want_dfilm(2 * nc);
  for (int64_t n = 0; n < s.samples; n++)
    for (int64_t g = 0; g < s.groups; g++) {
      double sum = 0, squares = 0, m1 = 0, m2 = 0;
      const double count = static_cast<double>(s.cells * width);
      auto each = [&](auto &&body) {
        for (int64_t i = 0; i < s.cells; i++)
          for (int64_t c = g * width; c < (g + 1) * width; c++) body((n * s.cells + i) * s.channels + c, c);
      };
      each([&](int64_t at, int64_t) { sum += static_cast<float>(x[at]); });
      each([&](int64_t at, int64_t) { squares += std::pow(static_cast<float>(x[at]) - sum / count, 2); });
      const double r = 1 / std::sqrt(squares / count + s.eps);
      auto scale = [&](int64_t c) { return with_film ? 1.0 + film[n * 2 * s.channels + c] : 1.0; };
      auto shift = [&](int64_t c) { return with_film ? film[(n * 2 + 1) * s.channels + c] : 0.0; };
      auto hat = [&](int64_t at) { return (static_cast<float>(x[at]) - sum / count) * r; };
      auto z = [&](int64_t at, int64_t c) { return (w[c] * hat(at) + b[c]) * scale(c) + shift(c); };
      auto dz = [&](int64_t at, int64_t c) {
        const double e = 1 / (1 + std::exp(-z(at, c)));
        return static_cast<float>(dy[at]) * (s.silu ? e * (1 + z(at, c) * (1 - e)) : 1);
      };
      each([&](int64_t at, int64_t c) {
        const double d = dz(at, c);
        want_y[at] = s.silu ? z(at, c) / (1 + std::exp(-z(at, c))) : z(at, c);
        want_dw[c] += d * scale(c) * hat(at);
        want_db[c] += d * scale(c);
        want_dfilm[n * 2 * s.channels + c] += d * (w[c] * hat(at) + b[c]);
        want_dfilm[(n * 2 + 1) * s.channels + c] += d;
        m1 += w[c] * scale(c) * d / count;
        m2 += w[c] * scale(c) * d * hat(at) / count;
      });
      each([&](int64_t at, int64_t c) { want_dx[at] = (w[c] * scale(c) * dz(at, c) - m1 - hat(at) * m2) * r; });
    }
  near("  y", y, want_y, tolerance);
  near("  dx", dx, want_dx, tolerance);
  near("  dw", dw, want_dw, 1e-5);
  near("  db", db, want_db, 1e-5);
  if (with_film) near("  dfilm", dfilm, want_dfilm, 1e-5);
}

// Four steps on a hundred tensors of odd sizes. The second step has a gradient that is not finite, the third such a loss.
void check_update(bool average) {
  std::printf("update%s\n", average ? " with average" : "");
  const fx::UpdateRule rule{1, 0.9, 0.999, 1e-8, 0.1};
  std::vector<std::vector<float>> p, g, m, v, e;
  std::vector<double> want_p, want_m, want_v, want_e;
  for (int i = 0; i < 100; i++) {
    const int n = i == 7 ? 20000 : 1 + 13 * i;
    p.push_back(normal<float>(i, n));
    e.push_back(p.back());
    m.emplace_back(n), v.emplace_back(n), g.emplace_back(n);
    want_p.insert(want_p.end(), p.back().begin(), p.back().end());
  }
  want_e = want_p;
  want_m.resize(want_p.size()), want_v.resize(want_p.size());
  std::vector<fx::UpdateTensor> tensors;
  for (size_t i = 0; i < p.size(); i++)
    tensors.push_back({p[i].data(), g[i].data(), m[i].data(), v[i].data(), average ? e[i].data() : nullptr,
                       static_cast<int64_t>(p[i].size())});
  const int count = static_cast<int>(tensors.size());
  fx::UpdateReport report{};
  for (int step = 1; step <= 4; step++) {
    double squares = 0;
    for (size_t i = 0; i < g.size(); i++) {
      const auto drawn = normal<float>(1000 * step + static_cast<int>(i), static_cast<int64_t>(g[i].size()));
      std::copy(drawn.begin(), drawn.end(), g[i].begin());
      for (float x : g[i]) squares += static_cast<double>(x) * x;
    }
    if (step == 2) g[50][3] = INFINITY;
    const fx::UpdateSchedule schedule{1e-2, 0.1};
    std::vector<char> scratch(fx::update_scratch(tensors.data(), count));
    const double loss = step == 3 ? NAN : 10.0 * step;
    fx::update(tensors.data(), count, rule, &schedule, &loss, &report, scratch.data(), nullptr);
    const double bad = step == 2 || step == 3 ? step - 1 : 0;
    if (report.taken != (step < 4 ? 1 : 2) || report.in_a_row != bad)
      std::printf("  step %d: %g updates, %g skipped\n", step, report.taken, report.in_a_row), failures++;
    if (bad > 0) continue;
    if (report.loss != loss) std::printf("  loss %g, want %g\n", report.loss, loss), failures++;
    near("  norm", std::vector<float>{static_cast<float>(report.grad_norm)}, {std::sqrt(squares)}, 1e-6);
    size_t at = 0;
    for (const auto &grad : g)
      for (float x : grad) {
        const double c = x * std::min(1.0, rule.max_norm / (std::sqrt(squares) + 1e-6));
        double &pw = want_p[at], &mw = want_m[at], &vw = want_v[at], &ew = want_e[at];
        mw += (1 - rule.beta1) * (c - mw);
        vw += (1 - rule.beta2) * (c * c - vw);
        pw -= schedule.lr * rule.weight_decay * pw;
        pw -= schedule.lr / (1 - std::pow(rule.beta1, report.taken)) * mw /
              (std::sqrt(vw / (1 - std::pow(rule.beta2, report.taken))) + rule.eps);
        if (average) ew += schedule.ema_weight * (pw - ew);
        at++;
      }
  }
  auto flat = [](const std::vector<std::vector<float>> &lists) {
    std::vector<float> all;
    for (const auto &l : lists) all.insert(all.end(), l.begin(), l.end());
    return all;
  };
  near("  p", flat(p), want_p, 1e-6);
  near("  m", flat(m), want_m, 1e-6);
  near("  v", flat(v), want_v, 1e-6);
  near("  ema", flat(e), want_e, 1e-6);
}

}  // namespace

int main() {
  const std::vector<std::vector<int64_t>> shapes = {{2, 6, 15, 3},     {1, 32, 2048, 32}, {3, 128, 300, 32},
                                                    {1, 384, 1000, 32}, {1, 2100, 9, 4},   {2, 10, 1, 2}};
  for (const auto &d : shapes)
    for (bool silu : {true, false}) {
      const fx::CudaNorm s{d[0], d[1], d[2], d[3], 1e-5f, false, silu, nullptr, nullptr, nullptr};
      check_norm<float>(s, silu, 1e-5);
      check_norm<__nv_bfloat16>(s, !silu, 0.005);
    }
  check_update(false);
  check_update(true);
  std::printf(failures ? "%d wrong\n" : "all is right\n", failures);
  return failures > 0;
}
