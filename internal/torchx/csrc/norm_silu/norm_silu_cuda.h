// GroupNorm on CUDA, with FiLM and SiLU or without, for channels-last x (N,C,H,W), w and b (C), film (N,2C).
// has_cuda_norm reports whether fmsr's library is loaded and has a kernel for these tensors.
#pragma once
#include <ATen/ATen.h>

namespace fx {

bool has_cuda_norm(const at::Tensor &x, const at::Tensor &w, const at::Tensor &b);
at::Tensor cuda_norm(const at::Tensor &x, int64_t groups, const at::Tensor &w, const at::Tensor &b, double eps,
                     const std::optional<at::Tensor> &film, bool silu);

}  // namespace fx
