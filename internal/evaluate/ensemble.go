package evaluate

import "math"

// Ensemble takes the samples of a frame one by one and keeps their mean and
// variance in every cell (Welford 1962). Its zero value is empty.
type Ensemble struct {
	Members int // samples taken
	mean    []float64
	m2      []float64 // sum of squared distances from the mean
}

// Reset starts the ensemble of another frame.
func (e *Ensemble) Reset() { e.Members = 0 }

// Add takes a sample (C,H,W), of the same length as the first.
func (e *Ensemble) Add(values []float32) {
	if e.Members == 0 {
		e.mean, e.m2 = zeros(e.mean, len(values)), zeros(e.m2, len(values))
	}
	e.Members++
	for i, v := range values {
		d := float64(v) - e.mean[i]
		e.mean[i] += d / float64(e.Members)
		e.m2[i] += d * (float64(v) - e.mean[i])
	}
}

// zeros returns n zeros, in the memory of x if there is enough.
func zeros(x []float64, n int) []float64 {
	if cap(x) < n {
		return make([]float64, n)
	}
	clear(x[:n])
	return x[:n]
}

// Mean returns the mean of the samples, (C,H,W).
func (e *Ensemble) Mean() []float32 {
	out := make([]float32, len(e.mean))
	for i, v := range e.mean {
		out[i] = float32(v)
	}
	return out
}

// Variance returns the variance of the samples in each cell, with N-1, (C,H,W).
func (e *Ensemble) Variance() []float64 {
	out := make([]float64, len(e.m2))
	for i, v := range e.m2 {
		out[i] = v / float64(e.Members-1)
	}
	return out
}

// Spread returns the standard deviation in each cell, with N-1, (C,H,W).
func (e *Ensemble) Spread() []float32 {
	out := make([]float32, len(e.m2))
	for i, v := range e.Variance() {
		out[i] = float32(math.Sqrt(v))
	}
	return out
}
