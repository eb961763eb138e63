package plan

import (
	"math"
	"testing"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/testkit/golden"
)

// TestMomentsMerge: parts merge to the whole, to float64 round-off.
func TestMomentsMerge(t *testing.T) {
	values := make([]float32, 10000)
	sum, sum2 := 0.0, 0.0
	for i := range values {
		values[i] = float32(1000 + golden.N(1, uint64(i)))
		sum += float64(values[i])
	}
	mean := sum / 10000
	for _, v := range values {
		sum2 += (float64(v) - mean) * (float64(v) - mean)
	}
	whole, left := Moments(values), Moments(values[:1])
	left.Merge(Moments(values[1:3000]))
	left.Merge(Moments(values[3000:]))
	left.Merge(Moments(nil))
	for name, w := range map[string]field.Welford{"whole": whole, "merged": left} {
		golden.Near(t, name+" mean", w.Mean, mean, 1e-10)
		golden.Near(t, name+" std", w.Std(), math.Sqrt(sum2/10000), 1e-10)
	}
}
