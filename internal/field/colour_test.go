package field

import (
	"math"
	"testing"
)

// TestColourOfAWave: a cos(k.x) has F = a/2 at k and -k. So H W a^2/4 is shared by those
// waves of the bin, of both signs of ky and of kx.
func TestColourOfAWave(t *testing.T) {
	for _, c := range []struct {
		grid     Grid
		ky, kx   int
		row, col int     // of the bin
		waves    float64 // in the bin
	}{
		{Grid{H: 8, W: 12}, 1, 2, 1, 2, 4},     // +-1, +-2
		{Grid{H: 8, W: 12}, 3, 6, 3, 5, 3 * 3}, // 3, 4 and -3 along y; 5, 6 and -5 along x
		{Grid{H: 8, W: 12}, 0, 3, 0, 3, 2},
		{Grid{H: 7, W: 5}, 3, 1, 2, 0, 2 * 3}, // 3 and -3; 0, 1 and -1
		{Grid{H: 128, W: 2}, 5, 0, 2, 0, 4 * 2},
	} {
		const a = 3
		plane := make([]float32, c.grid.Cells())
		for i := range plane {
			y, x := float64(i/c.grid.W)/float64(c.grid.H), float64(i%c.grid.W)/float64(c.grid.W)
			plane[i] = float32(a * math.Cos(2*math.Pi*(float64(c.ky)*y+float64(c.kx)*x)))
		}
		m := NewColourMeter(c.grid)
		m.Add(plane)
		m.Add(make([]float32, len(plane))) // the mean of two
		got := m.Colour()
		want := float64(c.grid.Cells()) * a * a / 4 * 2 / c.waves / 2
		for i, p := range got.Power {
			expected := 0.0
			if i == c.row*got.Cols+c.col {
				expected = want
			}
			if math.Abs(p-expected) > 1e-5*want {
				t.Errorf("%v, wave (%d,%d): bin %d has %g, want %g", c.grid, c.ky, c.kx, i, p, expected)
			}
		}
		if got.At(c.grid, c.ky, c.kx) != got.Power[c.row*got.Cols+c.col] {
			t.Errorf("%v: wave (%d,%d) has another bin", c.grid, c.ky, c.kx)
		}
	}
}

// TestColourAddsUp: the mean of Power over a grid's waves is the mean square of the planes
// (Parseval), whatever the bins.
func TestColourAddsUp(t *testing.T) {
	for _, grid := range []Grid{{H: 8, W: 12}, {H: 7, W: 9}, {H: 130, W: 66}, {H: 1, W: 4}} {
		m := NewColourMeter(grid)
		square := 0.0
		for range 3 {
			plane := make([]float32, grid.Cells())
			for i := range plane {
				plane[i] = float32(math.Sin(float64(i*i)) + 0.3)
				square += float64(plane[i]) * float64(plane[i]) / float64(3*len(plane))
			}
			m.Add(plane)
		}
		colour, sum := m.Colour(), 0.0
		for ky := range grid.H {
			for kx := range grid.W {
				sum += colour.At(grid, ky, kx) / float64(grid.Cells())
			}
		}
		if math.Abs(sum-square) > 1e-6*square {
			t.Errorf("%v: mean power %g, mean square %g", grid, sum, square)
		}
		if err := colour.Check(); err != nil {
			t.Error(err)
		}
	}
}

// TestColourOnOtherGrids: a wave of as many cells has the same power on every grid.
func TestColourOnOtherGrids(t *testing.T) {
	c := Colour{Rows: 4, Cols: 2, Power: []float64{1, 2, 3, 4, 5, 6, 7, 8}}
	for _, grid := range []Grid{{H: 8, W: 8}, {H: 32, W: 64}} {
		for _, w := range []struct {
			y, x float64 // cycles per cell
			want float64
		}{{0, 0, 1}, {0.125, 0.125, 3}, {0.125, 0.25, 4}, {0.5, 0.5, 8}, {0.875, 0.75, 4}, {0.375, 0.125, 7}} {
			if got := c.At(grid, int(w.y*float64(grid.H)), int(w.x*float64(grid.W))); got != w.want {
				t.Errorf("%v: (%g,%g) has the power %g, want %g", grid, w.y, w.x, got, w.want)
			}
		}
	}
	if got := c.Variance(); got != 4.5 {
		t.Errorf("variance %g, want 4.5", got)
	}
	for _, bad := range []Colour{{}, {1, 1, nil}, {1, 2, []float64{1}}, {1, 1, []float64{-1}}, {1, 1, []float64{math.NaN()}}} {
		if bad.Check() == nil {
			t.Errorf("%v is taken", bad)
		}
	}
}
