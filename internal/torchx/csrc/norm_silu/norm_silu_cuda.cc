// GroupNorm, FiLM and SiLU on CUDA as an autograd function of fmsr's own CUDA kernels.
#include "norm_silu_cuda.h"

#include <c10/core/DeviceGuard.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/cuda_kernels.h"

using namespace fx;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

const float *floats(const at::Tensor &x) { return x.defined() ? x.const_data_ptr<float>() : nullptr; }

// Whether the kernels can move 16 bytes at once. A tensor of its own is aligned to more; a part of one need not be.
bool is_aligned(const at::Tensor &x) { return reinterpret_cast<uintptr_t>(x.data_ptr()) % 16 == 0; }

CudaNorm norm_of(const at::Tensor &x, int64_t groups, double eps, const at::Tensor &w, const at::Tensor &b,
                 const at::Tensor &film, bool silu) {
  return {x.size(0), x.size(1), x.size(2) * x.size(3), groups, static_cast<float>(eps),
          x.scalar_type() == at::kBFloat16, silu, floats(w), floats(b), floats(film)};
}

struct CudaNormFunction : torch::autograd::Function<CudaNormFunction> {
  static at::Tensor forward(AutogradContext *ctx, const at::Tensor &x, int64_t groups, const at::Tensor &w,
                            const at::Tensor &b, double eps, const std::optional<at::Tensor> &maybe_film, bool silu) {
    c10::DeviceGuard device(x.device());
    auto film = maybe_film ? maybe_film->to(at::kFloat).contiguous() : at::Tensor();
    auto y = at::empty_like(x), mean = at::empty({x.size(0), groups}, w.options()), rstd = at::empty_like(mean);
    const auto norm = norm_of(x, groups, eps, w, b, film, silu);
    auto scratch = cuda_scratch(x, cuda_kernels()->norm_scratch(norm));
    cuda_kernels()->norm_forward(norm, x.data_ptr(), y.data_ptr(), mean.data_ptr<float>(), rstd.data_ptr<float>(),
                                 scratch.data_ptr(), cuda_stream(x));
    ctx->save_for_backward({x, w, b, film, mean, rstd});
    ctx->saved_data["groups"] = groups;
    ctx->saved_data["silu"] = silu;
    if (film.defined()) ctx->saved_data["film"] = static_cast<int64_t>(maybe_film->scalar_type());
    return y;
  }

  static variable_list backward(AutogradContext *ctx, variable_list grads) {
    auto saved = ctx->get_saved_variables();
    const auto &x = saved[0], &w = saved[1], &b = saved[2], &film = saved[3];
    c10::DeviceGuard device(x.device());
    auto dy = grads[0].to(x.scalar_type()).contiguous(at::MemoryFormat::ChannelsLast);
    if (!is_aligned(dy)) dy = dy.clone();
    auto dx = at::empty_like(x), dw = at::empty_like(w), db = at::empty_like(b);
    auto dfilm = film.defined() ? at::empty_like(film) : at::Tensor();
    const auto norm = norm_of(x, ctx->saved_data["groups"].toInt(), 0, w, b, film, ctx->saved_data["silu"].toBool());
    auto scratch = cuda_scratch(x, cuda_kernels()->norm_scratch(norm));
    cuda_kernels()->norm_backward(norm, x.data_ptr(), dy.data_ptr(), floats(saved[4]), floats(saved[5]), dx.data_ptr(),
                                  dw.data_ptr<float>(), db.data_ptr<float>(),
                                  film.defined() ? dfilm.data_ptr<float>() : nullptr, scratch.data_ptr(),
                                  cuda_stream(x));
    if (film.defined()) dfilm = dfilm.to(static_cast<at::ScalarType>(ctx->saved_data["film"].toInt()));
    return {dx, {}, dw, db, {}, dfilm, {}};
  }
};

}  // namespace

bool fx::has_cuda_norm(const at::Tensor &x, const at::Tensor &w, const at::Tensor &b) {
  return x.is_cuda() && cuda_kernels() && x.dim() == 4 && x.is_contiguous(at::MemoryFormat::ChannelsLast) &&
         (x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16) && w.scalar_type() == at::kFloat &&
         b.scalar_type() == at::kFloat && w.is_contiguous() && b.is_contiguous() && is_aligned(x);
}

at::Tensor fx::cuda_norm(const at::Tensor &x, int64_t groups, const at::Tensor &w, const at::Tensor &b, double eps,
                         const std::optional<at::Tensor> &film, bool silu) {
  return CudaNormFunction::apply(x, groups, w, b, eps, film, silu);
}
