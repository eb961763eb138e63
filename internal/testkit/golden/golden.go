// Package golden has numbers that PyTorch 2.11 and numpy computed, and the formulas
// of their inputs, so that tests compute from the same inputs. The inputs do not
// depend on any library's random numbers.
package golden

import (
	_ "embed"
	"encoding/json"
	"math"
	"strings"
	"testing"
)

//go:embed golden.json
var data []byte

// Load decodes the values under a top-level key of golden.json into v.
func Load(t testing.TB, key string, v any) {
	t.Helper()
	var all map[string]json.RawMessage
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	raw, ok := all[key]
	if !ok {
		t.Fatalf("golden.json has no %q", key)
	}
	if err := json.Unmarshal(raw, v); err != nil {
		t.Fatalf("golden.json: %s: %v", key, err)
	}
}

// U returns element i of stream j, uniform in [0,1).
func U(j, i uint64) float64 {
	z := (j<<40 + i + 1) * 0x9E3779B97F4A7C15
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return float64((z^z>>31)>>11) * 0x1p-53
}

// N returns element i of stream j, standard normal.
func N(j, i uint64) float64 {
	return math.Sqrt(-2*math.Log(1-U(j, 2*i))) * math.Cos(2*math.Pi*U(j, 2*i+1))
}

// Weight returns element i of parameter j, which has that name and shape.
func Weight(j, i uint64, name string, shape []int64) float64 {
	u := 2*U(j, i) - 1
	if len(shape) > 1 {
		fanIn := 1.0
		for _, d := range shape[1:] {
			fanIn *= float64(d)
		}
		return u * math.Sqrt(3/fanIn)
	}
	if strings.HasSuffix(name, ".weight") {
		return 1 + 0.1*u
	}
	return 0.1 * u
}

// Field returns the analytic field of sample b and channel c at cell (y,x). Its
// period is n cells.
func Field(b, c, y, x, n int) float64 {
	s := 2 * math.Pi / float64(n)
	bf, cf, yf, xf := float64(b), float64(c), float64(y), float64(x)
	return math.Sin(s*((cf+1)*xf+(bf+2)*yf)+0.3*cf) +
		0.5*math.Cos(s*((bf+3)*xf-(cf+2)*yf)) +
		0.25*math.Sin(s*11*xf+bf)*math.Cos(s*7*yf+cf) + 0.1*(cf+1)
}

// Fields returns Field for b < batch and c < channels on n x n cells, (N,C,H,W).
func Fields(batch, channels, n int) []float64 {
	f := make([]float64, 0, batch*channels*n*n)
	for b := range batch {
		for c := range channels {
			for y := range n {
				for x := range n {
					f = append(f, Field(b, c, y, x, n))
				}
			}
		}
	}
	return f
}

// Digest describes a tensor: its shape, sums, and eight elements as [flat index, value].
type Digest struct {
	Shape []int64      `json:"shape"`
	Sum   float64      `json:"sum"`
	SumSq float64      `json:"sumsq"`
	At    [][2]float64 `json:"at"`
}

// Check compares values with the digest. Elements may differ by tol times the
// tensor's root mean square, the sum of squares by tol times itself.
func (d Digest) Check(t testing.TB, what string, values []float64, tol float64) {
	t.Helper()
	n := 1
	for _, s := range d.Shape {
		n *= int(s)
	}
	if len(values) != n {
		t.Errorf("%s: %d elements, want shape %v", what, len(values), d.Shape)
		return
	}
	rms := math.Sqrt(d.SumSq / float64(n))
	for _, at := range d.At {
		if got := values[int(at[0])]; math.Abs(got-at[1]) > tol*rms {
			t.Errorf("%s[%d] = %.12g, want %.12g to %.0e of the rms %.3g", what, int(at[0]), got, at[1], tol, rms)
		}
	}
	sum, sumsq := 0.0, 0.0
	for _, v := range values {
		sum += v
		sumsq += v * v
	}
	Near(t, what+": sum of squares", sumsq, d.SumSq, tol*d.SumSq)
	Near(t, what+": sum", sum, d.Sum, tol*rms*float64(n))
}

// Near fails the test unless |got - want| <= tol. NaN always fails.
func Near(t testing.TB, what string, got, want, tol float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tol) {
		t.Errorf("%s = %.12g, want %.12g within %.1e", what, got, want, tol)
	}
}
