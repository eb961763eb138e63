package field

import (
	"math"
	"testing"

	"fmsr.example/fmsr/internal/testkit/golden"
)

func noise(seed uint64, n int) []float32 {
	values := make([]float32, n)
	for i := range values {
		values[i] = float32(golden.N(seed, uint64(i)))
	}
	return values
}

// TestCoarse: a coarse plane is found again in its interpolation, to rounding.
func TestCoarse(t *testing.T) {
	for factor := 2; factor <= 5; factor++ {
		for _, periodic := range []bool{false, true} {
			grid := Grid{H: 3, W: 4}
			fine := grid.Finer(factor)
			coarse, again, lo := noise(1, grid.Cells()), make([]float32, grid.Cells()), make([]float32, fine.Cells())
			NewUpsampler(grid, factor, periodic).Plane(lo, coarse)
			Coarse(again, lo, fine, factor, periodic)
			for i, want := range coarse {
				if d := again[i] - want; !(d < 2e-6 && d > -2e-6) {
					t.Errorf("factor %d, periodic %v, cell %d: %g, want %g", factor, periodic, i, again[i], want)
				}
			}
		}
	}
}

// TestPool: averages of a plane whose columns count up.
func TestPool(t *testing.T) {
	grid := Grid{H: 6, W: 9}
	plane, dst := make([]float32, grid.Cells()), make([]float32, 6)
	for i := range plane {
		plane[i] = float32(i % grid.W)
	}
	Pool(dst, plane, grid, 3)
	for i, v := range dst {
		if want := float32(i%3*3 + 1); math.Abs(float64(v-want)) > 1e-6 {
			t.Errorf("cell %d is %g, want %g", i, v, want)
		}
	}
}
