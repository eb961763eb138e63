package picture

import (
	"image/color"
	"math"
	"testing"
)

// TestLinearAxes: on linear axes a curve shows its values that are not positive, at their
// places; NaN is left out; the ground of the shaded band is grey.
func TestLinearAxes(t *testing.T) {
	s := SpectraPlot{
		LinearX: true, LinearY: true, Shade: [2]float64{2, 4},
		Curves: []Curve{{Label: "a", K: []float64{-4, -2, 0, 2, 4, 6}, P: []float64{-1, 0, 1, math.NaN(), 0, -1}}},
	}.onItsAxes()
	if k, power := s.extent(); math.Abs(k.lo+4.2) > 1e-9 || math.Abs(k.hi-6.2) > 1e-9 || math.Abs(power.lo+1.1) > 1e-9 || math.Abs(power.hi-1.1) > 1e-9 {
		t.Errorf("axes %v and %v", k, power)
	}
	c, p, axes := drawn(t, s)
	x, y := p.Transforms(&axes)
	pixel := func(k, power float64) (int, int) { return int(x(k)), c.height - 1 - int(y(power)) }
	for _, at := range [][2]float64{{-3, -0.5}, {-1, 0.5}, {0, 1}, {5, -0.5}} {
		px, py := pixel(at[0], at[1])
		if nearest := nearestColor(c.img.Image(), px, py, lineColors[0]); nearest > 60 {
			t.Errorf("at (%g,%g): %d from the curve's colour", at[0], at[1], nearest)
		}
	}
	for k, want := range map[float64]color.Gray{3.1: shadeColor, 1.1: {255}} {
		px, py := pixel(k, -0.83)
		if got := color.GrayModel.Convert(c.img.Image().At(px, py)); got != want {
			t.Errorf("the ground at %g is %v, want %v", k, got, want)
		}
	}
	if got := labels(linear{}.Ticks(-4.2, 6.2)); got != "\u22124 \u22122 0 2 4 6" {
		t.Errorf("ticks %q", got)
	}
	if got := labels(linear{}.Ticks(0, 5e-5)); got != "0 1\u00d710^{\u22125} 2\u00d710^{\u22125} 3\u00d710^{\u22125} 4\u00d710^{\u22125} 5\u00d710^{\u22125}" {
		t.Errorf("ticks %q", got)
	}
}
