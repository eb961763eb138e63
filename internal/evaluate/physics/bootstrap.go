package physics

import (
	"math"
	"slices"

	"fmsr.example/fmsr/internal/rng"
)

// Draws returns how often each of n simulations is drawn, in resamples samples of n with
// replacement (Efron 1979). Simulations, not frames, are drawn, since frames of one are
// not independent. The stream determines the draws.
func Draws(n, resamples int, stream uint64) [][]float64 {
	draws := make([][]float64, resamples)
	for b := range draws {
		draws[b] = make([]float64, n)
		for i := range n {
			draws[b][int(rng.Uniform(stream, uint64(b*n+i))*float64(n))]++
		}
	}
	return draws
}

// level is the probability of an interval.
const level = 0.9

// Interval returns the central 90% of the values: percentiles, interpolated linearly.
func Interval(values []float64) (low, high float64) {
	sorted := slices.Sorted(slices.Values(values))
	at := func(p float64) float64 {
		place := p * float64(len(sorted)-1)
		i := min(int(place), len(sorted)-1)
		next := min(i+1, len(sorted)-1)
		return sorted[i] + (place-math.Floor(place))*(sorted[next]-sorted[i])
	}
	return at((1 - level) / 2), at((1 + level) / 2)
}
