package field

import (
	"encoding/json"
	"math"
	"reflect"
	"testing"

	"fmsr.example/fmsr/internal/testkit/golden"
)

// planes are a coarse field and a fine one that is an exact linear function of
// it: each coarse cell's value, plus a tenth of the difference of its neighbours
// along x with opposite signs in the two columns, and a constant.
func planes(seed uint64, ch, cw int, periodic bool) (coarse, fine []float32) {
	at := func(y, x int) float64 {
		if periodic {
			x = (x + cw) % cw
		} else {
			x = min(max(x, 0), cw-1)
		}
		return golden.N(seed, uint64(y*cw+x))
	}
	coarse, fine = make([]float32, ch*cw), make([]float32, 4*ch*cw)
	for i := range coarse {
		coarse[i] = float32(at(i/cw, i%cw))
	}
	for i := range fine {
		y, x := i/(2*cw), i%(2*cw)
		sign := float64(2*(x%2) - 1)
		fine[i] = float32(at(y/2, x/2) + sign*0.1*(at(y/2, x/2+1)-at(y/2, x/2-1)) + 0.5)
	}
	return coarse, fine
}

func worst(a, b []float32) float64 {
	d := 0.0
	for i := range a {
		d = math.Max(d, math.Abs(float64(a[i]-b[i])))
	}
	return d
}

// TestLinearRecoversAMap: the fit finds a filter that is there, for both
// boundaries, and a stored one predicts the same.
func TestLinearRecoversAMap(t *testing.T) {
	for _, along := range []Boundary{Periodic, Open} {
		periodic, grid := along == Periodic, Grid{H: 24, W: 32, Boundary: [2]Boundary{Periodic, along}}
		f := NewLinear(2)
		for seed := range uint64(4) {
			coarse, fine := planes(seed, 12, 16, periodic)
			f.Add(coarse, fine, grid)
		}
		if f.Cells() != 4*12*16 {
			t.Errorf("%d cells seen, want %d", f.Cells(), 4*12*16)
		}
		if err := f.Solve(); err != nil {
			t.Fatal(err)
		}
		coarse, unseen := planes(9, 12, 16, periodic)
		got := make([]float32, len(unseen))
		f.Apply(got, coarse, grid)
		if d := worst(got, unseen); d > 1e-4 {
			t.Errorf("periodic %v: off by %g on an unseen field", periodic, d)
		}
		data, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		var stored Linear
		if err := json.Unmarshal(data, &stored); err != nil {
			t.Fatal(err)
		}
		again := make([]float32, len(unseen))
		stored.Apply(again, coarse, grid)
		if d := worst(got, again); d != 0 {
			t.Errorf("a stored filter differs by %g", d)
		}
		if f, err := LinearOf(2, f.Weights); err != nil || !reflect.DeepEqual(*f, stored) {
			t.Errorf("the filter of its weights: %v, %v", f, err)
		}
	}
}

// TestLinearOf: weights that are too few, or not finite, are no filter's.
func TestLinearOf(t *testing.T) {
	weights := make([]float64, 4*LinearFeatures)
	if _, err := LinearOf(2, weights[1:]); err == nil {
		t.Error("a filter with a weight too few")
	}
	if _, err := LinearOf(4, weights); err == nil {
		t.Error("a filter of another factor")
	}
	weights[7] = math.Inf(1)
	if _, err := LinearOf(2, weights); err == nil {
		t.Error("a filter with an infinite weight")
	}
}

// TestLinearNothingToFit: no frame is an error, a constant field is not.
func TestLinearNothingToFit(t *testing.T) {
	if err := NewLinear(2).Solve(); err == nil {
		t.Error("solved without data")
	}
	f := NewLinear(2)
	flat := make([]float32, 24*24)
	for i := range flat {
		flat[i] = 3
	}
	f.Add(flat[:12*12], flat, Grid{H: 24, W: 24})
	if err := f.Solve(); err != nil {
		t.Fatal(err)
	}
	got := make([]float32, len(flat))
	f.Apply(got, flat[:12*12], Grid{H: 24, W: 24})
	if d := worst(got, flat); d > 1e-3 {
		t.Errorf("a constant field is predicted with an error of %g", d)
	}
}
