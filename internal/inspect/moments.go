package inspect

import (
	"math"

	"fmsr.example/fmsr/internal/field"
)

// Moments are those of the finite values seen so far, about their mean. Two of them merge
// into the moments of all their values (Pébay 2008, SAND2008-6212, equations 2.1 to 2.9). The
// zero value has seen none.
type Moments struct {
	field.Welford
	M3, M4   float64 // sums of the third and fourth powers of distances from the mean
	Min, Max float64
}

// momentsOf returns the moments of values, without those that are not finite.
func momentsOf(values []float32) Moments {
	m := Moments{Min: math.Inf(1), Max: math.Inf(-1)}
	sum := 0.0
	for _, v := range values {
		if x := float64(v); finite(x) {
			m.Count++
			sum += x
			m.Min, m.Max = min(m.Min, x), max(m.Max, x)
		}
	}
	if m.Count == 0 {
		return Moments{}
	}
	m.Mean = sum / m.Count
	for _, v := range values {
		if x := float64(v); finite(x) {
			d := x - m.Mean
			m.M2 += d * d
			m.M3 += d * d * d
			m.M4 += d * d * d * d
		}
	}
	return m
}

// Merge adds the values that o has seen.
func (m *Moments) Merge(o Moments) {
	switch {
	case o.Count == 0:
		return
	case m.Count == 0:
		*m = o
		return
	}
	a, b := m.Count, o.Count
	n, d := a+b, o.Mean-m.Mean
	m.M4 += o.M4 + d*d*d*d*a*b*(a*a-a*b+b*b)/(n*n*n) + 6*d*d*(a*a*o.M2+b*b*m.M2)/(n*n) + 4*d*(a*o.M3-b*m.M3)/n
	m.M3 += o.M3 + d*d*d*a*b*(a-b)/(n*n) + 3*d*(a*o.M2-b*m.M2)/n
	m.Welford.Merge(o.Welford)
	m.Min, m.Max = min(m.Min, o.Min), max(m.Max, o.Max)
}

// Skewness returns the third standardized moment; 0 for a constant.
func (m Moments) Skewness() float64 {
	if m.M2 == 0 {
		return 0
	}
	return math.Sqrt(m.Count) * m.M3 / math.Pow(m.M2, 1.5)
}

// Kurtosis returns the fourth standardized moment, 3 for a Gaussian; 0 for a constant.
func (m Moments) Kurtosis() float64 {
	if m.M2 == 0 {
		return 0
	}
	return m.Count * m.M4 / (m.M2 * m.M2)
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
