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
// The transforms add at most a bit to the round-off.
//
// Without gradients, sampling takes F(4x4,3x3): 36 multiplications instead of 144, for tiles of 4x4 cells of y and the 6x6
// cells of x on which they depend. It interpolates at 0, +-1/r, +-r and infinity with r = sqrt(2). These points keep the
// round-off at 2 to 4 times that of F(2x2,3x3), where 0, +-1, +-2 would make it 7 times (Barabasz et al. 2020,
// arXiv:1803.10986, has more on the choice of points):
//
//        | 1  0  -5/2   0    1  0 |       | 1     0    0  |       | 1   0    0     0   |
//        | 0  r    2  -1/r  -1  0 |       | 2/3  r/3  1/3 |       | 1  1/r  1/2   1/2r |
//   B' = | 0 -r    2   1/r  -1  0 |   G = | 2/3 -r/3  1/3 |   A = | 1 -1/r  1/2  -1/2r |
//        | 0 -1/r -1/2  r    1  0 |       | 1/6  r/6  1/3 |       | 1   r    2    2r   |
//        | 0  1/r -1/2 -r    1  0 |       | 1/6 -r/6  1/3 |       | 1  -r    2   -2r   |
//        | 0  1    0  -5/2   0  1 |       | 0     0    1  |       | 0   0    0     1   |
#pragma once
#include "conv.h"

namespace fx {

// Whether Winograd's algorithm is the faster one. With few cells the transform of the weights costs more than it saves.
bool has_winograd(const ConvShape &shape);
// Whether a forward product takes F(4x4,3x3): without gradients, if there are enough cells for four times as many
// transformed weights as weights.
bool has_large_winograd(const ConvShape &shape);

// The same arguments and results as in conv.h.
int64_t winograd_packed_bytes(const ConvShape &shape);
void winograd_pack(const ConvShape &shape, const float *w, float *packed);
void winograd_forward(const ConvShape &shape, const float *x, const float *w, const float *b, const float *r, float *y);
void winograd_input_gradient(const ConvShape &shape, const float *dy, const float *w, float *dx);
void winograd_weight_gradient(const ConvShape &shape, const float *x, const float *dy, float *dw, float *db);

}  // namespace fx
