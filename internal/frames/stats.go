package frames

import (
	"math"

	"fmsr/internal/torchx"
)

// Stats are per-channel mean and population standard deviation, physical units.
type Stats struct {
	Mean []float64 `json:"mean"`
	Std  []float64 `json:"std"`
}

// Welford accumulates the mean and variance of many values, and merges with
// another (Chan, Golub & LeVeque 1979). Its zero value is empty.
type Welford struct {
	Count float64 `json:"count"`
	Mean  float64 `json:"mean"`
	M2    float64 `json:"m2"` // sum of squared distances from the mean
}

// Add takes in values, in two passes over them: within a plane that is exact to
// round-off, and planes merge.
func (w *Welford) Add(values []float32) {
	if len(values) == 0 {
		return
	}
	mean, m2 := torchx.Moments(values)
	w.Merge(Welford{Count: float64(len(values)), Mean: mean, M2: m2})
}

// Merge takes in what o has seen.
func (w *Welford) Merge(o Welford) {
	total := w.Count + o.Count
	if total == 0 {
		return
	}
	d := o.Mean - w.Mean
	w.Mean += d * o.Count / total
	w.M2 += o.M2 + d*d*w.Count*o.Count/total
	w.Count = total
}

// Std is the population standard deviation.
func (w Welford) Std() float64 {
	if w.Count == 0 {
		return 0
	}
	return math.Sqrt(w.M2 / w.Count)
}
