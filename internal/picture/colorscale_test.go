package picture

import (
	"math"
	"testing"
)

func fieldOf(values ...float32) []Field { return []Field{{H: 1, W: len(values), Data: values}} }

// thousand returns 0.001, 0.002, ... 1, times sign, with another last value.
func thousand(sign, last float32) []float32 {
	values := make([]float32, 1000)
	for i := range values {
		values[i] = sign * float32(i+1) / 1000
	}
	values[999] = last
	return values
}

func TestDivergingScale(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		name         string
		values       []float32
		hi           float64
		below, above bool
	}{
		{"outlier above", thousand(1, 50), 0.998, false, true},
		{"outlier below", thousand(1, -50), 0.998, true, true}, // 0.999 is above
		{"negative", thousand(-1, -1), 0.998, true, false},
		{"few", []float32{1, -4, 2}, 4, false, false},
		{"not finite", []float32{1, nan, inf, -inf}, 1, false, false},
		{"zeros", []float32{0, 0}, 1, false, false},
		{"only NaN", []float32{nan}, 1, false, false},
		{"one cell in 1000 not zero", append(make([]float32, 999), -3), 3, false, false},
	} {
		s := divergingScale(fieldOf(c.values...))
		if math.Abs(s.hi-c.hi) > 1e-6 || s.lo != -s.hi || s.below != c.below || s.above != c.above {
			t.Errorf("%s: %g to %g, below %t, above %t; want +-%g, %t, %t", c.name, s.lo, s.hi, s.below, s.above, c.hi, c.below, c.above)
		}
		if got := s.color(0); got != white {
			t.Errorf("%s: zero is %v", c.name, got)
		}
	}
}

func TestSizeScale(t *testing.T) {
	for _, c := range []struct {
		name   string
		values []float32
		hi     float64
		above  bool
	}{
		{"outlier", thousand(1, 50), 0.99, true},
		{"zeros", []float32{0, 0}, 1, false},
		{"one value", []float32{0, 0, 3}, 3, false},
	} {
		if s := sizeScale(fieldOf(c.values...)); s.lo != 0 || math.Abs(s.hi-c.hi) > 1e-6 || s.above != c.above || s.below {
			t.Errorf("%s: %+v, want 0 to %g", c.name, s, c.hi)
		}
	}
}

func TestSequentialScale(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(-1))
	for _, c := range []struct {
		name   string
		values []float32
		lo, hi float64
		beyond bool // values below lo and above hi
	}{
		{"outliers", thousand(1, 50), 0.002, 0.999, true},
		{"few", []float32{1, 50, 2}, 1, 50, false},
		{"not finite", []float32{1, nan, inf, 3}, 1, 3, false},
		{"constant", []float32{5, 5}, 4.5, 5.5, false},
		{"large constant", []float32{-1e30, -1e30}, -1.1e30, -0.9e30, false},
		{"zeros", []float32{0, 0}, -1, 1, false},
		{"only NaN", []float32{nan}, 0, 1, false},
	} {
		s := sequentialScale(fieldOf(c.values...))
		near := func(a, b float64) bool { return math.Abs(a-b) <= 1e-6*math.Abs(b) }
		if !near(s.lo, c.lo) || !near(s.hi, c.hi) || s.below != c.beyond || s.above != c.beyond {
			t.Errorf("%s: %+v, want %g to %g", c.name, s, c.lo, c.hi)
		}
	}
}
