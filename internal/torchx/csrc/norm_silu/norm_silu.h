// GroupNorm, FiLM and SiLU in one pass over memory, for channels-last x and y (N,H,W,C).
//
// With mu and sigma the mean and standard deviation over each group of channels of a sample:
//
//   xhat = (x - mu) / sigma,   z = gamma xhat + beta,   y = z sigmoid(z), or z without SiLU
//
// gamma and beta (N,C) are the norm's weight and bias with FiLM folded in:
// gamma = w (1 + scale), beta = b (1 + scale) + shift. Backward, from dy:
//
//   dz = dy s (1 + z (1 - s)), s = sigmoid(z);   S = sum dz,  T = sum dz xhat over a channel's cells
//   dx = (gamma dz - <gamma dz> - xhat <gamma dz xhat>) / sigma,  <.> the mean over the group
//   dscale = w T + b S,   dshift = S,   dw = sum over samples of (1 + scale) T,   db = sum over samples of (1 + scale) S
#pragma once
#include <cstdint>

#include "simd/bf16.h"

namespace fx {

struct NormShape {
  int64_t samples, channels, cells, groups;
  float eps;
  bool silu;
};

// The parameters: w and b (C); film (N,2C) = [scale | shift], or null.
struct NormParams {
  const float *w, *b, *film;
};

// mean and rstd = 1/sigma are (N,groups). dfilm is null if film is.
template <class T>
void norm_silu_forward(const NormShape &shape, const NormParams &params, const T *x, T *y, float *mean, float *rstd);
template <class T>
void norm_silu_backward(const NormShape &shape, const NormParams &params, const T *x, const T *dy, const float *mean,
                        const float *rstd, T *dx, float *dw, float *db, float *dfilm);

}  // namespace fx
