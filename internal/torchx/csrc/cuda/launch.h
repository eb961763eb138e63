// Launches kernels, on a GPU or, with FMSR_EMULATE, on the CPU by emulate.h.
#pragma once
#ifdef FMSR_EMULATE
#include "emulate.h"
#else
#include <cuda_runtime.h>
#endif

#include <cuda_bf16.h>

#include <cstdint>
#include <stdexcept>
#include <string>

namespace fx {

constexpr int threads = 256, warp = 32, warps = threads / warp;  // of every block

inline void check(cudaError_t error, const char *what) {
  if (error == cudaSuccess) return;
  cudaGetLastError();  // else the next kernel of libtorch reports it
  throw std::runtime_error(std::string(what) + ": " + cudaGetErrorString(error));
}

// kernel<<<blocks, threads, 0, stream>>>(args...)
template <class... Params, class... Args>
void launch(const char *name, void (*kernel)(Params...), dim3 blocks, void *stream, Args... args) {
  cudaLaunchConfig_t config{};
  config.gridDim = blocks;
  config.blockDim = dim3(threads);
  config.stream = static_cast<cudaStream_t>(stream);
  check(cudaLaunchKernelEx(&config, kernel, static_cast<Params>(args)...), name);
}

// The sum over a warp. Only its first lane gets it.
__device__ inline double warp_sum(double x) {
  for (int step = 16; step > 0; step /= 2) x += __shfl_down_sync(0xffffffffu, x, step);
  return x;
}

}  // namespace fx
