package field

import (
	"math"
	"testing"
)

// TestPhysicalUndoesNormalize, to float32's rounding, plane by plane.
func TestPhysicalUndoesNormalize(t *testing.T) {
	s := StatsOf([]Welford{{Count: 4, Mean: 3, M2: 16}, {Count: 4, Mean: -1, M2: 1}})
	if s.Std[0] != 2 || s.Std[1] != 0.5 {
		t.Fatalf("deviations %v, want 2 and 0.5", s.Std)
	}
	const cells = 5
	x := noise(2, 4*cells) // two frames of two channels
	y := make([]float32, len(x))
	for i := range 4 {
		s.Normalize(y[i*cells:][:cells], x[i*cells:][:cells], i%2)
	}
	if want := (x[cells] + 1) * 2; y[cells] != want {
		t.Errorf("normalized %g, want %g", y[cells], want)
	}
	s.PhysicalPlanes(y, y, cells)
	for i := range x {
		if d := y[i] - x[i]; !(d < 1e-6 && d > -1e-6) {
			t.Errorf("value %d is %g, want %g", i, y[i], x[i])
		}
	}
}

// TestConstantChannels can be divided by their deviation.
func TestConstantChannels(t *testing.T) {
	s := StatsOf([]Welford{{Count: 9}, {Count: 9, Mean: -2e6}, {Count: 9, Mean: 1e-20}})
	for c, want := range []float64{1e-8, 2e-2, 1e-28} {
		if math.Abs(s.Std[c]-want) > 1e-12*want {
			t.Errorf("channel %d: deviation %g, want %g", c, s.Std[c], want)
		}
	}
}

// TestLogarithm: a field's logarithm is normalized, and undone; its coarse field is found
// again in physical units.
func TestLogarithm(t *testing.T) {
	s := Stats{Mean: []float64{0, 0.5}, Std: []float64{1, 2}, Log: []bool{false, true}}
	if !s.HasLog() || s.IsLog(0) || !s.IsLog(1) || (&Stats{}).HasLog() {
		t.Error("not the channels with logarithms")
	}
	x := []float32{1, math.E, 1e-30, 1e30}
	y := make([]float32, len(x))
	s.Normalize(y, x, 1)
	for i, want := range []float64{-0.25, 0.25, (-30*math.Ln10 - 0.5) / 2, (30*math.Ln10 - 0.5) / 2} {
		if math.Abs(float64(y[i])-want) > 1e-6*math.Abs(want) {
			t.Errorf("logarithm of %g: normalized %g, want %g", x[i], y[i], want)
		}
	}
	s.Physical(y, y, 1)
	for i := range x {
		if math.Abs(float64(y[i]/x[i])-1) > 1e-5 {
			t.Errorf("%g came back as %g", x[i], y[i])
		}
	}

	grid := Grid{H: 8, W: 12}
	small := grid.Coarser(2)
	coarse, lo := noise(4, small.Cells()), make([]float32, grid.Cells())
	for i, v := range coarse {
		coarse[i] = float32(math.Exp(float64(v)))
	}
	NewUpsampler(small, 2, true).Plane(lo, coarse)
	s.Normalize(lo, lo, 1)
	got := make([]float32, len(coarse))
	s.Coarse(got, lo, 1, grid, 2, true)
	s.Physical(got, got, 1)
	for i, want := range coarse {
		if math.Abs(float64(got[i]/want)-1) > 1e-4 {
			t.Errorf("coarse %g, want %g", got[i], want)
		}
	}
}
