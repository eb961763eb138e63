// Package rng is counter-based randomness: a number is a function of a stream
// and an index, so that a resumed run needs no generator state.
//
//	run seed, purpose, step ... --Stream--> stream --Uniform(i)--> u in [0,1)
package rng

import "math"

// Purposes keep the draws of one step apart.
const (
	Weights uint64 = iota + 1
	Time
	BaseNoise
	Order
	EvalNoise
	SampleNoise
	Synthetic
)

// golden is 2^64 over the golden ratio, SplitMix64's increment.
const golden = 0x9E3779B97F4A7C15

// mix is SplitMix64's finalizer (Steele, Lea & Flood 2014).
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// Stream is a well-mixed function of its parts: a run's seed, a purpose, a step.
func Stream(parts ...uint64) uint64 {
	h := uint64(0)
	for _, p := range parts {
		h = mix(h + golden + p)
	}
	return h
}

// Uniform is the i-th number of a stream, in [0,1): SplitMix64 started at stream.
func Uniform(stream, i uint64) float64 {
	return float64(mix(stream+(i+1)*golden)>>11) * 0x1p-53
}

// Normal is the i-th standard normal of a stream (Box & Muller 1958).
func Normal(stream, i uint64) float64 {
	return math.Sqrt(-2*math.Log(1-Uniform(stream, 2*i))) * math.Cos(2*math.Pi*Uniform(stream, 2*i+1))
}

// Permutation fills order with 0..len-1 shuffled (Fisher & Yates).
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
