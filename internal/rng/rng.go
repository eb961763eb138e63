// Package rng is counter-based randomness: a random number is a function of a
// stream and an index, so that a resumed run needs no generator state.
//
//	run seed, purpose, step ... --Stream--> stream --Uniform(i)-----> u in [0,1)
//	                                           |-----Normal(i)------> standard normal
//	                                           '-----Permutation(n)-> 0..n-1, shuffled
package rng

import "math"

// The purposes of random numbers. Each gives the draws of a step a stream of its own.
const (
	Weights uint64 = iota + 1
	Time
	BaseNoise
	Order
	EvalNoise
	SampleNoise
	Synthetic
	Bootstrap
	Symmetry
)

// golden is 2^64 divided by the golden ratio, SplitMix64's increment.
const golden = 0x9E3779B97F4A7C15

// mix is SplitMix64's output function (Steele, Lea & Flood 2014).
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// Stream returns the stream of its parts, such as a run's seed, a purpose and a
// step. Streams whose parts differ anywhere, or in order, have independent numbers.
func Stream(parts ...uint64) uint64 {
	h := uint64(0)
	for _, p := range parts {
		h = mix(h + golden + p)
	}
	return h
}

// Uniform returns the i-th number of a stream, uniform in [0,1): SplitMix64 with the
// stream as its seed.
func Uniform(stream, i uint64) float64 {
	return float64(mix(stream+(i+1)*golden)>>11) * 0x1p-53
}

// Normal returns the i-th standard normal number of a stream (Box & Muller 1958). It
// uses the uniform numbers 2i and 2i+1.
func Normal(stream, i uint64) float64 {
	return math.Sqrt(-2*math.Log(1-Uniform(stream, 2*i))) * math.Cos(2*math.Pi*Uniform(stream, 2*i+1))
}

// Permutation returns the numbers 0..n-1 in an order that the stream determines
// (Fisher & Yates 1938).
func Permutation(stream uint64, n int) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	for i := n - 1; i > 0; i-- {
		j := int(Uniform(stream, uint64(i)) * float64(i+1))
		order[i], order[j] = order[j], order[i]
	}
	return order
}
