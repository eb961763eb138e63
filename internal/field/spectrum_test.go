package field

import (
	"math"
	"testing"
)

// TestApart checks each mode of oblong grids and cells: it is lost if it is at or beyond
// the coarse grid's Nyquist wavenumber along an axis, whatever its |k|.
func TestApart(t *testing.T) {
	for _, c := range []struct {
		grid   Grid
		factor int
		from   float64 // the least |k| that is lost
	}{
		{Grid{H: 8, W: 8}, 2, 2},
		{Grid{H: 16, W: 8}, 2, 4},
		{Grid{H: 8, W: 8, Box: [2]float64{1, 4}}, 2, 2},
		{Grid{H: 8, W: 8, Box: [2]float64{4, 1}}, 2, 2},
		{Grid{H: 16, W: 8, Box: [2]float64{1, 4}}, 4, 1},
		{Grid{H: 9, W: 15}, 3, 2.5},
	} {
		s := NewShells(c.grid)
		apart, n := s.Apart(c.factor), s.Len()
		if apart.Len() != 2*n {
			t.Fatalf("%+v: %d shells, want %d", c.grid, apart.Len(), 2*n)
		}
		counted := make([]int, 2*n)
		for y := range c.grid.H {
			for x := range c.grid.W/2 + 1 {
				i := y*(c.grid.W/2+1) + x
				ky, kx := float64(min(y, c.grid.H-y)), float64(x)
				lost := ky >= float64(c.grid.H)/float64(2*c.factor) || kx >= float64(c.grid.W)/float64(2*c.factor)
				want := int(s.Index[i])
				if lost {
					want += n
				}
				if int(apart.Index[i]) != want {
					t.Errorf("%+v: mode (%g,%g) is in shell %d, want %d", c.grid, ky, kx, apart.Index[i], want)
				}
				counted[want] += int(s.weight[i])
			}
		}
		for k, want := range counted {
			if apart.Count[k] != want {
				t.Errorf("%+v: %d modes in shell %d, want %d", c.grid, apart.Count[k], k, want)
			}
		}
		if got := c.grid.LostFrom(c.factor); math.Abs(got-c.from) > 1e-12 {
			t.Errorf("%+v: lost from %g, want %g", c.grid, got, c.from)
		}
	}
}
