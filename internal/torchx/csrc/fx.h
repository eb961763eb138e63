// The C face of what gotorch lacks, for cgo. Every function takes its
// arguments first and its result last, by pointer, and returns NULL or an error
// message that the caller frees with fx_free_string. Nothing keeps state.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "prepare.h"
#include "spectrum.h"

#ifdef __cplusplus
#include <ATen/ATen.h>
typedef at::Tensor *fx_tensor;
extern "C" {
#else
typedef void *fx_tensor;
#endif

typedef const char *fx_error;

void fx_free_string(fx_error s);
void fx_free(fx_tensor t);

// tensor.cc: making, describing and moving tensors. dtype is c10::ScalarType's
// number; device is -1 for the CPU, else a CUDA index; memory_format 0 is
// channels-last and 1 contiguous.
fx_error fx_from_blob(void *data, const int64_t *shape, int dims, int dtype, fx_tensor *out);
fx_error fx_full(const int64_t *shape, int dims, double value, int dtype, int device, fx_tensor *out);
fx_error fx_randn(const int64_t *shape, int dims, uint64_t seed, int device, fx_tensor *out);
fx_error fx_alias(fx_tensor x, fx_tensor *out);
fx_error fx_clone(fx_tensor x, fx_tensor *out);
fx_error fx_detach(fx_tensor x, fx_tensor *out);
fx_error fx_to(fx_tensor x, int dtype, int device, int memory_format, fx_tensor *out);
fx_error fx_copy_(fx_tensor dst, fx_tensor src);
fx_error fx_read(fx_tensor x, void *data, int64_t bytes);
fx_error fx_write(fx_tensor x, const void *data, int64_t bytes);
fx_error fx_item(fx_tensor x, double *out);
fx_error fx_same_storage(fx_tensor a, fx_tensor b, bool *out);

// ops.cc: arithmetic and shape.
fx_error fx_add(fx_tensor a, fx_tensor b, double alpha, fx_tensor *out);
fx_error fx_mul(fx_tensor a, fx_tensor b, fx_tensor *out);
fx_error fx_affine(fx_tensor x, double scale, double shift, fx_tensor *out);
fx_error fx_add_(fx_tensor a, fx_tensor b, double alpha);
fx_error fx_cos(fx_tensor x, fx_tensor *out);
fx_error fx_sin(fx_tensor x, fx_tensor *out);
fx_error fx_mean(fx_tensor x, const int64_t *dims, int n, fx_tensor *out);
fx_error fx_narrow(fx_tensor x, int64_t dim, int64_t start, int64_t length, fx_tensor *out);
fx_error fx_reshape(fx_tensor x, const int64_t *shape, int dims, fx_tensor *out);
fx_error fx_transpose(fx_tensor x, int64_t a, int64_t b, fx_tensor *out);

// nn.cc: layers.
fx_error fx_conv2d(fx_tensor x, fx_tensor w, fx_tensor b, bool periodic, fx_tensor r, fx_tensor *out);
fx_error fx_silu(fx_tensor x, fx_tensor *out);
fx_error fx_avg_pool2d(fx_tensor x, int64_t factor, fx_tensor *out);
fx_error fx_upsample_nearest2d(fx_tensor x, int64_t factor, fx_tensor *out);
fx_error fx_upsample_bilinear2d(fx_tensor x, int64_t factor, fx_tensor *out);
fx_error fx_mse(fx_tensor a, fx_tensor b, fx_tensor *out);
fx_error fx_power_spectrum2d(fx_tensor x, fx_tensor *out);

// concat.cc
fx_error fx_cat(const fx_tensor *xs, int n, int64_t dim, fx_tensor *out);

// linear.cc
fx_error fx_linear(fx_tensor x, fx_tensor w, fx_tensor b, fx_tensor *out);

// norm_silu.cc
fx_error fx_group_norm(fx_tensor x, int64_t groups, fx_tensor w, fx_tensor b, double eps, fx_tensor *out);
fx_error fx_norm_silu(fx_tensor x, int64_t groups, fx_tensor w, fx_tensor b, double eps, fx_tensor film, fx_tensor *out);

// attention.cc
fx_error fx_self_attention(fx_tensor qkv, int64_t heads, fx_tensor *out);

// prepare.cc: frames, in plain memory.
fx_error fx_prepare(const fx_prepare_plan *plan, const float *src, float *hi, float *lo, bool *finite);
void fx_moments(const float *x, int64_t n, double *mean, double *m2);

// spectrum.cc: power spectra of frames in plain memory. A plan is of a grid, whose
// modes (h, w/2+1) are in those shells; it is shared by threads and freed by
// fx_spectrum_free. lo is NULL or of a grid a whole number of times coarser.
fx_error fx_spectrum_new(int64_t h, int64_t w, const int32_t *shell, int64_t shells, fx_spectrum_plan *out);
void fx_spectrum_free(fx_spectrum_plan plan);
int64_t fx_spectrum_scratch(fx_spectrum_plan hi, fx_spectrum_plan lo);  // bytes that a run works in
fx_error fx_spectrum_run(fx_spectrum_plan hi, fx_spectrum_plan lo, const fx_spectrum_input *in, void *scratch, double *hi_power, double *lo_power);

// train.cc: gradients and averages. A backward pass through a watched
// tensor ends with an error once stop is not 0; stop must outlive it.
fx_error fx_watch(fx_tensor x, const int *stop, fx_tensor *out);
void fx_stop(int *stop);
fx_error fx_set_requires_grad(fx_tensor x, bool on);
fx_error fx_backward(fx_tensor loss);
fx_error fx_grad(fx_tensor x, fx_tensor *out);
fx_error fx_zero_grads(const fx_tensor *params, int n);
fx_error fx_ema(const fx_tensor *ema, const fx_tensor *params, int n, double decay);

// profile.cc: spans of the calling thread's ops, in the order of their starts, from fx_record until fx_record_end;
// between fx_enter and fx_leave, on that thread too, lies a span of the caller's own. What fx_record_end gives is the
// recording's, which fx_record_free frees.
typedef struct {
  int64_t begin, end;  // ns since the recording began
  int32_t name;        // index into names
  int32_t parent;      // index of the span that it lies in; -1: none
} fx_span;
typedef struct {
  const fx_span *spans;
  int64_t n;
  const char *const *names;
} fx_recorded;
typedef struct fx_recording_state *fx_recording;
fx_error fx_record(fx_recording *out);
void fx_enter(fx_recording r, const char *name);
void fx_leave(fx_recording r);
fx_error fx_record_end(fx_recording r, fx_recorded *out);
void fx_record_free(fx_recording r);

// update.cc: a whole step of the optimizer; ema may be null.
fx_error fx_update(const fx_tensor *params, const fx_tensor *m, const fx_tensor *v, const fx_tensor *ema, int n,
                   double max_norm, double beta1, double beta2, double eps, double weight_decay, fx_tensor loss,
                   fx_tensor schedule, fx_tensor report);

// cuda.cc: libtorch's CUDA library and then fmsr's own are loaded before anything else is
// asked about CUDA. Between begin and end of a graph what the thread queues is recorded
// instead of run; begin, end and replay need fmsr's library.
typedef void *fx_graph;
fx_error fx_load_cuda(const char *library);
fx_error fx_load_cuda_kernels(const char *library);
bool fx_has_cuda_kernels(void);
fx_error fx_graph_begin(int device, fx_graph *out);
fx_error fx_graph_end(fx_graph graph);
fx_error fx_graph_replay(fx_graph graph);
fx_error fx_graph_free(fx_graph graph);

// memory.cc: from now on, tensors' memory on the CPU is kept for the next ones.
fx_error fx_cache_memory(void);

// context.cc: what libtorch keeps for each thread or the process.
fx_error fx_set_num_threads(int n);
int fx_get_num_threads(void);
bool fx_set_grad_mode(bool on);
fx_error fx_autocast_begin(int device, bool bf16);
fx_error fx_autocast_end(int device);
fx_error fx_cuda_device_count(int *out);
bool fx_has_bf16(int device);  // whether it has instructions for matrix products of bf16
fx_error fx_synchronize(int device);
int64_t fx_live_tensors(void);
void fx_count_adopted(void);

#ifdef __cplusplus
}
#endif
