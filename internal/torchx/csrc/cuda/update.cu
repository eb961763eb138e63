// The optimizer's step: clipping to a global norm, AdamW with decoupled weight decay, and the moving average.
//
//   sum_squares: each block's part of |g|^2      -> partial
//   settle:      the norm and the factors of the step, by one block
//   update_all:  p, m, v and ema, unless the loss or the norm is not finite
//
// Sums are always in the same order. The lists of tensors are passed as kernel arguments.
#include "table.h"
#include "launch.h"

namespace fx {
namespace {

constexpr int list = 64;
constexpr int64_t span = 8192;  // elements that a block takes

// As many tensors as fit into kernel arguments. The blocks of tensor i begin at first[i].
struct Batch {
  UpdateTensor tensors[list];
  unsigned first[list + 1];
  int count;
};
static_assert(sizeof(Batch) < 4000, "kernel arguments are 4 kB");

// The factors of the step, which settle computes.
struct Numbers {
  float clip, decay, step_size, unbias_v, ema_weight;
  bool go;
};

unsigned blocks_of(int64_t n) { return static_cast<unsigned>((n + span - 1) / span); }

// The part of a tensor that a block works on.
struct Part {
  UpdateTensor tensor;
  int64_t begin, end;
  __device__ explicit Part(const Batch &b) {
    int low = 0, high = b.count;  // first[low] <= blockIdx.x < first[high]
    while (high - low > 1) {
      const int middle = (low + high) / 2;
      if (b.first[middle] <= blockIdx.x)
        low = middle;
      else
        high = middle;
    }
    tensor = b.tensors[low];
    begin = (blockIdx.x - b.first[low]) * span;
    end = begin + span < tensor.n ? begin + span : tensor.n;
  }
};

// The sum over the block.
__device__ double block_sum(double mine) {
  __shared__ double of_warp[warps];
  mine = warp_sum(mine);
  if (threadIdx.x % warp == 0) of_warp[threadIdx.x / warp] = mine;
  __syncthreads();
  double sum = 0;
  for (int w = 0; w < warps; w++) sum += of_warp[w];
  return sum;
}

__device__ bool is_number(double x) { return x - x == 0; }  // false for infinities and NaN

__global__ void __launch_bounds__(threads) sum_squares(Batch batch, double *partial) {
  const Part part(batch);
  double sum = 0;
#pragma unroll 4
  for (int64_t i = part.begin + threadIdx.x; i < part.end; i += threads) {
    const float g = part.tensor.grad[i];
    sum += static_cast<double>(g) * g;
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) partial[blockIdx.x] = sum;
}

__global__ void __launch_bounds__(threads) settle(const double *partial, int64_t n, UpdateRule rule,
                                                  const UpdateSchedule *schedule, const double *loss,
                                                  UpdateReport *report, Numbers *numbers) {
  double sum = 0;
  for (int64_t i = threadIdx.x; i < n; i += threads) sum += partial[i];
  sum = block_sum(sum);
  if (threadIdx.x != 0) return;
  const double total = sqrt(sum), clip = rule.max_norm / (total + 1e-6);
  report->loss = *loss;
  report->grad_norm = total;
  numbers->go = is_number(total) && is_number(*loss);
  report->in_a_row = numbers->go ? 0 : report->in_a_row + 1;
  if (!numbers->go) return;
  report->taken += 1;
  numbers->clip = static_cast<float>(clip < 1 ? clip : 1);
  numbers->decay = static_cast<float>(1 - schedule->lr * rule.weight_decay);
  numbers->step_size = static_cast<float>(schedule->lr / (1 - pow(rule.beta1, report->taken)));
  numbers->unbias_v = static_cast<float>(1 / sqrt(1 - pow(rule.beta2, report->taken)));
  numbers->ema_weight = static_cast<float>(schedule->ema_weight);
}

__global__ void __launch_bounds__(threads) update_all(Batch batch, const Numbers *numbers, float m_weight,
                                                      float v_weight, float eps) {
  const Numbers k = *numbers;
  if (!k.go) return;
  const Part part(batch);
  const UpdateTensor &t = part.tensor;
#pragma unroll 4
  for (int64_t i = part.begin + threadIdx.x; i < part.end; i += threads) {
    const float g = t.grad[i] * k.clip;
    const float m = t.m[i] + m_weight * (g - t.m[i]);
    const float v = t.v[i] + v_weight * (g * g - t.v[i]);
    const float p = t.param[i] * k.decay - k.step_size * m / (sqrtf(v) * k.unbias_v + eps);
    t.m[i] = m;
    t.v[i] = v;
    t.param[i] = p;
    if (t.ema) t.ema[i] += k.ema_weight * (p - t.ema[i]);
  }
}

// Splits the tensors into batches and calls body(batch, its blocks, blocks of the batches before) for each.
template <class Body>
void each_batch(const UpdateTensor *tensors, int count, Body body) {
  unsigned before = 0;
  for (int done = 0; done < count; done += list) {
    Batch batch{};
    batch.count = count - done < list ? count - done : list;
    for (int i = 0; i < batch.count; i++) {
      batch.tensors[i] = tensors[done + i];
      batch.first[i + 1] = batch.first[i] + blocks_of(tensors[done + i].n);
    }
    const unsigned blocks = batch.first[batch.count];
    if (blocks > 0) body(batch, blocks, before);
    before += blocks;
  }
}

int64_t all_blocks(const UpdateTensor *tensors, int count) {
  int64_t blocks = 0;
  for (int i = 0; i < count; i++) blocks += blocks_of(tensors[i].n);
  return blocks;
}

}  // namespace

int64_t update_scratch(const UpdateTensor *tensors, int count) {
  return static_cast<int64_t>(sizeof(double)) * all_blocks(tensors, count) + static_cast<int64_t>(sizeof(Numbers));
}

void update(const UpdateTensor *tensors, int count, const UpdateRule &rule, const UpdateSchedule *schedule,
            const double *loss, UpdateReport *report, void *scratch, void *stream) {
  auto *partial = static_cast<double *>(scratch);
  const int64_t blocks = all_blocks(tensors, count);
  auto *numbers = reinterpret_cast<Numbers *>(partial + blocks);
  each_batch(tensors, count, [&](const Batch &batch, unsigned n, unsigned before) {
    launch("sum_squares", sum_squares, dim3(n), stream, batch, partial + before);
  });
  launch("settle", settle, dim3(1), stream, partial, blocks, rule, schedule, loss, report,
         numbers);
  each_batch(tensors, count, [&](const Batch &batch, unsigned n, unsigned) {
    launch("update_all", update_all, dim3(n), stream, batch, numbers, static_cast<float>(1 - rule.beta1),
           static_cast<float>(1 - rule.beta2), static_cast<float>(rule.eps));
  });
}

}  // namespace fx
