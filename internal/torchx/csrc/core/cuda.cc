// Loads the CUDA libraries at run time: libtorch's, and then fmsr's own with its kernels and graphs.
#include <ATen/Context.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <dlfcn.h>

#include "cuda_kernels.h"
#include "guard.h"

using namespace fx;

static const CudaTable *table = nullptr;  // set once, by fx_load_cuda_kernels

const CudaTable *fx::cuda_kernels() { return table; }

void *fx::cuda_stream(const at::Tensor &x) {
  c10::impl::VirtualGuardImpl cuda(at::kCUDA);
  return cuda.getStreamNativeHandle(cuda.getStream(x.device()));
}

at::Tensor fx::cuda_scratch(const at::Tensor &x, int64_t bytes) {
  return at::empty({bytes}, x.options().dtype(at::kByte));
}

// Registers libtorch's CUDA kernels. No question about CUDA may come earlier: libtorch keeps the first answer.
fx_error fx_load_cuda(const char *library) {
  return guard([&] {
    TORCH_CHECK(dlopen(library, RTLD_NOW | RTLD_GLOBAL), dlerror());
    TORCH_CHECK(at::detail::getCUDAHooks().hasCUDART(), "libtorch was asked about CUDA before its CUDA library was loaded");
    at::globalContext().setBenchmarkCuDNN(true);   // shapes are the same at every step
    at::globalContext().setAllowTF32CuDNN(false);  // float32 products in float32
    at::globalContext().setAllowTF32CuBLAS(false);
  });
}

// Loads fmsr's kernels, after fx_load_cuda.
fx_error fx_load_cuda_kernels(const char *library) {
  return guard([&] {
    void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
    TORCH_CHECK(handle, dlerror());
    auto *open = reinterpret_cast<decltype(&fmsr_cuda_table)>(dlsym(handle, "fmsr_cuda_table"));
    TORCH_CHECK(open, dlerror());
    TORCH_CHECK(open()->version == cuda_table_version, library, " is of another build: version ", open()->version,
                ", want ", cuda_table_version);
    table = open();
  });
}

void fx_drop_cuda_kernels(void) { table = nullptr; }

bool fx_has_cuda_kernels(void) { return table; }

fx_error fx_graph_begin(int device, fx_graph *out) {
  return guard([&] { *out = table->graph_begin(device); });
}

fx_error fx_graph_end(fx_graph graph) {
  return guard([&] { table->graph_end(static_cast<CudaGraph *>(graph)); });
}

fx_error fx_graph_replay(fx_graph graph) {
  return guard([&] { table->graph_replay(static_cast<CudaGraph *>(graph)); });
}

fx_error fx_graph_free(fx_graph graph) {
  return guard([&] { table->graph_free(static_cast<CudaGraph *>(graph)); });
}
