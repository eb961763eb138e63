package plan

import (
	"math"
	"testing"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/testkit/golden"
)

// powerOf returns P(k) of each plane of values on a grid, by Add in one call.
func powerOf(t *testing.T, grid field.Grid, values []float64) [][]float64 {
	t.Helper()
	p, err := NewSpectra(grid, 0)
	if err != nil {
		t.Fatal(err)
	}
	planes := make([]float32, len(values))
	for i, v := range values {
		planes[i] = float32(v)
	}
	power := make([][]float64, len(values)/grid.Cells())
	for c := range power {
		power[c] = make([]float64, p.Hi.Len())
	}
	if err := p.Add(power, nil, nil, planes); err != nil {
		t.Fatal(err)
	}
	return power
}

// float32 transforms are off by 2.4e-7 of the largest shell in the oracle too.
const tol = 1e-6

func TestGoldenSums(t *testing.T) {
	var want map[string]struct {
		MeanSquare float64   `json:"mean_square"`
		P          []float64 `json:"P"`
	}
	golden.Load(t, "spectra_sum", &want)
	for name, grid := range map[string]struct{ h, w, n int }{"64x64": {64, 64, 64}, "45x45": {45, 45, 45}, "32x48": {32, 48, 48}} {
		f := make([]float64, 0, grid.h*grid.w)
		for y := range grid.h {
			for x := range grid.w {
				f = append(f, golden.Field(0, 1, y, x, grid.n))
			}
		}
		w := want[name]
		got := powerOf(t, field.Grid{H: grid.h, W: grid.w}, f)[0]
		if len(got) != len(w.P) {
			t.Errorf("%s: %d shells, want %d", name, len(got), len(w.P))
			continue
		}
		total := 0.0
		for k := range got {
			total += got[k]
			golden.Near(t, name+": P", got[k], w.P[k], tol*w.MeanSquare)
		}
		golden.Near(t, name+": sum of P", total, w.MeanSquare, tol*w.MeanSquare)
	}
}

func TestGoldenMeans(t *testing.T) {
	var want struct {
		Modes []float64   `json:"modes_per_bin"`
		P     [][]float64 `json:"P"`
	}
	golden.Load(t, "spectra", &want)
	grid := field.Grid{H: 64, W: 64}
	s := field.NewShells(grid)
	got := powerOf(t, grid, golden.Fields(2, 3, 64))
	for c := range 3 {
		for k, modes := range want.Modes {
			mean := (got[c][k] + got[3+c][k]) / 2 / modes
			golden.Near(t, "P", mean, want.P[c][k], tol/modes)
		}
	}
	for k, modes := range want.Modes[:32] { // the oracle leaves out corners, which start at k = 32
		if float64(s.Count[k]) != modes {
			t.Errorf("shell %d has %d modes, want %g", k, s.Count[k], modes)
		}
	}
}

func TestParseval(t *testing.T) {
	for _, grid := range [][2]int{{8, 8}, {9, 9}, {8, 12}, {15, 10}, {7, 32}} {
		h, w := grid[0], grid[1]
		f := make([]float64, h*w)
		mean := 0.0
		for i := range f {
			f[i] = golden.N(3, uint64(i))
			mean += f[i] * f[i] / float64(len(f))
		}
		s := field.NewShells(field.Grid{H: h, W: w})
		total, modes := 0.0, 0
		for k, p := range powerOf(t, s.Grid, f)[0] {
			total += p
			modes += s.Count[k]
		}
		golden.Near(t, "sum of P", total, mean, 1e-6*mean)
		if modes != h*w {
			t.Errorf("%d x %d: %d modes in the shells, want %d", h, w, modes, h*w)
		}
	}
}

// TestBox: in a box twice as high as wide, one wave along x has twice the
// wavenumber of one along y.
func TestBox(t *testing.T) {
	const n = 16
	f := make([]float64, n*n)
	for i := range f {
		f[i] = math.Cos(2 * math.Pi * float64(i%n) / n)
	}
	p := powerOf(t, field.Grid{H: n, W: n, Box: [2]float64{2, 1}}, f)[0]
	golden.Near(t, "P(2)", p[2], 0.5, 1e-6)
	golden.Near(t, "P(1)", p[1], 0, 1e-6)
}
