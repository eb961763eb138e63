// Gradients, and the moving average over lists of parameters.
#include <torch/csrc/autograd/custom_function.h>

#include "core/guard.h"

using namespace fx;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

// The identity, whose backward pass fails once *stop is not 0.
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

// Drops the gradients instead of filling them with zeros, so that the next backward pass writes instead of adding.
fx_error fx_zero_grads(const fx_tensor *params, int n) {
  return guard([&] {
    for (int i = 0; i < n; i++) params[i]->mutable_grad().reset();
  });
}

// ema = decay * ema + (1 - decay) * params.
fx_error fx_ema(const fx_tensor *ema, const fx_tensor *params, int n, double decay) {
  return guard([&] {
    at::NoGradGuard no_grad;
    at::_foreach_lerp_(list(ema, n), list(params, n), 1 - decay);
  });
}
