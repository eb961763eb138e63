// The power spectra of a frame's fields, eight fields at a time: a cell's eight
// values are one vector, so that a transform is plain code over cells, and fields
// that are stored channels last are transformed where they lie.
//
//   rows y and y+H/2 --FFT over x, one real, one imaginary--> Z (H/2,W)
//   columns k and W-k of Z --taken apart, FFT over y--> |F|^2 --> P(shell)
//
// The same rows, averaged over factor x factor cells as they pass, are the rows of
// the coarse field, which goes the same way. Grids of any size: the transforms are
// Stockham's, with radices 8, 4, 2 and then whatever primes are left.
#pragma once
#include <stdint.h>

typedef struct fx_spectrum *fx_spectrum_plan;

typedef struct {
  const float *values;
  int64_t cell_stride, channel_stride;  // in floats
  const int64_t *channels;              // n of them, at most 8
  int64_t n;
  const float *mean, *scale;  // n each, (x - mean) scale is transformed; NULL: x is
} fx_spectrum_input;
