// A step of the optimizer: clipping to a global norm, AdamW and the moving average.
#include <c10/core/DeviceGuard.h>

#include "core/cuda_kernels.h"
#include "core/guard.h"
#include "update.h"

using namespace fx;

namespace {

// The tensors of an update, in lists of the same length; ema may be empty.
struct Lists {
  std::vector<at::Tensor> params, grads, m, v, ema;
};

// Whether the elements of a and b have the same order in memory. Strides of axes of length 1 are ignored.
bool same_layout(const at::Tensor &a, const at::Tensor &b) {
  if (a.sizes() != b.sizes()) return false;
  for (int64_t d = 0; d < a.dim(); d++)
    if (a.size(d) != 1 && a.stride(d) != b.stride(d)) return false;
  return true;
}

Lists lists_of(const fx_tensor *params, const fx_tensor *m, const fx_tensor *v, const fx_tensor *ema, int n) {
  Lists l{list(params, n), {}, list(m, n), list(v, n), ema ? list(ema, n) : std::vector<at::Tensor>()};
  for (int i = 0; i < n; i++) {
    const auto &grad = l.params[i].grad();
    TORCH_CHECK(grad.defined(), "parameter ", i, " has no gradient");
    l.grads.push_back(same_layout(grad, l.params[i]) ? grad : at::empty_like(l.params[i]).copy_(grad));
  }
  return l;
}

bool has_update_kernel(const Lists &l) {
  const auto device = l.params[0].device();
  if (!device.is_cpu() && !(device.is_cuda() && cuda_kernels())) return false;
  for (const auto *list : {&l.params, &l.grads, &l.m, &l.v, &l.ema})
    for (size_t i = 0; i < list->size(); i++) {
      const auto &x = (*list)[i];
      if (x.device() != device || x.scalar_type() != at::kFloat || !x.is_non_overlapping_and_dense() ||
          !same_layout(x, l.params[i]))
        return false;
    }
  return true;
}

void by_kernel(const Lists &l, const UpdateRule &rule, const at::Tensor &loss, const at::Tensor &schedule,
               const at::Tensor &report) {
  const auto &first = l.params[0];
  std::vector<UpdateTensor> tensors;
  for (size_t i = 0; i < l.params.size(); i++)
    tensors.push_back({l.params[i].data_ptr<float>(), l.grads[i].const_data_ptr<float>(), l.m[i].data_ptr<float>(),
                       l.v[i].data_ptr<float>(), l.ema.empty() ? nullptr : l.ema[i].data_ptr<float>(),
                       l.params[i].numel()});
  const auto *told = loss.const_data_ptr<double>();
  const auto *now = reinterpret_cast<const UpdateSchedule *>(schedule.const_data_ptr<double>());
  auto *after = reinterpret_cast<UpdateReport *>(report.data_ptr<double>());
  if (first.is_cpu()) return cpu_update(tensors, rule, *now, *told, after);
  c10::DeviceGuard device(first.device());
  const int count = static_cast<int>(tensors.size());
  auto scratch = cuda_scratch(first, cuda_kernels()->update_scratch(tensors.data(), count));
  cuda_kernels()->update(tensors.data(), count, rule, now, told, after, scratch.data_ptr(), cuda_stream(first));
}

// By libtorch's ops: torch.nn.utils.clip_grad_norm_, torch.optim.AdamW and torch.lerp.
void by_libtorch(const Lists &l, const UpdateRule &rule, const at::Tensor &loss, const at::Tensor &schedule,
              const at::Tensor &report) {
  auto norm = at::linalg_vector_norm(at::stack(at::_foreach_norm(l.grads, 2)), 2);
  const auto numbers = at::cat({schedule.cpu(), report.cpu()});  // a copy, even if they are on the CPU
  const auto *now = reinterpret_cast<const UpdateSchedule *>(numbers.const_data_ptr<double>());
  auto *after = reinterpret_cast<UpdateReport *>(numbers.data_ptr<double>() + 2);
  after->loss = loss.item().toDouble();
  after->grad_norm = norm.item().toDouble();
  if (std::isfinite(after->loss) && std::isfinite(after->grad_norm)) {
    after->taken++;
    after->in_a_row = 0;
    at::_foreach_mul_(l.grads, at::clamp_max(rule.max_norm / (norm + 1e-6), 1.0));
    const auto step = at::full({}, after->taken, l.params[0].options().dtype(at::kFloat).requires_grad(false));
    const std::vector<at::Tensor> steps(l.params.size(), step);
    at::_fused_adamw_(l.params, l.grads, l.m, l.v, {}, steps, now->lr, rule.beta1, rule.beta2, rule.weight_decay,
                      rule.eps, /*amsgrad=*/false, /*maximize=*/false);
    if (!l.ema.empty()) at::_foreach_lerp_(l.ema, l.params, now->ema_weight);
  } else {
    after->in_a_row++;
  }
  report.copy_(numbers.narrow(0, 2, 4));
}

}  // namespace

// loss (1), schedule (2) and report (4) are float64 on the parameters' device; schedule is an UpdateSchedule, report an
// UpdateReport. If the loss or the gradients' norm is not finite, only the report changes.
fx_error fx_update(const fx_tensor *params, const fx_tensor *m, const fx_tensor *v, const fx_tensor *ema, int n,
                   double max_norm, double beta1, double beta2, double eps, double weight_decay, fx_tensor loss,
                   fx_tensor schedule, fx_tensor report) {
  return guard([&] {
    at::NoGradGuard no_grad;
    TORCH_CHECK(n > 0, "no parameters");
    auto doubles = [&](const at::Tensor &x, int64_t count) {
      TORCH_CHECK(x.scalar_type() == at::kDouble && x.numel() == count && x.is_contiguous() &&
                      x.device() == params[0]->device(),
                  "a tensor of ", x.sizes(), " ", x.scalar_type(), " on ", x.device(), ", want ", count,
                  " of float64 on ", params[0]->device());
    };
    doubles(*loss, 1), doubles(*schedule, 2), doubles(*report, 4);
    const auto lists = lists_of(params, m, v, ema, n);
    const UpdateRule rule{max_norm, beta1, beta2, eps, weight_decay};
    if (has_update_kernel(lists))
      by_kernel(lists, rule, *loss, *schedule, *report);
    else
      by_libtorch(lists, rule, *loss, *schedule, *report);
  });
}
