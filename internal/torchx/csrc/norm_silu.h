// The loops of GroupNorm, FiLM and SiLU in one pass, for channels-last (N,H,W,C).
//
// With mu, sigma the mean and deviation over each group of channels of a sample:
//
//   xhat = (x - mu) / sigma,   z = gamma xhat + beta,   y = z sigmoid(z), or z where there is no SiLU
//
// gamma and beta (N,C) are the norm's weight and bias with FiLM folded in:
// gamma = w (1 + scale), beta = b (1 + scale) + shift. Backward, from dy:
//
//   dz = dy s (1 + z (1 - s)), s = sigmoid(z);   S = sum dz,  T = sum dz xhat over a channel's cells
//   dx = (gamma dz - <gamma dz> - xhat <gamma dz xhat>) / sigma,  <.> the mean over the group
//   dscale = w T + b S,   dshift = S,   dw = sum over samples of (1 + scale) T,   db = that of (1 + scale) S
#pragma once
#include <cstdint>

#include "bf16.h"

namespace fx {

struct NormShape {
  int64_t samples, channels, cells, groups;
  float eps;
  bool silu;
};

// The norm's parameters: w, b (C); film (N,2C), scale and then shift, or null.
struct NormParams {
  const float *w, *b, *film;
};

// mean and rstd = 1/sigma are (N,groups); dfilm is null where film is.
template <class T>
void norm_silu_forward(const NormShape &shape, const NormParams &params, const T *x, T *y, float *mean, float *rstd);
template <class T>
void norm_silu_backward(const NormShape &shape, const NormParams &params, const T *x, const T *dy, const float *mean,
                        const float *rstd, T *dx, float *dw, float *db, float *dfilm);

}  // namespace fx
