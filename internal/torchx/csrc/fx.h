// The C interface of what gotorch lacks, for cgo. A function takes its arguments first and its result last, by pointer,
// and returns NULL or an error message, which the caller frees with fx_free_string. Functions that cannot fail return
// their result.
//
// What is kept between calls: for the process, the count of live tensors, the CUDA libraries once they are loaded, the
// allocator once fx_cache_memory has set it, and the level of the CPU's kernels; for each thread, libtorch's settings
// (thread count, grad mode, autocast), the recording that fx_record starts, and the weights that fx_keep_packed keeps.
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "frames/prepare.h"
#include "frames/spectrum.h"

#ifdef __cplusplus
namespace at {
class Tensor;
}
namespace fx {
struct Store;
class Group;
struct Reducer;
}  // namespace fx
typedef at::Tensor *fx_tensor;
typedef fx::Store *fx_store;
typedef fx::Group *fx_group;
typedef fx::Reducer *fx_reducer;
extern "C" {
#else
typedef void *fx_tensor, *fx_store, *fx_group, *fx_reducer;
#endif

typedef const char *fx_error;

void fx_free_string(fx_error s);
void fx_free(fx_tensor t);

// ops/tensor.cc: making, reading, writing and moving tensors. dtype is c10::ScalarType's
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
fx_error fx_bit_sum(const fx_tensor *xs, int n, fx_tensor *out);
fx_error fx_same_storage(fx_tensor a, fx_tensor b, bool *out);

// ops/transfer.cc: copies that nobody waits for. fx_upload's tensor has values of that shape, in row-major order, on the
// device; the work that is queued next comes after the copy. A download has the values that x has once the work that is
// queued already is done, in row-major order; fx_download_end waits for them, and ends with an error once *stop is not 0,
// unless stop is null.
typedef struct fx_download_state *fx_download;
fx_error fx_upload(const void *data, const int64_t *shape, int dims, int dtype, int device, int memory_format, fx_tensor *out);
fx_error fx_download_begin(fx_tensor x, fx_download *out);
fx_error fx_download_end(fx_download d, const int *stop, void *data, int64_t bytes);
void fx_download_free(fx_download d);

// ops/ops.cc: arithmetic and shape.
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

// ops/nn.cc: layers, as libtorch has them.
fx_error fx_silu(fx_tensor x, fx_tensor *out);
fx_error fx_avg_pool2d(fx_tensor x, int64_t factor, fx_tensor *out);
fx_error fx_upsample_nearest2d(fx_tensor x, int64_t factor, fx_tensor *out);
fx_error fx_upsample_bilinear2d(fx_tensor x, int64_t factor, fx_tensor *out);
fx_error fx_mse(fx_tensor a, fx_tensor b, fx_tensor *out);
fx_error fx_power_spectrum2d(fx_tensor x, fx_tensor *out);

// ops/concat.cc
fx_error fx_cat(const fx_tensor *xs, int n, int64_t dim, fx_tensor *out);

// conv/conv.cc
fx_error fx_conv2d(fx_tensor x, fx_tensor w, fx_tensor b, bool periodic, fx_tensor r, fx_tensor *out);
int64_t fx_keep_packed(int64_t most);

// linear/linear.cc
fx_error fx_linear(fx_tensor x, fx_tensor w, fx_tensor b, fx_tensor *out);

// norm_silu/norm_silu.cc
fx_error fx_group_norm(fx_tensor x, int64_t groups, fx_tensor w, fx_tensor b, double eps, fx_tensor *out);
fx_error fx_norm_silu(fx_tensor x, int64_t groups, fx_tensor w, fx_tensor b, double eps, fx_tensor film, fx_tensor *out);

// attention/attention.cc
fx_error fx_self_attention(fx_tensor qkv, int64_t heads, fx_tensor *out);

// frames/prepare_kernel.cc: frames, in plain memory.
fx_error fx_prepare(const fx_prepare_plan *plan, const float *src, float *hi, float *lo, bool *finite);
void fx_moments(const float *x, int64_t n, double *mean, double *m2);

// frames/spectrum_kernel.cc: power spectra of frames in plain memory. A plan belongs to a grid of h x w cells; shell gives the
// shell of each of its modes (h, w/2+1). Threads may share a plan. lo is NULL or the plan of a grid that is coarser by a
// whole factor.
fx_error fx_spectrum_new(int64_t h, int64_t w, const int32_t *shell, int64_t shells, fx_spectrum_plan *out);
void fx_spectrum_free(fx_spectrum_plan plan);
int64_t fx_spectrum_scratch(fx_spectrum_plan hi, fx_spectrum_plan lo);  // bytes of scratch that a run needs
fx_error fx_spectrum_run(fx_spectrum_plan hi, fx_spectrum_plan lo, const fx_spectrum_input *in, void *scratch, double *hi_power, double *lo_power);

// ops/train.cc: gradients and averages. A backward pass that reaches a watched tensor ends with an error if *stop is
// not 0 by then; stop must outlive the pass.
fx_error fx_watch(fx_tensor x, const int *stop, fx_tensor *out);
void fx_stop(int *stop);
fx_error fx_set_requires_grad(fx_tensor x, bool on);
fx_error fx_backward(fx_tensor loss);
fx_error fx_grad(fx_tensor x, fx_tensor *out);
fx_error fx_zero_grads(const fx_tensor *params, int n);
fx_error fx_ema(const fx_tensor *ema, const fx_tensor *params, int n, double decay);

// core/profile.cc: records a span for each op of the calling thread, from fx_record to fx_record_end, in the order in
// which the ops start. fx_enter and fx_leave, on the same thread, add a span of the caller's own. The result of
// fx_record_end points into the recording and is valid until fx_record_free.
typedef struct {
  int64_t begin, end;  // ns since the recording began
  int32_t name;        // index into names
  int32_t parent;      // index of the enclosing span; -1: none
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

// update/update.cc: a whole step of the optimizer; ema may be null.
fx_error fx_update(const fx_tensor *params, const fx_tensor *m, const fx_tensor *v, const fx_tensor *ema, int n,
                   double max_norm, double beta1, double beta2, double eps, double weight_decay, fx_tensor loss,
                   fx_tensor schedule, fx_tensor report);

// core/cuda.cc: load libtorch's CUDA library first and fmsr's own second, before any other question about CUDA. Between
// fx_graph_begin and fx_graph_end the work that the thread queues is recorded instead of run. The graph functions need
// fmsr's library.
typedef void *fx_graph;
fx_error fx_load_cuda(const char *library);
fx_error fx_load_cuda_kernels(const char *library);
void fx_drop_cuda_kernels(void);  // libtorch's kernels are used from then on
bool fx_has_cuda_kernels(void);
fx_error fx_graph_begin(int device, fx_graph *out);
fx_error fx_graph_end(fx_graph graph);
fx_error fx_graph_replay(fx_graph graph);
fx_error fx_graph_free(fx_graph graph);

// dist/store.cc: the key-value store of a run's ranks, at a host and a port; a server on port 0 chooses a port. Calls of one
// store wait for one another; a clone has a connection of its own. fx_store_wait waits for a key, fx_store_get returns the
// value of a key that is there, in memory that the caller frees.
fx_error fx_store_open(const char *host, int port, bool server, bool shared, int64_t timeout_ms, fx_store *out, int *out_port);
fx_error fx_store_prefix(fx_store store, const char *name, fx_store *out);
fx_error fx_store_clone(fx_store store, fx_store *out);
void fx_store_free(fx_store store);
fx_error fx_store_set(fx_store store, const char *key, const uint8_t *data, int64_t n);
fx_error fx_store_wait(fx_store store, const char *key, int64_t timeout_ms, bool *there);
fx_error fx_store_get(fx_store store, const char *key, uint8_t **data, int64_t *n);
fx_error fx_store_check(fx_store store, const char *const *keys, int n, bool *all);
fx_error fx_store_add(fx_store store, const char *key, int64_t n, int64_t *sum);
fx_error fx_store_delete(fx_store store, const char *key, bool *was_there);

// dist/group.cc: collectives, which all ranks call in the same order. Each waits until it is done, and ends with an error
// once *stop is not 0; stop may be null. address is that of the network interface to use, unless interface names one.
// fx_group_close reports false, and frees nothing, if a collective has not ended. On CUDA, fx_all_reduce and the reducer
// only queue their collectives: fx_group_check returns the error of those that have ended since, if there is one, and
// fx_group_abort ends those that wait for other ranks.
fx_error fx_group_open(fx_store store, int rank, int size, int device, const char *address, const char *interface, int64_t timeout_ms, fx_group *out);
bool fx_group_close(fx_group group);
bool fx_group_waits(fx_group group);
fx_error fx_group_check(fx_group group);
fx_error fx_group_abort(fx_group group);
fx_error fx_all_reduce(fx_group group, fx_tensor x, const int *stop);
fx_error fx_broadcast(fx_group group, fx_tensor x, int root, const int *stop);
fx_error fx_all_gather(fx_group group, fx_tensor x, const int *stop, fx_tensor *out);
fx_error fx_barrier(fx_group group, const int *stop);

// dist/reducer.cc: averages the gradients of params over the ranks in each backward pass for which it was prepared. stop
// must outlive the pass.
fx_error fx_reducer_new(fx_group group, const fx_tensor *params, int n, bool bf16, const int *stop, fx_reducer *out);
fx_error fx_reducer_prepare(fx_reducer reducer, const int *stop);
void fx_reducer_free(fx_reducer reducer);

// core/memory.cc: from now on, freed memory of CPU tensors is kept and reused for new ones.
fx_error fx_cache_memory(void);

// core/context.cc: libtorch's settings of a thread and of the process, and what a device can do.
fx_error fx_set_num_threads(int n);
int fx_get_num_threads(void);
bool fx_set_grad_mode(bool on);
fx_error fx_autocast_begin(int device, bool bf16);
fx_error fx_autocast_end(int device);
fx_error fx_cuda_device_count(int *out);
int fx_best_cpu_level(void);  // the highest level (simd/cpu.h) that the processor has
int fx_cpu_level(void);       // the level of the kernels that are used
void fx_set_cpu_level(int level);
double fx_multiplier_rate(bool bf16);  // simd/rate_kernel.cc
bool fx_has_bf16(int device);  // whether the device has instructions for matrix products of bf16
fx_error fx_synchronize(int device);
int64_t fx_live_tensors(void);
void fx_count_adopted(void);

#ifdef __cplusplus
}
#endif
