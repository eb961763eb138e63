// A linear map of few rows, as in the time embedding and FiLM: y (N,O) = x (N,K) w' + b, with w (O,K) and b (O). It
// takes as long as reading the weights; libtorch's takes more than twice that. Its gradients:
//
//   dx[n][k] = sum over o of dy[n][o] w[o][k]
//   dw[o][k] = sum over n of dy[n][o] x[n][k],   db[o] = sum over n of dy[n][o]
#pragma once
#include <cstdint>

namespace fx {

struct LinearShape {
  int64_t rows, in, out;
};

// The result does not depend on the number of threads.
void linear_forward(const LinearShape &shape, const float *x, const float *w, const float *b, float *y);
void linear_input_gradient(const LinearShape &shape, const float *dy, const float *w, float *dx);
void linear_weight_gradient(const LinearShape &shape, const float *x, const float *dy, float *dw, float *db);

}  // namespace fx
