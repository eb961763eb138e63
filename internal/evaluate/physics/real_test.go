package physics

import (
	"testing"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/format/npy"
)

// TestSpectralCode: frames of a spectral code have no divergence in spectral form, to single
// precision, and have one in the others; MRI frames the other way round.
func TestSpectralCode(t *testing.T) {
	for _, c := range []struct {
		path              string
		n, channels, bx   int
		zero, largerThan0 string
	}{
		{"mhd2d64/seed_0000/npy/all_fields_64x64.npy", 64, 8, 4, "divb_spectral", "divb_corner"},
		{"mri128_nu3e-5/seed_0002/npy/fields_128x128.npy", 128, 4, 2, "divb_corner", "divb_spectral"},
	} {
		shape, values, err := npy.ReadFile("../../../testdata/" + c.path)
		if err != nil || shape[1] != c.n || shape[3] != c.channels {
			t.Fatalf("%s: %v, %v", c.path, shape, err)
		}
		cells := c.n * c.n
		r := New(NewLayout(field.Grid{H: c.n, W: c.n, Box: [2]float64{1, 1}}, 2, 1), Suite, []string{"Bx", "By"}, nil)
		for f := range min(2, shape[0]) {
			b := make([]float32, 2*cells)
			field.Gather(b[:cells], values[f*cells*c.channels:][:cells*c.channels], c.bx, c.channels)
			field.Gather(b[cells:], values[f*cells*c.channels:][:cells*c.channels], c.bx+1, c.channels)
			add(t, r, Frame{Frame: f, Truth: b, Baselines: bilinear(b), Members: [][]float32{b}})
		}
		rows := r.Summary(0, 1)
		zero, _ := Find(rows, "Bx+By", c.zero, Truth, "", 0)
		other, _ := Find(rows, "Bx+By", c.largerThan0, Truth, "", 0)
		if zero.Value > 1e-5 || other.Value < 1e-2 {
			t.Errorf("%s: %s %g, %s %g", c.path, c.zero, zero.Value, c.largerThan0, other.Value)
		}
	}
}
