// How the functions of fx.h reach fmsr's own CUDA code.
#pragma once
#include <ATen/ATen.h>

#include "cuda_table.h"

namespace fx {

const CudaTable *cuda_kernels();                            // null: not loaded
void *cuda_stream(const at::Tensor &x);                     // the current one of x's device
at::Tensor cuda_scratch(const at::Tensor &x, int64_t bytes);  // beside x

}  // namespace fx
