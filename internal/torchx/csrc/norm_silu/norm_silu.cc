// GroupNorm, FiLM and SiLU. Channels-last tensors take one autograd function of our own kernels, on the CPU the one below
// and on CUDA that of norm_silu_cuda.cc. Everything else is composed of libtorch's ops.
#include "norm_silu.h"

#include <torch/csrc/autograd/custom_function.h>

#include "core/channels_last.h"
#include "core/guard.h"
#include "norm_silu_cuda.h"

using namespace fx;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

bool has_norm_kernel(const at::Tensor &x, const at::Tensor &w, const at::Tensor &b) {
  return x.device().is_cpu() && x.dim() == 4 && x.is_contiguous(channels_last) && w.scalar_type() == at::kFloat &&
         b.scalar_type() == at::kFloat && w.is_contiguous() && b.is_contiguous() &&
         (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16);
}

// The kernels rely on these shapes without checking them.
void check_shapes(const at::Tensor &x, int64_t groups, const at::Tensor &w, const at::Tensor &b, fx_tensor film) {
  TORCH_CHECK(x.dim() >= 2, "input of shape ", x.sizes(), ", want (N,C,...)");
  const int64_t n = x.size(0), c = x.size(1);
  TORCH_CHECK(groups > 0 && c % groups == 0, groups, " groups of ", c, " channels");
  TORCH_CHECK(w.sizes() == at::IntArrayRef{c} && b.sizes() == at::IntArrayRef{c}, "weight ", w.sizes(), " and bias ",
              b.sizes(), " for ", c, " channels");
  TORCH_CHECK(!film || film->sizes() == at::IntArrayRef({n, 2 * c}), "film ", film->sizes(), ", want (", n, ", ", 2 * c,
              ")");
}

NormShape shape_of(const at::Tensor &x, int64_t groups, double eps, bool silu) {
  return {x.size(0), x.size(1), x.size(2) * x.size(3), groups, static_cast<float>(eps), silu};
}

NormParams params_of(const at::Tensor &w, const at::Tensor &b, const at::Tensor &film) {
  return {data<float>(w), data<float>(b), data<float>(film)};
}

at::Tensor forward_norm(const NormShape &shape, const NormParams &params, const at::Tensor &x, float *mean, float *rstd) {
  auto y = at::empty_like(x);
  with_type(x, [&](auto *type) {
    using T = std::remove_pointer_t<decltype(type)>;
    norm_silu_forward(shape, params, data<T>(x), data<T>(y), mean, rstd);
  });
  return y;
}

struct NormSiLU : torch::autograd::Function<NormSiLU> {
  static at::Tensor forward(AutogradContext *ctx, const at::Tensor &x, int64_t groups, const at::Tensor &w,
                            const at::Tensor &b, double eps, const std::optional<at::Tensor> &maybe_film, bool silu) {
    auto film = maybe_film.value_or(at::Tensor());
    auto mean = at::empty({x.size(0), groups}, w.options()), rstd = at::empty_like(mean);
    auto y = forward_norm(shape_of(x, groups, eps, silu), params_of(w, b, film), x, data<float>(mean), data<float>(rstd));
    ctx->save_for_backward({x, w, b, film, mean, rstd});
    ctx->saved_data["groups"] = groups;
    ctx->saved_data["silu"] = silu;
    return y;
  }

  static variable_list backward(AutogradContext *ctx, variable_list grads) {
    auto saved = ctx->get_saved_variables();
    const auto &x = saved[0], &w = saved[1], &b = saved[2], &film = saved[3], &mean = saved[4], &rstd = saved[5];
    auto shape = shape_of(x, ctx->saved_data["groups"].toInt(), 0, ctx->saved_data["silu"].toBool());
    auto dy = grads[0].to(x.scalar_type()).contiguous(channels_last);
    auto dx = at::empty_like(x), dw = at::empty_like(w), db = at::empty_like(b);
    auto dfilm = film.defined() ? at::empty_like(film) : at::Tensor();
    with_type(x, [&](auto *type) {
      using T = std::remove_pointer_t<decltype(type)>;
      norm_silu_backward(shape, params_of(w, b, film), data<T>(x), data<T>(dy), data<float>(mean), data<float>(rstd),
                         data<T>(dx), data<float>(dw), data<float>(db), data<float>(dfilm));
    });
    return {dx, {}, dw, db, {}, dfilm, {}};
  }
};

// By our kernel.
at::Tensor norm(const at::Tensor &x, int64_t groups, const at::Tensor &w, const at::Tensor &b, double eps,
                const std::optional<at::Tensor> &film, bool silu) {
  if (at::GradMode::is_enabled()) return NormSiLU::apply(x, groups, w, b, eps, film, silu);
  std::vector<float> mean(x.size(0) * groups), rstd(mean.size());
  return forward_norm(shape_of(x, groups, eps, silu), params_of(w, b, film.value_or(at::Tensor())), x, mean.data(), rstd.data());
}

at::Tensor composed_norm(const at::Tensor &x, int64_t groups, const at::Tensor &w, const at::Tensor &b, double eps,
                    const at::Tensor &film) {
  auto h = at::group_norm(x, groups, w, b, eps);
  if (!film.defined()) return at::silu(h);
  auto parts = film.to(h.scalar_type()).unsqueeze(-1).unsqueeze(-1).chunk(2, 1);
  return at::silu(at::addcmul(parts[1], h, 1 + parts[0]));
}

}  // namespace

// x (N,C,...), w and b (C), film (N,2C) = [scale | shift] or null: silu(norm(x) * (1 + scale) + shift), or silu(norm(x))
// without film, of x's shape.
fx_error fx_norm_silu(fx_tensor x, int64_t groups, fx_tensor w, fx_tensor b, double eps, fx_tensor film,
                      fx_tensor *out) {
  return give(out, [&] {
    check_shapes(*x, groups, *w, *b, film);
    if (has_cuda_norm(*x, *w, *b)) return cuda_norm(*x, groups, *w, *b, eps, maybe(film), /*silu=*/true);
    if (!has_norm_kernel(*x, *w, *b)) return composed_norm(*x, groups, *w, *b, eps, film ? *film : at::Tensor());
    auto wide = film ? std::optional(film->to(at::kFloat).contiguous()) : std::nullopt;
    return norm(*x, groups, *w, *b, eps, wide, true);
  });
}

// The same without FiLM and SiLU: norm(x).
fx_error fx_group_norm(fx_tensor x, int64_t groups, fx_tensor w, fx_tensor b, double eps, fx_tensor *out) {
  return give(out, [&] {
    check_shapes(*x, groups, *w, *b, nullptr);
    if (has_cuda_norm(*x, *w, *b)) return cuda_norm(*x, groups, *w, *b, eps, std::nullopt, /*silu=*/false);
    if (!has_norm_kernel(*x, *w, *b)) return at::group_norm(*x, groups, *w, *b, eps);
    return norm(*x, groups, *w, *b, eps, std::nullopt, false);
  });
}
