// The table of functions of libfmsr_cuda.so, which is fmsr's own CUDA code. It is loaded at run time, after libtorch's
// CUDA library, so that one binary runs with and without a GPU. Every function queues its work on a stream (a
// cudaStream_t) and throws std::exception. Pointers to data are device pointers.
#pragma once
#include <cstdint>

namespace fx {

// GroupNorm, FiLM and SiLU of channels-last x (N,cells,C); norm_silu.h has the maths. w and b are (C); film (N,2C) is
// [scale | shift], or null. Without silu, y is z.
struct CudaNorm {
  int64_t samples, channels, cells, groups;
  float eps;
  bool bf16, silu;
  const float *w, *b, *film;
};

// One parameter with its gradient, moments and average, n elements in the same order; ema may be null.
struct UpdateTensor {
  float *param;
  const float *grad;
  float *m, *v, *ema;
  int64_t n;
};

struct UpdateRule {
  double max_norm, beta1, beta2, eps, weight_decay;
};

// The numbers that change from step to step. They are in device memory, so that a graph can be replayed.
struct UpdateSchedule {
  double lr, ema_weight;  // ema_weight is 1 - decay
};

// The result of an update, in device memory. The next update reads taken and in_a_row from it.
struct UpdateReport {
  double loss, grad_norm;  // the norm before clipping
  double taken, in_a_row;  // updates made; updates skipped since the last one that was made
};

// A CUDA graph, being recorded or complete; opaque here.
struct CudaGraph;

struct CudaTable {
  int64_t version;  // the library's cuda_table_version

  int64_t (*norm_scratch)(const CudaNorm &norm);  // bytes of scratch for forward, and for backward
  void (*norm_forward)(const CudaNorm &norm, const void *x, void *y, float *mean, float *rstd, void *scratch,
                       void *stream);
  void (*norm_backward)(const CudaNorm &norm, const void *x, const void *dy, const float *mean, const float *rstd,
                        void *dx, float *dw, float *db, float *dfilm, void *scratch, void *stream);

  // Clips to a global norm, takes an AdamW step, moves the average. If the loss or the gradients' norm is not finite,
  // only the report changes.
  int64_t (*update_scratch)(const UpdateTensor *tensors, int count);
  void (*update)(const UpdateTensor *tensors, int count, const UpdateRule &rule, const UpdateSchedule *schedule,
                 const double *loss, UpdateReport *report, void *scratch, void *stream);

  // Between begin and end the work that the calling thread queues is recorded instead of run. end makes the earlier
  // stream current again, also if it fails.
  CudaGraph *(*graph_begin)(int device);
  void (*graph_end)(CudaGraph *graph);
  void (*graph_replay)(CudaGraph *graph);
  void (*graph_free)(CudaGraph *graph);

  // Collectives over ranks by NCCL, on that device, for the c10d::Store of the ranks. Returns a c10d::Backend, with a
  // reference that the caller owns.
  void *(*nccl_backend)(void *store, int rank, int size, int device, int64_t timeout_ms);
};

// Raise it when the table changes: fmsr refuses a library of another version.
constexpr int64_t cuda_table_version = 2;

}  // namespace fx

extern "C" const fx::CudaTable *fmsr_cuda_table(void);
