// The convolutions of conv.h in bf16 by the products of AMX's tiles (simd/tiles.h). All three are matrix products:
//
//   y:  cells x channels of x,   times  channels of x x channels of y,  for each tap
//   dx: the same, of dy and the weights transposed
//   dw: channels of y x cells,   times  cells x channels of x,          for each tap
//
// Each keeps a block of 32 x 32 sums in four tiles: a step loads two tiles of either factor and makes four products, so
// that a tile that is loaded is used twice.
#pragma once
#include "conv.h"

namespace fx {

// The same arguments and results as in conv.h.
int64_t amx_packed_bytes(const ConvShape &shape);
void amx_pack(const ConvShape &shape, const float *w, void *packed);
void amx_forward(const ConvShape &shape, const bf16 *x, const void *w, const float *b, const bf16 *r, bf16 *y);
void amx_input_gradient(const ConvShape &shape, const bf16 *dy, const float *w, bf16 *dx);
void amx_weight_gradient(const ConvShape &shape, const bf16 *x, const bf16 *dy, float *dw, float *db);

}  // namespace fx
