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
