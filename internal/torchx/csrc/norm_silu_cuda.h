// GroupNorm, with FiLM and SiLU or without, on CUDA, where fmsr's library is loaded, for channels-last x.
#pragma once
#include <ATen/ATen.h>

namespace fx {

bool has_cuda_norm(const at::Tensor &x, const at::Tensor &w, const at::Tensor &b);
at::Tensor cuda_norm(const at::Tensor &x, int64_t groups, const at::Tensor &w, const at::Tensor &b, double eps,
                     const std::optional<at::Tensor> &film, bool silu);

}  // namespace fx
