// Access to fmsr's own CUDA code for the functions of fx.h.
#pragma once
#include <ATen/ATen.h>

#include "cuda/cuda_table.h"

namespace fx {

const CudaTable *cuda_kernels();                            // null if not loaded
void *cuda_stream(const at::Tensor &x);                     // the current stream of x's device
at::Tensor cuda_scratch(const at::Tensor &x, int64_t bytes);  // (bytes), on x's device

}  // namespace fx
