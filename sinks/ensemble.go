package sinks

import "math"

// ensemble takes the samples of a frame in, one by one, and knows their mean and
// spread in every cell (Welford 1962).
type ensemble struct {
	n    int
	mean []float64
	m2   []float64 // sum of squared distances from the mean
}

func (e *ensemble) reset() { e.n = 0 }

func (e *ensemble) add(values []float32) {
	if e.n == 0 {
		e.mean, e.m2 = zeros(e.mean, len(values)), zeros(e.m2, len(values))
	}
	e.n++
	for i, v := range values {
		d := float64(v) - e.mean[i]
		e.mean[i] += d / float64(e.n)
		e.m2[i] += d * (float64(v) - e.mean[i])
	}
}

// zeros is that many zeros, in x's memory where there is enough.
func zeros(x []float64, n int) []float64 {
	if cap(x) < n {
		return make([]float64, n)
	}
	clear(x[:n])
	return x[:n]
}

func (e *ensemble) means() []float32 {
	out := make([]float32, len(e.mean))
	for i, v := range e.mean {
		out[i] = float32(v)
	}
	return out
}

// variance of cell i, with n-1.
func (e *ensemble) variance(i int) float64 { return e.m2[i] / float64(e.n-1) }

// spreads are the standard deviations, with n-1.
func (e *ensemble) spreads() []float32 {
	out := make([]float32, len(e.m2))
	for i := range out {
		out[i] = float32(math.Sqrt(e.variance(i)))
	}
	return out
}
