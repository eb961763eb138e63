// GroupNorm, FiLM and SiLU as one autograd function on the CPU; the composition
// of libtorch's ops elsewhere, for float64 and for other memory formats.
#include "norm_silu.h"

#include <torch/csrc/autograd/custom_function.h>

#include "guard.h"
#include "norm_silu_cuda.h"

using namespace fx;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

bool has_kernel(const at::Tensor &x, const at::Tensor &w, const at::Tensor &b) {
  return x.device().is_cpu() && x.is_contiguous() && w.scalar_type() == at::kFloat &&
         b.scalar_type() == at::kFloat &&
         (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16);
}

// The kernel reads by these without looking.
void check_shapes(const at::Tensor &x, int64_t groups, const at::Tensor &w, const at::Tensor &b, fx_tensor film) {
  TORCH_CHECK(x.dim() >= 2, "input of shape ", x.sizes(), ", want (N,C,...)");
  const int64_t n = x.size(0), c = x.size(1);
  TORCH_CHECK(groups > 0 && c % groups == 0, groups, " groups of ", c, " channels");
  TORCH_CHECK(w.sizes() == at::IntArrayRef{c} && b.sizes() == at::IntArrayRef{c}, "weight ", w.sizes(), " and bias ",
              b.sizes(), " for ", c, " channels");
  TORCH_CHECK(!film || film->sizes() == at::IntArrayRef({n, 2 * c}), "film ", film->sizes(), ", want (", n, ", ", 2 * c,
              ")");
}

NormShape shape_of(const at::Tensor &x, int64_t groups, double eps) {
  return {x.size(0), x.size(1), x.numel() / (x.size(0) * x.size(1)), groups, static_cast<float>(eps)};
}

// gamma and beta (N,C) from the norm's parameters and film (N,2C), which may be undefined.
std::pair<at::Tensor, at::Tensor> fold(const at::Tensor &w, const at::Tensor &b, const at::Tensor &film, int64_t n) {
  if (!film.defined()) return {w.expand({n, -1}).contiguous(), b.expand({n, -1}).contiguous()};
  auto parts = film.to(at::kFloat).chunk(2, 1);
  auto scale = 1 + parts[0];
  return {(w * scale).contiguous(), (b * scale + parts[1]).contiguous()};
}

template <class T>
T *data(const at::Tensor &x) {
  return static_cast<T *>(x.data_ptr());
}

// Runs body for x's element type, passing it a null pointer of that type.
template <class Body>
void with_type(const at::Tensor &x, Body &&body) {
  if (x.scalar_type() == at::kFloat)
    body(static_cast<float *>(nullptr));
  else
    body(static_cast<bf16 *>(nullptr));
}

struct NormSiLU : torch::autograd::Function<NormSiLU> {
  static at::Tensor forward(AutogradContext *ctx, const at::Tensor &x, int64_t groups, const at::Tensor &w,
                            const at::Tensor &b, double eps, const std::optional<at::Tensor> &maybe_film) {
    auto film = maybe_film.value_or(at::Tensor());
    auto shape = shape_of(x, groups, eps);
    auto [gamma, beta] = fold(w, b, film, shape.samples);
    auto y = at::empty_like(x);
    auto mean = at::empty({shape.samples, groups}, w.options()), rstd = at::empty_like(mean);
    with_type(x, [&](auto *type) {
      using T = std::remove_pointer_t<decltype(type)>;
      norm_silu_forward(shape, data<T>(x), data<float>(gamma), data<float>(beta), data<T>(y), data<float>(mean),
                        data<float>(rstd));
    });
    ctx->save_for_backward({x, w, b, film, gamma, beta, mean, rstd});
    ctx->saved_data["groups"] = groups;
    return y;
  }

  static variable_list backward(AutogradContext *ctx, variable_list grads) {
    auto saved = ctx->get_saved_variables();
    const auto &x = saved[0], &w = saved[1], &b = saved[2], &film = saved[3], &gamma = saved[4], &beta = saved[5];
    const auto groups = ctx->saved_data["groups"].toInt();
    auto shape = shape_of(x, groups, 0);
    auto dy = grads[0].to(x.scalar_type()).contiguous();
    auto dx = at::empty_like(x), s = at::empty_like(gamma), t = at::empty_like(gamma);
    with_type(x, [&](auto *type) {
      using T = std::remove_pointer_t<decltype(type)>;
      norm_silu_backward(shape, data<T>(x), data<T>(dy), data<float>(gamma), data<float>(beta), data<float>(saved[6]),
                         data<float>(saved[7]), data<T>(dx), data<float>(s), data<float>(t));
    });
    if (!film.defined()) return {dx, {}, t.sum(0), s.sum(0), {}, {}};
    auto scale = 1 + film.to(at::kFloat).chunk(2, 1)[0];
    auto dfilm = at::cat({w * t + b * s, s}, 1).to(film.scalar_type());
    return {dx, {}, (scale * t).sum(0), (scale * s).sum(0), {}, dfilm};
  }
};

at::Tensor composed(const at::Tensor &x, int64_t groups, const at::Tensor &w, const at::Tensor &b, double eps,
                    const at::Tensor &film) {
  auto h = at::group_norm(x, groups, w, b, eps);
  if (!film.defined()) return at::silu(h);
  auto parts = film.to(h.scalar_type()).unsqueeze(-1).unsqueeze(-1).chunk(2, 1);
  return at::silu(at::addcmul(parts[1], h, 1 + parts[0]));
}

}  // namespace

// silu(norm(x) * (1 + scale) + shift), film (N,2C) holding scale and then shift; silu(norm(x)) without film.
fx_error fx_norm_silu(fx_tensor x, int64_t groups, fx_tensor w, fx_tensor b, double eps, fx_tensor film,
                      fx_tensor *out) {
  return give(out, [&] {
    check_shapes(*x, groups, *w, *b, film);
    if (has_cuda_norm(*x, *w, *b)) return cuda_norm(*x, groups, *w, *b, eps, maybe(film), /*silu=*/true);
    if (has_kernel(*x, *w, *b)) return NormSiLU::apply(*x, groups, *w, *b, eps, maybe(film));
    return composed(*x, groups, *w, *b, eps, film ? *film : at::Tensor());
  });
}
