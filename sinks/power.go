package sinks

import (
	"fmsr/internal/evaluate"
	"fmsr/internal/field"
	"fmsr/internal/frames"
	"fmsr/internal/spectra"
	"fmsr/internal/torchx"
)

// kernels returns the arithmetic of comparisons on a grid. Its spectra are computed
// by libtorch's FFT, on the torch thread that do runs its argument on.
func kernels(grid field.Grid, factor int, do func(func(*torchx.Scope) error) error) evaluate.Kernels {
	ly, lx := grid.Lengths()
	shells := spectra.NewShells(grid.H, grid.W, ly, lx)
	low := shells.Coarser(factor)
	power := func(planes []float32, coarse bool) (fine, pooled [][]float64, err error) {
		err = do(func(s *torchx.Scope) error {
			x := s.FromFloats(planes, int64(len(planes)/grid.Cells()), 1, int64(grid.H), int64(grid.W))
			fine = powerOf(s, x, shells)
			if coarse {
				pooled = powerOf(s, s.AvgPool2d(x, int64(factor)), low)
			}
			return s.Err()
		})
		return fine, pooled, err
	}
	return evaluate.Kernels{Power: power, Moments: planeMoments}
}

func planeMoments(plane []float32) (w frames.Welford) {
	w.Add(plane)
	return w
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
