// Just enough of CUDA to run the kernels of .cu files on a CPU, so that check.cc can check their arithmetic without a
// GPU. Blocks run one after the other; the threads of a block are coroutines that take turns at every barrier. Warps do
// not run in lock-step, and races do not show.
#pragma once
#include <cuda_runtime_api.h>
#include <ucontext.h>
#include <vector_functions.h>

#include <cmath>
#include <functional>
#include <vector>

#undef __global__
#undef __device__
#undef __host__
#undef __shared__
#undef __launch_bounds__
#define __global__
#define __device__
#define __host__
#define __shared__ static  // one block at a time
#define __launch_bounds__(n)

namespace emulated {

inline uint3 thread, block;
inline std::vector<double> slots;
inline ucontext_t scheduler;
inline std::vector<ucontext_t> contexts;
inline std::vector<std::vector<char>> stacks;
inline std::vector<bool> over;
inline std::function<void()> body;

inline void barrier() {
  const auto mine = thread;
  swapcontext(&contexts[mine.x], &scheduler);
  thread = mine;
}

inline void run_block(unsigned threads) {
  stacks.resize(threads, std::vector<char>(64 << 10));
  contexts.resize(threads);
  slots.resize(threads);
  over.assign(threads, false);
  for (unsigned i = 0; i < threads; i++) {
    getcontext(&contexts[i]);
    contexts[i].uc_stack.ss_sp = stacks[i].data();
    contexts[i].uc_stack.ss_size = stacks[i].size();
    contexts[i].uc_link = &scheduler;
    makecontext(
        &contexts[i],
        +[] {
          const auto mine = thread;
          body();
          over[mine.x] = true;
        },
        0);
  }
  for (unsigned left = threads; left > 0;) {
    left = 0;
    for (unsigned i = 0; i < threads; i++) {
      if (over[i]) continue;
      thread = {i, 0, 0};
      swapcontext(&scheduler, &contexts[i]);
      left += !over[i];
    }
  }
}

}  // namespace emulated

#define threadIdx (::emulated::thread)
#define blockIdx (::emulated::block)

inline void __syncthreads() { emulated::barrier(); }

template <class T>
T __shfl_down_sync(unsigned, T x, int by) {
  const unsigned from = threadIdx.x + by, mine = threadIdx.x;
  emulated::slots[mine] = x;
  emulated::barrier();
  const T got = from / 32 == mine / 32 ? static_cast<T>(emulated::slots[from]) : x;
  emulated::barrier();
  return got;
}

inline float __fdividef(float a, float b) { return a / b; }

template <class... Params>
cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t *config, void (*kernel)(Params...), Params... args) {
  emulated::body = [&] { kernel(args...); };
  for (unsigned z = 0; z < config->gridDim.z; z++)
    for (unsigned y = 0; y < config->gridDim.y; y++)
      for (unsigned x = 0; x < config->gridDim.x; x++) {
        emulated::block = {x, y, z};
        emulated::run_block(config->blockDim.x);
      }
  return cudaSuccess;
}
