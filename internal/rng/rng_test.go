package rng

import (
	"math"
	"slices"
	"testing"

	formulas "fmsr.example/fmsr/internal/testkit/golden"
)

// TestUniform checks the moments of the uniform distribution, also over streams
// that differ in one high bit, and over the first index of many streams.
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

// TestStreams checks that many streams are all different.
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

// TestPermutation checks that every order of three numbers is equally frequent.
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

// TestGolden checks that the generator is the one of the golden numbers, whose
// stream j is SplitMix64 after j 2^40 increments. Runs can be repeated only as long
// as this holds.
func TestGolden(t *testing.T) {
	for name, j := range map[string]uint64{"u_0_0to3": 0, "u_3_0to3": 3, "n_5_0to3": 5} {
		var want []float64
		formulas.Load(t, name, &want)
		draw := Uniform
		if name[0] == 'n' {
			draw = Normal
		}
		if len(want) != 4 {
			t.Fatalf("%s: %d numbers, want 4", name, len(want))
		}
		for i, v := range want {
			formulas.Near(t, name, draw(j<<40*golden, uint64(i)), v, 1e-15)
		}
	}
	if got, want := Stream(7, BaseNoise, 12), uint64(0xd0f150faf16baefb); got != want {
		t.Errorf("the stream of (7, BaseNoise, 12) is %#x, was %#x: older runs would not resume", got, want)
	}
}

// TestIndependence checks that numbers of streams that differ in one part are
// uncorrelated, and that the order of the parts counts.
func TestIndependence(t *testing.T) {
	const n = 100000
	a := Stream(1, Time, 5)
	for name, b := range map[string]uint64{
		"seed": Stream(2, Time, 5), "high bit of the seed": Stream(1|1<<63, Time, 5), "purpose": Stream(1, BaseNoise, 5),
		"step": Stream(1, Time, 6), "order": Stream(Time, 1, 5), "length": Stream(1, Time, 5, 0),
	} {
		product := 0.0
		for i := range uint64(n) {
			product += (Uniform(a, i) - 0.5) * (Uniform(b, i) - 0.5) * 12 / n
		}
		if math.Abs(product) > 5/math.Sqrt(n) {
			t.Errorf("%s: correlation %g", name, product)
		}
	}
	pairs := 0.0 // Normal uses two uniform numbers for each index: neighbours must not share one
	for i := range uint64(n) {
		pairs += Normal(a, i) * Normal(a, i+1) / n
	}
	if math.Abs(pairs) > 5/math.Sqrt(n) {
		t.Errorf("neighbouring normals: correlation %g", pairs)
	}
}

// TestLongPermutation checks that each place gets early and late elements equally
// often.
func TestLongPermutation(t *testing.T) {
	const n, rounds = 50, 4000
	sums := make([]float64, n)
	for i := range uint64(rounds) {
		order := Permutation(Stream(3, Order, i), n)
		for place, element := range order {
			sums[place] += float64(element) / rounds
		}
		slices.Sort(order)
		for k, element := range order {
			if k != element {
				t.Fatalf("round %d: no permutation: %v", i, order)
			}
		}
	}
	// an element is uniform on 0..49, its deviation sqrt((50^2-1)/12)
	for place, mean := range sums {
		if math.Abs(mean-(n-1)/2.0) > 5*math.Sqrt((n*n-1)/12.0/rounds) {
			t.Errorf("place %d holds %g in the mean", place, mean)
		}
	}
	for _, n := range []int{0, 1} {
		if order := Permutation(1, n); len(order) != n || (n == 1 && order[0] != 0) {
			t.Errorf("permutation of %d: %v", n, order)
		}
	}
}
