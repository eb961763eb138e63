package rng

import (
	"math"
	"slices"
	"testing"
)

// TestUniform: moments of the uniform distribution, also over streams that
// differ in one high bit, and in the first index alone.
func TestUniform(t *testing.T) {
	const n = 100000
	for name, draw := range map[string]func(i uint64) float64{
		"one stream":   func(i uint64) float64 { return Uniform(Stream(1, Time, 2), i) },
		"many streams": func(i uint64) float64 { return Uniform(Stream(1, Time, i), 0) },
		"high bits":    func(i uint64) float64 { return Uniform(Stream(i<<44, Time), 0) },
	} {
		mean, square, lag := 0.0, 0.0, 0.0
		last := 0.5
		for i := range uint64(n) {
			u := draw(i)
			if u < 0 || u >= 1 {
				t.Fatalf("%s: %g", name, u)
			}
			mean += u / n
			square += u * u / n
			lag += (u - 0.5) * (last - 0.5) / n
			last = u
		}
		for what, off := range map[string]float64{"mean": mean - 0.5, "square": square - 1.0/3, "correlation": lag} {
			if math.Abs(off) > 5/math.Sqrt(n)*0.3 {
				t.Errorf("%s: %s is off by %g", name, what, off)
			}
		}
	}
}

func TestNormal(t *testing.T) {
	const n = 100000
	mean, square := 0.0, 0.0
	for i := range uint64(n) {
		x := Normal(7, i)
		mean += x / n
		square += x * x / n
	}
	if math.Abs(mean) > 5/math.Sqrt(n) || math.Abs(square-1) > 5*math.Sqrt(2.0/n) {
		t.Errorf("mean %g, mean square %g", mean, square)
	}
}

// TestStreams: no two of many streams meet.
func TestStreams(t *testing.T) {
	seen := map[uint64]bool{}
	for seed := range uint64(100) {
		for purpose := Weights; purpose <= SampleNoise; purpose++ {
			for step := range uint64(100) {
				s := Stream(seed<<32, purpose, step)
				if seen[s] {
					t.Fatalf("seed %d, purpose %d, step %d: a stream met before", seed, purpose, step)
				}
				seen[s] = true
			}
		}
	}
}

// TestPermutation: every order of three comes equally often.
func TestPermutation(t *testing.T) {
	counts := map[[3]int]int{}
	for i := range uint64(6000) {
		p := Permutation(Stream(i), 3)
		counts[[3]int(p)]++
		slices.Sort(p)
		if !slices.Equal(p, []int{0, 1, 2}) {
			t.Fatalf("%v is no permutation", p)
		}
	}
	if len(counts) != 6 {
		t.Errorf("%d orders, want 6", len(counts))
	}
	for order, n := range counts {
		if n < 850 || n > 1150 {
			t.Errorf("order %v came %d times in 6000", order, n)
		}
	}
}
