// CUDA graphs, by libtorch's class, because libtorch's allocator and backward threads have to know about them.
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAGuard.h>

#include "table.h"

namespace fx {

// A graph is recorded on a stream of its own, since the default stream cannot be recorded.
struct CudaGraph {
  at::cuda::CUDAGraph graph;
  c10::cuda::CUDAStream before;
  explicit CudaGraph(c10::cuda::CUDAStream stream) : before(stream) {}
};

CudaGraph *graph_begin(int device) {
  const auto index = static_cast<c10::DeviceIndex>(device);
  const c10::cuda::CUDAGuard guard(index);
  auto made = std::make_unique<CudaGraph>(c10::cuda::getCurrentCUDAStream(index));
  made->before.synchronize();
  c10::cuda::CUDACachingAllocator::emptyCache();  // a graph has memory of its own; free that of the steps before
  c10::cuda::setCurrentCUDAStream(c10::cuda::getStreamFromPool(/*isHighPriority=*/false, index));
  try {
    made->graph.capture_begin({0, 0}, cudaStreamCaptureModeThreadLocal);
  } catch (...) {
    c10::cuda::setCurrentCUDAStream(made->before);
    throw;
  }
  return made.release();
}

void graph_end(CudaGraph *graph) {
  const c10::cuda::CUDAGuard guard(graph->before.device_index());
  try {
    graph->graph.capture_end();
  } catch (...) {
    c10::cuda::setCurrentCUDAStream(graph->before);
    throw;
  }
  c10::cuda::setCurrentCUDAStream(graph->before);
}

// Replays on the current stream.
void graph_replay(CudaGraph *graph) { graph->graph.replay(); }

void graph_free(CudaGraph *graph) { delete graph; }

}  // namespace fx
