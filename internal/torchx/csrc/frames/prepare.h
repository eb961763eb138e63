// The preprocessing of a frame in one pass over its memory. It reads two fine rows of every kept channel, works on them
// while they are in the L1 cache, and keeps two pooled rows, between which it interpolates.
//
//   x_hi[k] = (x - mean[k]) scale[k]                      x: the input's channel channels[k]
//   x_lo[k] = (bilinear(avg_pool(x, 2)) - mean[k]) scale[k]
//
// Fine row 2j is a quarter of a coarse row above coarse row j, and row 2j+1 a quarter below it (align_corners=False). The
// operations and their order are those of the same maths in Go, without fused multiply-adds, so that the bits are equal.
#pragma once
#include <stdbool.h>
#include <stdint.h>

typedef struct {
  int64_t h, w;                         // fine cells; even if lo is computed
  int64_t cell_stride, channel_stride;  // of src, in floats
  const int64_t *channels;              // the channels of src that are kept, n of them
  int64_t n;
  const float *mean, *scale;  // n each; NULL: no normalization
  bool periodic;              // else cells beyond an edge have the edge's value
} fx_prepare_plan;
