// A frame's preprocessing in one pass over its memory. It reads two fine rows of
// every kept channel at a time, while they are in the first cache, and keeps two
// pooled rows, between which it interpolates.
//
//   x_hi[k] = (x - mean[k]) scale[k]                      x: channel channels[k]
//   x_lo[k] = (bilinear(avg_pool(x, 2)) - mean[k]) scale[k]
//
// Fine row 2j lies a quarter of a coarse row above coarse row j, row 2j+1 a
// quarter below (align_corners=False). Operations and their order are those of
// the stages in Go, without contraction, so that results are the same bits.
#pragma once
#include <stdbool.h>
#include <stdint.h>

typedef struct {
  int64_t h, w;                         // fine cells; even where lo is made
  int64_t cell_stride, channel_stride;  // of src, in floats
  const int64_t *channels;              // of src, n of them
  int64_t n;
  const float *mean, *scale;  // n each; NULL: no normalization
  bool periodic;              // else what lies beyond an edge is the edge's value
} fx_prepare_plan;
