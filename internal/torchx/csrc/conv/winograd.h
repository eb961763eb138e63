// The convolutions of conv.h with 3x3 kernels by Winograd's algorithm F(2x2,3x3) (Lavin & Gray 2015, arXiv:1509.09308):
// 16 multiplications instead of 36. For each tile of 2x2 cells of y, with d the 4x4 cells of x on which the tile depends
// and g the weights:
//
//   y = A' [ sum over channels of (G g G') . (B' d B) ] A      . multiplies element by element
//
//        | 1  0 -1  0 |       | 1    0   0  |       | 1  0 |
//   B' = | 0  1  1  0 |   G = | 1/2  1/2 1/2|   A = | 1  1 |
//        | 0 -1  1  0 |       | 1/2 -1/2 1/2|       | 1 -1 |
//        | 0  1  0 -1 |       | 0    0   1  |       | 0 -1 |
//
// The gradient with respect to g is the adjoint. Its last transform is applied once, after the sum over all tiles:
//
//   dg = G' [ sum over tiles of (A dy A') . (B' d B) ] G
//
// The transforms add at most a bit to the round-off. float32 only.
#pragma once
#include "conv.h"

namespace fx {

// Whether Winograd's algorithm is the faster one. With few cells the transform of the weights costs more than it saves.
bool has_winograd(const ConvShape &shape);

// The same arguments and results as in conv.h.
int64_t winograd_packed_bytes(const ConvShape &shape);
void winograd_pack(const ConvShape &shape, const float *w, float *packed);
void winograd_forward(const ConvShape &shape, const float *x, const float *w, const float *b, const float *r, float *y);
void winograd_input_gradient(const ConvShape &shape, const float *dy, const float *w, float *dx);
void winograd_weight_gradient(const ConvShape &shape, const float *x, const float *dy, float *dw, float *db);

}  // namespace fx
