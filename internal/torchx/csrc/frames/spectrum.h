// The power spectra of a frame's fields, eight fields at a time. The eight values of a cell are one vector, so that a
// transform is plain code over cells, and fields that are stored channels-last are transformed without a copy.
//
//   rows y and y+H/2 --FFT over x, one real, one imaginary--> Z (H/2,W)
//   columns k and W-k of Z --separated, FFT over y--> |F|^2 --> P(shell)
//
// The same rows, averaged over factor x factor cells on the way, are the rows of the coarse field, which is transformed
// in the same way. A grid may have any size: the transforms are Stockham's, with radices 2, 4 and 8 and then the primes that
// are left.
#pragma once
#include <stdint.h>

typedef struct fx_spectrum *fx_spectrum_plan;

typedef struct {
  const float *values;
  int64_t cell_stride, channel_stride;  // in floats
  const int64_t *channels;              // n of them, at most 8
  int64_t n;
  const float *mean, *scale;  // n each, to transform (x - mean) scale; NULL: transform x
} fx_spectrum_input;
