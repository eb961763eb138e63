package picture

import (
	"image/color"
	"math"
	"testing"
)

// TestScaleOfPictures: the maps of a field have the same colours in any unit, and its
// spectra the same axes, but for the labels.
func TestScaleOfPictures(t *testing.T) {
	const n = 24
	panel := func(scale float64, diverging bool) Panel {
		f := Field{H: n, W: n}
		for i := range n * n {
			v := math.Sin(float64(i/n)/3) + math.Cos(float64(i%n)/2) + 0.3
			f.Data = append(f.Data, float32(v*scale))
		}
		return Panel{Title: "x", Diverging: diverging, Rows: []Row{{Label: "target", Fields: []Field{f}}}}
	}
	curve := func(scale float64) Plot {
		var p []float64
		for k := range 20 {
			p = append(p, math.Pow(float64(k+1), -4)*scale*scale)
		}
		return Plot{Curves: []Curve{NewCurve("truth", Truth, p)}}
	}
	for _, scale := range []float64{1e-30, 1e-20, 1e15, 1e20, 1e30} {
		for _, diverging := range []bool{false, true} {
			want, got := panel(1, diverging), panel(scale, diverging)
			wantScale, gotScale := want.scales()[0], got.scales()[0]
			a, b := want.Rows[0].Fields[0].paint(wantScale, 1), got.Rows[0].Fields[0].paint(gotScale, 1)
			for i := range n * n {
				if p, q := a.RGBAAt(i%n, i/n), b.RGBAAt(i%n, i/n); !alike(p, q) {
					t.Fatalf("scale %g, diverging %t: cell %d is %v, want %v", scale, diverging, i, q, p)
				}
			}
			decode(t, got)
		}
		_, p := curve(scale).extent()
		if _, q := curve(1).extent(); math.Abs(p.hi/p.lo*q.lo/q.hi-1) > 1e-9 || math.Abs(p.lo/q.lo/scale/scale-1) > 1e-9 {
			t.Errorf("scale %g: powers from %g to %g", scale, p.lo, p.hi)
		}
		decode(t, single(curve(scale)))
	}
}

// alike reports whether two colours differ by rounding alone.
func alike(p, q color.RGBA) bool {
	for _, d := range []int{int(p.R) - int(q.R), int(p.G) - int(q.G), int(p.B) - int(q.B)} {
		if d < -2 || d > 2 {
			return false
		}
	}
	return true
}
