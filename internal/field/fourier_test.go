package field

import (
	"math"
	"testing"
)

// TestFourier: a wave has one mode, whose phase and sign are e^{-ikx}'s, and Inverse
// undoes Forward, on grids of even and odd sides.
func TestFourier(t *testing.T) {
	for _, g := range []Grid{{H: 8, W: 12}, {H: 5, W: 9}, {H: 6, W: 7}} {
		plane := make([]float32, g.Cells())
		for i := range plane {
			y, x := float64(i/g.W), float64(i%g.W)
			plane[i] = float32(3 + 2*math.Sin(2*math.Pi*(y/float64(g.H)+2*x/float64(g.W))))
		}
		f := NewFourier(g)
		modes := f.Forward(plane)
		for i, got := range modes {
			want := complex128(0)
			switch i {
			case 0:
				want = 3
			case g.W/2 + 1 + 2: // 2 sin a = -i e^{ia} + i e^{-ia}
				want = -1i
			}
			if d := got - want; math.Hypot(real(d), imag(d)) > 1e-6 {
				t.Errorf("%s: mode %d is %v, want %v", g, i, got, want)
			}
		}
		back := make([]float32, g.Cells())
		f.Inverse(back, modes)
		for i, v := range back {
			if math.Abs(float64(v-plane[i])) > 1e-6 {
				t.Fatalf("%s: cell %d is %g, was %g", g, i, v, plane[i])
			}
		}
	}
}
