// Convolutions of channels-last tensors with 3x3 and 1x1 kernels and stride 1. The output has the input's grid:
//
//   y[p][o] = r[p][o] + b[o] + sum over taps t and i of w[o][t][i] x[p+t][i]
//
// x (N,H,W,I), y and r (N,H,W,O), w (O,k,k,I), row-major. Beyond the edges x is zero, or repeats if periodic. The
// gradient with respect to x is the same convolution of dy with w[i][-t][o]. The gradients with respect to w and b are
//
//   dw[o][t][i] = sum over p of dy[p][o] x[p+t][i],   db[o] = sum over p of dy[p][o]
//
// x, y and their gradients are of type T, float or bf16. Weights and their gradients are float; weights are rounded to T
// before they are multiplied with x. Sums are float. I and O are multiples of 16.
#pragma once
#include <cstdint>

#include "simd/bf16.h"

namespace fx {

struct ConvShape {
  int64_t samples, height, width, in, out, kernel;
  bool periodic;
  bool inference;  // nobody asks for gradients: see winograd.h
};

// Whether the processor has the instructions that the kernels use.
bool has_conv(bool bfloat16);

// The kernels read the weights in an order of their own, which depends on the way in which they compute the sums. Way is
// the way of a shape and type; shapes of the same channels, kernel and way share packed weights.
enum class ConvWay { direct, winograd, large_winograd, amx };
template <class T>
ConvWay conv_way(const ConvShape &shape);
template <class T>
int64_t conv_packed_bytes(const ConvShape &shape);
template <class T>
void conv_pack(const ConvShape &shape, const float *w, void *packed);

// w is packed for this shape. r may be null.
template <class T>
void conv_forward(const ConvShape &shape, const T *x, const void *w, const float *b, const T *r, T *y);
template <class T>
void conv_input_gradient(const ConvShape &shape, const T *dy, const float *w, T *dx);
template <class T>
void conv_weight_gradient(const ConvShape &shape, const T *x, const T *dy, float *dw, float *db);

}  // namespace fx
