package sinks

import (
	"fmsr.example/fmsr/internal/evaluate"
	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/field/plan"
)

// kernels returns the arithmetic of comparisons on a grid.
func kernels(grid field.Grid, factor int) (evaluate.Kernels, error) {
	spectra, err := plan.NewSplitSpectra(grid, factor)
	if err != nil {
		return evaluate.Kernels{}, err
	}
	return evaluate.Kernels{Power: spectra.Add, Moments: plan.Moments}, nil
}
