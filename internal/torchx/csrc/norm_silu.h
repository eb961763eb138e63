// The loops of GroupNorm, FiLM and SiLU in one pass, for contiguous (N,C,H,W).
//
// With mu, sigma the mean and deviation over each group of channels of a sample:
//
//   xhat = (x - mu) / sigma,   z = gamma xhat + beta,   y = z sigmoid(z)
//
// gamma and beta (N,C) are the norm's weight and bias with FiLM folded in:
// gamma = w (1 + scale), beta = b (1 + scale) + shift. Backward, from dy:
//
//   dz = dy s (1 + z (1 - s)), s = sigmoid(z);   S = sum dz,  T = sum dz xhat over a channel's cells
//   dx = (gamma dz - <gamma dz> - xhat <gamma dz xhat>) / sigma,  <.> the mean over the group
#pragma once
#include <cstdint>

namespace fx {

// One plane of the problem; T is float or bfloat16's bits.
struct NormShape {
  int64_t samples, channels, cells, groups;
  float eps;
};

using bf16 = uint16_t;

void norm_silu_forward(const NormShape &shape, const float *x, const float *gamma, const float *beta, float *y,
                       float *mean, float *rstd);
void norm_silu_forward(const NormShape &shape, const bf16 *x, const float *gamma, const float *beta, bf16 *y,
                       float *mean, float *rstd);
void norm_silu_backward(const NormShape &shape, const float *x, const float *dy, const float *gamma,
                        const float *beta, const float *mean, const float *rstd, float *dx, float *s, float *t);
void norm_silu_backward(const NormShape &shape, const bf16 *x, const bf16 *dy, const float *gamma, const float *beta,
                        const float *mean, const float *rstd, bf16 *dx, float *s, float *t);

}  // namespace fx
