// Collectives by NCCL: c10d's ProcessGroupNCCL, which is in libtorch's CUDA library.
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>

#include "table.h"

namespace fx {

void *nccl_backend(void *store, int rank, int size, int device, int64_t timeout_ms) {
  // after a timeout, end the collective with an error instead of the process
  setenv("TORCH_NCCL_ASYNC_ERROR_HANDLING", "2", /*overwrite=*/0);
  auto options = c10d::ProcessGroupNCCL::Options::create();
  options->timeout = std::chrono::milliseconds(timeout_ms);
  const c10::cuda::CUDAGuard guard(static_cast<c10::DeviceIndex>(device));
  auto backend = c10::make_intrusive<c10d::ProcessGroupNCCL>(
      c10::intrusive_ptr<c10d::Store>::reclaim_copy(static_cast<c10d::Store *>(store)), rank, size, options);
  return static_cast<c10d::Backend *>(backend.release());
}

}  // namespace fx
