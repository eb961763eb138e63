// CUDA graphs, by libtorch's class, because libtorch's allocator and backward threads have to know about them.
#include <ATen/core/CachingHostAllocator.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAGuard.h>

#include "table.h"

namespace fx {

// A graph is recorded on a stream of its own, since the default stream cannot be recorded.
struct CudaGraph : at::cuda::CUDAGraph {
  c10::cuda::CUDAStream before;
  explicit CudaGraph(c10::cuda::CUDAStream stream) : before(stream) {}

  // Gives back what a recording that failed has taken. libtorch leaves its allocators recording then: they would free
  // nothing more that several streams have used, and keep the recording's memory.
  void abandon() {
    cudaGetLastError();  // else the next kernel of libtorch reports it
    c10::cuda::setCurrentCUDAStream(before);
    if (capture_ended_) return;  // libtorch's destructor does the rest
    auto *host = at::getHostAllocator(at::kCUDA);
    quietly([&] { c10::cuda::CUDACachingAllocator::endAllocateToPool(capture_dev_, mempool_id_); });
    quietly([&] { c10::cuda::CUDACachingAllocator::releasePool(capture_dev_, mempool_id_); });
    quietly([&] { host->end_allocate_to_pool(mempool_id_); });
    quietly([&] { host->release_pool(mempool_id_); });
  }

 private:
  // Runs a step of the cleaning up, which fails if the recording did not come that far.
  template <class Step>
  static void quietly(Step &&step) {
    try {
      step();
    } catch (const std::exception &) {
    }
  }
};

CudaGraph *graph_begin(int device) {
  const auto index = static_cast<c10::DeviceIndex>(device);
  const c10::cuda::CUDAGuard guard(index);
  auto made = std::make_unique<CudaGraph>(c10::cuda::getCurrentCUDAStream(index));
  made->before.synchronize();
  c10::cuda::CUDACachingAllocator::emptyCache();  // a graph has memory of its own; free that of the steps before
  c10::cuda::setCurrentCUDAStream(c10::cuda::getStreamFromPool(/*isHighPriority=*/false, index));
  try {
    made->capture_begin({0, 0}, cudaStreamCaptureModeThreadLocal);
  } catch (...) {
    made->abandon();
    throw;
  }
  return made.release();
}

void graph_end(CudaGraph *graph) {
  const c10::cuda::CUDAGuard guard(graph->before.device_index());
  try {
    graph->capture_end();
  } catch (...) {
    graph->abandon();
    throw;
  }
  c10::cuda::setCurrentCUDAStream(graph->before);
}

// Replays on the current stream.
void graph_replay(CudaGraph *graph) { graph->replay(); }

void graph_free(CudaGraph *graph) { delete graph; }

}  // namespace fx
