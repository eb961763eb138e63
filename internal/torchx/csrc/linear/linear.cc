// A linear map. Up to 64 rows of float32 on the CPU take an autograd function of our own kernels, everything else
// libtorch's. Ours computes in float32 inside autocast too, since bf16 saves no time with few rows.
#include "linear.h"

#include <torch/csrc/autograd/custom_function.h>

#include "core/guard.h"

using namespace fx;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

bool has_linear_kernel(const at::Tensor &x, const at::Tensor &w, fx_tensor b) {
  auto fits = [](const at::Tensor &t, int64_t dim) {
    return t.device().is_cpu() && t.dim() == dim && t.scalar_type() == at::kFloat && t.is_contiguous();
  };
  return b && fits(x, 2) && fits(w, 2) && fits(*b, 1) && x.size(0) <= 64 && x.size(1) == w.size(1) &&
         b->size(0) == w.size(0);
}

LinearShape shape_of(const at::Tensor &x, const at::Tensor &w) { return {x.size(0), w.size(1), w.size(0)}; }

at::Tensor linear_map(const at::Tensor &x, const at::Tensor &w, const at::Tensor &b) {
  auto y = at::empty({x.size(0), w.size(0)}, x.options());
  linear_forward(shape_of(x, w), x.data_ptr<float>(), w.data_ptr<float>(), b.data_ptr<float>(), y.data_ptr<float>());
  return y;
}

struct Linear : torch::autograd::Function<Linear> {
  static at::Tensor forward(AutogradContext *ctx, const at::Tensor &x, const at::Tensor &w, const at::Tensor &b) {
    ctx->save_for_backward({x, w, b});
    return linear_map(x, w, b);
  }

  static variable_list backward(AutogradContext *ctx, variable_list grads) {
    auto saved = ctx->get_saved_variables();
    const auto &x = saved[0], &w = saved[1];
    auto dy = grads[0].to(at::kFloat).contiguous();
    auto dx = at::empty_like(x), dw = at::empty_like(w), db = at::empty_like(saved[2]);
    const auto shape = shape_of(x, w);
    linear_input_gradient(shape, dy.data_ptr<float>(), w.data_ptr<float>(), dx.data_ptr<float>());
    linear_weight_gradient(shape, x.data_ptr<float>(), dy.data_ptr<float>(), dw.data_ptr<float>(), db.data_ptr<float>());
    return {dx, dw, db};
  }
};

}  // namespace

// x (N,K), w (O,K), b (O) or null: x w' + b, (N,O).
fx_error fx_linear(fx_tensor x, fx_tensor w, fx_tensor b, fx_tensor *out) {
  return give(out, [&] {
    if (!has_linear_kernel(*x, *w, b)) return at::linear(*x, *w, maybe(b));
    return at::GradMode::is_enabled() ? Linear::apply(*x, *w, *b) : linear_map(*x, *w, *b);
  });
}
