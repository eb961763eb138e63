package field

import (
	"math"
	"testing"
)

// TestMove: each cell goes to its place, with its value's scale and offset, whatever the
// reflections and the shift.
func TestMove(t *testing.T) {
	grid := Grid{H: 4, W: 6}
	src, dst := noise(1, grid.Cells()), make([]float32, grid.Cells())
	for _, flips := range [][2]bool{{false, false}, {true, false}, {false, true}, {true, true}} {
		for _, by := range [][2]int{{0, 0}, {1, 0}, {0, 5}, {3, 2}} {
			m := Move{flips[0], flips[1], by[0], by[1]}
			m.Plane(dst, src, grid, -2, 3)
			for y := range grid.H {
				for x := range grid.W {
					toY, toX := y, x
					if m.FlipY {
						toY = 3 - y
					}
					if m.FlipX {
						toX = 5 - x
					}
					if got, want := dst[(toY+m.ShiftY)%4*6+(toX+m.ShiftX)%6], -2*src[y*6+x]+3; got != want {
						t.Errorf("%+v: cell (%d,%d) became %g, want %g", m, y, x, got, want)
					}
				}
			}
		}
	}
}

// TestMoveAndPool: averages move with the cells, and so does their periodic interpolation,
// under reflections and under shifts by whole blocks. Clamped interpolation does not follow a
// shift, nor do averages follow one that divides blocks.
func TestMoveAndPool(t *testing.T) {
	const factor = 2
	grid := Grid{H: 8, W: 12}
	small := grid.Coarser(factor)
	hi := noise(1, grid.Cells())
	lo := func(hi []float32, periodic bool) []float32 {
		coarse, out := make([]float32, small.Cells()), make([]float32, grid.Cells())
		Pool(coarse, hi, grid, factor)
		NewUpsampler(small, factor, periodic).Plane(out, coarse)
		return out
	}
	for _, c := range []struct {
		Move
		periodic, equal bool
	}{
		{Move{FlipY: true}, true, true}, {Move{FlipX: true}, true, true}, {Move{FlipY: true, FlipX: true}, false, true},
		{Move{FlipX: true, ShiftY: 2, ShiftX: 6}, true, true}, {Move{ShiftX: 2}, false, false}, {Move{ShiftX: 1}, true, false},
	} {
		moved, want := make([]float32, grid.Cells()), make([]float32, grid.Cells())
		c.Plane(moved, hi, grid, 1, 0)
		c.Plane(want, lo(hi, c.periodic), grid, 1, 0)
		worst := 0.0
		for i, v := range lo(moved, c.periodic) {
			worst = max(worst, math.Abs(float64(v-want[i])))
		}
		if equal := worst < 1e-6; equal != c.equal {
			t.Errorf("%+v, periodic %v: x_lo of the moved field is %.2g from the moved x_lo", c.Move, c.periodic, worst)
		}
	}
}
