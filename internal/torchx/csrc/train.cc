// Gradients and the optimizer's arithmetic, over whole lists of parameters.
#include <torch/csrc/autograd/custom_function.h>

#include "guard.h"

using namespace fx;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

// Passes x on, and the gradient back unless it is told to stop.
struct Watch : torch::autograd::Function<Watch> {
  static at::Tensor forward(AutogradContext *ctx, const at::Tensor &x, int64_t stop) {
    ctx->saved_data["stop"] = stop;
    return x.view_as(x);
  }
  static variable_list backward(AutogradContext *ctx, variable_list grads) {
    const auto *stop = reinterpret_cast<const int *>(ctx->saved_data["stop"].toInt());
    TORCH_CHECK(!__atomic_load_n(stop, __ATOMIC_RELAXED), "stopped");
    return {grads[0], {}};
  }
};

}  // namespace

fx_error fx_watch(fx_tensor x, const int *stop, fx_tensor *out) {
  return give(out, [&] { return Watch::apply(*x, reinterpret_cast<int64_t>(stop)); });
}

void fx_stop(int *stop) { __atomic_store_n(stop, 1, __ATOMIC_RELAXED); }

fx_error fx_set_requires_grad(fx_tensor x, bool on) {
  return guard([&] { x->set_requires_grad(on); });
}

fx_error fx_backward(fx_tensor loss) {
  return guard([&] { loss->backward(); });
}

fx_error fx_grad(fx_tensor x, fx_tensor *out) {
  return give(out, [&] {
    TORCH_CHECK(x->grad().defined(), "the tensor has no gradient");
    return x->grad();
  });
}

// Dropped rather than zeroed: the next backward then writes instead of adding.
fx_error fx_zero_grads(const fx_tensor *params, int n) {
  return guard([&] {
    for (int i = 0; i < n; i++) params[i]->mutable_grad().reset();
  });
}

static std::vector<at::Tensor> gradients(const fx_tensor *params, int n) {
  std::vector<at::Tensor> r;
  r.reserve(n);
  for (int i = 0; i < n; i++) {
    TORCH_CHECK(params[i]->grad().defined(), "parameter ", i, " has no gradient");
    r.push_back(params[i]->grad());
  }
  return r;
}

// As torch.nn.utils.clip_grad_norm_: scale by min(1, max_norm / (norm + 1e-6)); norm is what it was before.
fx_error fx_clip_grad_norm(const fx_tensor *params, int n, double max_norm, fx_tensor *norm) {
  return give(norm, [&] {
    at::NoGradGuard no_grad;
    auto grads = gradients(params, n);
    auto total = at::linalg_vector_norm(at::stack(at::_foreach_norm(grads, 2)), 2);
    at::_foreach_mul_(grads, at::clamp_max(max_norm / (total + 1e-6), 1.0));
    return total;
  });
}

// One AdamW step (decoupled weight decay), step counting from 1.
fx_error fx_adamw(const fx_tensor *params, const fx_tensor *m, const fx_tensor *v, int n, int64_t step, double lr,
                  double beta1, double beta2, double eps, double weight_decay) {
  return guard([&] {
    at::NoGradGuard no_grad;
    auto ps = list(params, n);
    auto count = at::full({}, static_cast<double>(step), at::TensorOptions().dtype(at::kFloat).device(ps[0].device()));
    std::vector<at::Tensor> steps(n, count);
    at::_fused_adamw_(ps, gradients(params, n), list(m, n), list(v, n), {}, steps, lr, beta1, beta2, weight_decay, eps,
                      /*amsgrad=*/false, /*maximize=*/false);
  });
}

// ema = decay * ema + (1 - decay) * params.
fx_error fx_ema(const fx_tensor *ema, const fx_tensor *params, int n, double decay) {
  return guard([&] {
    at::NoGradGuard no_grad;
    at::_foreach_lerp_(list(ema, n), list(params, n), 1 - decay);
  });
}
