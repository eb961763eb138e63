package sinks

import (
	"fmsr/internal/evaluate"
	"fmsr/internal/spectra"
	"fmsr/internal/torchx"
)

// torchSpectra returns spectra that libtorch's FFT computes, on the torch thread
// that do runs its argument on.
func torchSpectra(fine *spectra.Shells, factor int, do func(func(*torchx.Scope) error) error) evaluate.Spectra {
	low := fine.Coarser(factor)
	return func(values []float32, coarse bool) (hi, lo [][]float64, err error) {
		err = do(func(s *torchx.Scope) error {
			x := s.FromFloats(values, int64(len(values)/(fine.H*fine.W)), 1, int64(fine.H), int64(fine.W))
			hi = powerOf(s, x, fine)
			if coarse {
				lo = powerOf(s, s.AvgPool2d(x, int64(factor)), low)
			}
			return s.Err()
		})
		return hi, lo, err
	}
}

// powerOf returns P(k) of each plane of x (N,1,H,W).
func powerOf(s *torchx.Scope, x torchx.Tensor, shells *spectra.Shells) [][]float64 {
	power, half := s.Floats(s.PowerSpectrum2d(x)), shells.H*(shells.W/2+1)
	var p [][]float64
	for ; len(power) > 0; power = power[half:] {
		p = append(p, shells.Sum(power[:half]))
	}
	return p
}
