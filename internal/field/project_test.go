package field_test

import (
	"math"
	"slices"
	"testing"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/testkit/golden"
)

// TestProjectCoarse checks the identities of an orthogonal projection: pooling gives
// the coarse plane, a plane that has its averages stays, the move is orthogonal to
// every plane without averages, and no error against such a truth grows.
func TestProjectCoarse(t *testing.T) {
	for _, factor := range []int{2, 3, 4} {
		grid := field.Grid{H: 12, W: 24}
		plane := func(seed uint64) []float32 {
			p := make([]float32, grid.Cells())
			for i := range p {
				p[i] = float32(3 + golden.N(seed, uint64(i)))
			}
			return p
		}
		truth, before := plane(1), plane(2)
		coarse := make([]float32, grid.Coarser(factor).Cells())
		field.Pool(coarse, truth, grid, factor)

		fine := slices.Clone(before)
		field.ProjectCoarse(fine, coarse, grid, factor)
		pooled := make([]float32, len(coarse))
		field.Pool(pooled, fine, grid, factor)
		for i := range coarse {
			golden.Near(t, "pooled", float64(pooled[i]), float64(coarse[i]), 2e-6)
		}

		again := slices.Clone(fine)
		field.ProjectCoarse(again, coarse, grid, factor)
		var inner, errorBefore, errorAfter float64
		for i := range fine {
			golden.Near(t, "projected twice", float64(again[i]), float64(fine[i]), 2e-6)
			inner += (float64(fine[i]) - float64(before[i])) * (float64(truth[i]) - float64(fine[i]))
			errorBefore += math.Pow(float64(before[i])-float64(truth[i]), 2)
			errorAfter += math.Pow(float64(fine[i])-float64(truth[i]), 2)
		}
		golden.Near(t, "the move times what is left", inner, 0, 1e-4)
		if errorAfter >= errorBefore {
			t.Errorf("factor %d: squared error %g became %g", factor, errorBefore, errorAfter)
		}
	}
}

// TestProjectPositive: the averages are met, the plane stays positive, and ratios within a
// block stay.
func TestProjectPositive(t *testing.T) {
	grid := field.Grid{H: 6, W: 9}
	plane := func(seed uint64) []float32 {
		p := make([]float32, grid.Cells())
		for i := range p {
			p[i] = float32(math.Exp(2 * golden.N(seed, uint64(i))))
		}
		return p
	}
	fine, before := plane(2), plane(2)
	coarse, pooled := make([]float32, 6), make([]float32, 6)
	field.Pool(coarse, plane(1), grid, 3)
	field.ProjectPositive(fine, coarse, grid, 3)
	field.Pool(pooled, fine, grid, 3)
	for i := range coarse {
		golden.Near(t, "average over the wanted", float64(pooled[i]/coarse[i]), 1, 1e-6)
	}
	for i, v := range fine {
		first := i/9/3*3*9 + i%9/3*3 // of the block
		golden.Near(t, "ratio within a block", float64(v/fine[first]), float64(before[i]/before[first]), 1e-5*float64(before[i]/before[first]))
	}
}
