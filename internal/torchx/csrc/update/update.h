// A step of the optimizer on the CPU, in float32. With g the gradients of all tensors together, the k-th update is
//
//   c = min(1, max_norm / (|g| + 1e-6))
//   m += (1 - beta1) (c g - m),   v += (1 - beta2) ((c g)^2 - v)
//   p = (1 - lr weight_decay) p - lr / (1 - beta1^k) m / (sqrt(v) / sqrt(1 - beta2^k) + eps)
//   ema += ema_weight (p - ema)
//
// as in torch.nn.utils.clip_grad_norm_, torch.optim.AdamW and torch.lerp. One pass over the gradients computes |g|, a
// second one over all tensors does the rest.
#pragma once
#include <vector>

#include "cuda/cuda_table.h"

namespace fx {

// Leaves the gradients as they are: c g is never stored. (by_libtorch in update.cc clips them in place. Callers drop the
// gradients after an update, so neither is seen.) If loss or |g| is not finite, only the report changes.
void cpu_update(const std::vector<UpdateTensor> &tensors, const UpdateRule &rule, const UpdateSchedule &schedule,
                double loss, UpdateReport *report);

}  // namespace fx
