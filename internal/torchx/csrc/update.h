// A step of the optimizer on the CPU, in float32. With g the gradients of all tensors, the k-th update is
//
//   c = min(1, max_norm / (|g| + 1e-6))
//   m += (1 - beta1) (c g - m),   v += (1 - beta2) ((c g)^2 - v)
//   p = (1 - lr weight_decay) p - lr / (1 - beta1^k) m / (sqrt(v) / sqrt(1 - beta2^k) + eps)
//   ema += ema_weight (p - ema)
//
// as torch.nn.utils.clip_grad_norm_, torch.optim.AdamW and torch.lerp do it: one pass over the gradients for |g|, and
// one over everything.
#pragma once
#include <vector>

#include "cuda_table.h"

namespace fx {

// The gradients are clipped on their way and stay as they were: the trainer drops them before it makes the next ones, and
// nothing else reads them (those of the composition are clipped in place). Where loss or |g| is not finite nothing is
// changed but the report.
void cpu_update(const std::vector<UpdateTensor> &tensors, const UpdateRule &rule, const UpdateSchedule &schedule,
                double loss, UpdateReport *report);

}  // namespace fx
