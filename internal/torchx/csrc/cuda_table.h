// What libfmsr_cuda.so offers: fmsr's own CUDA code, loaded at run time beside
// libtorch's, so that one binary serves both. Every function queues its work on
// a stream (a cudaStream_t) and throws std::exception; pointers are the device's.
#pragma once
#include <cstdint>

namespace fx {

// GroupNorm, FiLM and SiLU of channels-last x (N,cells,C), the maths of norm_silu.h. w and b are
// (C); film (N,2C) is scale and then shift, or null; without silu, y is z.
struct CudaNorm {
  int64_t samples, channels, cells, groups;
  float eps;
  bool bf16, silu;
  const float *w, *b, *film;
};

// One parameter with what its update needs, n elements in the same order; ema may be null.
struct UpdateTensor {
  float *param;
  const float *grad;
  float *m, *v, *ema;
  int64_t n;
};

struct UpdateRule {
  double max_norm, beta1, beta2, eps, weight_decay;
};

// What changes from step to step lies in device memory, so that a graph can be replayed.
struct UpdateSchedule {
  double lr, ema_weight;  // ema_weight is 1 - decay
};

// What an update leaves, in device memory too, and reads: how many were made before.
struct UpdateReport {
  double loss, grad_norm;  // the norm before clipping
  double taken, in_a_row;  // updates made; and those not made, since the last one that was
};

// A CUDA graph in the making, or made; opaque here.
struct CudaGraph;

struct CudaTable {
  int64_t version;  // cuda_table_version, of the binary that it was made with

  int64_t (*norm_scratch)(const CudaNorm &norm);  // bytes that either one works in
  void (*norm_forward)(const CudaNorm &norm, const void *x, void *y, float *mean, float *rstd, void *scratch,
                       void *stream);
  void (*norm_backward)(const CudaNorm &norm, const void *x, const void *dy, const float *mean, const float *rstd,
                        void *dx, float *dw, float *db, float *dfilm, void *scratch, void *stream);

  // Clip to a global norm, AdamW, moving average. Where the loss or the gradient's norm is not
  // finite nothing is changed but the report.
  int64_t (*update_scratch)(const UpdateTensor *tensors, int count);
  void (*update)(const UpdateTensor *tensors, int count, const UpdateRule &rule, const UpdateSchedule *schedule,
                 const double *loss, UpdateReport *report, void *scratch, void *stream);

  // Between begin and end what the calling thread queues is recorded instead of run. end
  // gives back the stream that was current, in any case.
  CudaGraph *(*graph_begin)(int device);
  void (*graph_end)(CudaGraph *graph);
  void (*graph_replay)(CudaGraph *graph);
  void (*graph_free)(CudaGraph *graph);
};

// To be raised when the table changes: a library from another build is then not used.
constexpr int64_t cuda_table_version = 1;

}  // namespace fx

extern "C" const fx::CudaTable *fmsr_cuda_table(void);
