// See update.h for the maths. The sum of squares is computed chunk by chunk and the chunks' sums are added in order, so
// that the result does not depend on the number of threads.
#include "update.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "core/parallel.h"
#include "simd/simd.h"

namespace fx {
namespace {

// The factors of a step, the same for all elements.
struct Numbers {
  float clip, decay, step_size, unbias_v, eps, m_weight, v_weight, ema_weight;
};

// The inner loops, compiled for each set of instructions; see update_kernel.h.
struct Kernel {
  double (*sum_squares)(const float *x, int64_t n);
  void (*update)(const UpdateTensor &t, const Numbers &k);
};

#define FX_KERNEL "update/update_kernel.h"
#include "simd/each_target.h"

// All tensors one after the other, cut into chunks of equal length. Each tensor's length is rounded up to whole vectors,
// so that a tensor has at most one vector that is not full, its last.
class Row {
 public:
  static constexpr int64_t span = 8192, whole = 16;

  explicit Row(const std::vector<UpdateTensor> &tensors) : tensors(tensors), first{0} {
    for (const auto &t : tensors) first.push_back(first.back() + (t.n + whole - 1) / whole * whole);
  }

  // Calls body(chunk) in parallel.
  template <class Body>
  void each_chunk(Body &&body) const {
    parallel_for(chunks(), /*grain=*/16, [&](int64_t begin, int64_t end) {
      for (int64_t chunk = begin; chunk < end; chunk++) body(chunk);
    });
  }

  // Calls body(part of a tensor) for each tensor that has elements in the chunk, in order.
  template <class Body>
  void each_part(int64_t chunk, Body &&body) const {
    const int64_t end = std::min((chunk + 1) * span, first.back());
    int64_t at = chunk * span;
    for (size_t i = std::upper_bound(first.begin(), first.end(), at) - first.begin() - 1; at < end; at = first[++i])
      body(part(tensors[i], at - first[i], end - at));
  }

  int64_t chunks() const { return (first.back() + span - 1) / span; }

 private:
  const std::vector<UpdateTensor> &tensors;
  std::vector<int64_t> first;  // where each tensor begins, and where the last one ends

  static UpdateTensor part(const UpdateTensor &t, int64_t begin, int64_t most) {
    return {t.param + begin, t.grad + begin,
            t.m + begin,     t.v + begin,
            t.ema ? t.ema + begin : nullptr, std::min(most, t.n - begin)};
  }
};

double sum_squares(const Row &row, const Kernel &kernel) {
  std::vector<double> sums(row.chunks());
  row.each_chunk([&](int64_t chunk) {
    row.each_part(chunk, [&](const UpdateTensor &t) { sums[chunk] += kernel.sum_squares(t.grad, t.n); });
  });
  double sum = 0;
  for (const double part : sums) sum += part;
  return sum;
}

// Fills in the report. Returns nothing if there must be no update.
std::optional<Numbers> settle(double norm, const UpdateRule &rule, const UpdateSchedule &schedule, double loss,
                              UpdateReport *report) {
  report->loss = loss;
  report->grad_norm = norm;
  if (!std::isfinite(loss) || !std::isfinite(norm)) {
    report->in_a_row++;
    return std::nullopt;
  }
  report->taken++;
  report->in_a_row = 0;
  Numbers k;
  k.clip = static_cast<float>(std::min(1.0, rule.max_norm / (norm + 1e-6)));
  k.decay = static_cast<float>(1 - schedule.lr * rule.weight_decay);
  k.step_size = static_cast<float>(schedule.lr / (1 - std::pow(rule.beta1, report->taken)));
  k.unbias_v = static_cast<float>(1 / std::sqrt(1 - std::pow(rule.beta2, report->taken)));
  k.eps = static_cast<float>(rule.eps);
  k.m_weight = static_cast<float>(1 - rule.beta1);
  k.v_weight = static_cast<float>(1 - rule.beta2);
  k.ema_weight = static_cast<float>(schedule.ema_weight);
  return k;
}

}  // namespace

void cpu_update(const std::vector<UpdateTensor> &tensors, const UpdateRule &rule, const UpdateSchedule &schedule,
                double loss, UpdateReport *report) {
  const Kernel &kernel = FX_BEST(kernel);
  const Row row(tensors);
  const auto numbers = settle(std::sqrt(sum_squares(row, kernel)), rule, schedule, loss, report);
  if (!numbers) return;
  row.each_chunk([&](int64_t chunk) {
    row.each_part(chunk, [&](const UpdateTensor &t) { kernel.update(t, *numbers); });
  });
}

}  // namespace fx
