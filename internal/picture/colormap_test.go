package picture

import (
	"image/color"
	"math"
	"testing"
)

var white = color.RGBA{255, 255, 255, 255}

func TestColormapEnds(t *testing.T) {
	for _, c := range []struct {
		name string
		m    colormap
		t    float64
		want color.RGBA
	}{
		{"zero of a signed field", redBlue, 0.5, white},
		{"clipped below", redBlue, -3, color.RGBA{5, 48, 97, 255}},
		{"clipped above", redBlue, 7, color.RGBA{103, 0, 31, 255}},
		{"least", viridis, 0, color.RGBA{68, 1, 84, 255}},
		{"largest", viridis, 1, color.RGBA{253, 231, 37, 255}},
		{"between", viridis, 0.05, color.RGBA{70, 19, 101, 255}},
		{"NaN", viridis, math.NaN(), missing},
		{"infinite", redBlue, math.Inf(1), missing},
	} {
		if got := c.m.at(c.t); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

// lightness returns CIE L* of an sRGB colour (IEC 61966-2-1), 0 to 100.
func lightness(c color.RGBA) float64 {
	linear := func(v uint8) float64 {
		x := float64(v) / 255
		if x <= 0.04045 {
			return x / 12.92
		}
		return math.Pow((x+0.055)/1.055, 2.4)
	}
	y := 0.2126*linear(c.R) + 0.7152*linear(c.G) + 0.0722*linear(c.B)
	return 116*math.Cbrt(y) - 16 // y > 0.009 for all colours of the maps
}

// TestViridisIsEven checks that equal steps of the value are equal steps of lightness.
func TestViridisIsEven(t *testing.T) {
	const n = 20
	mean := (lightness(viridis.at(1)) - lightness(viridis.at(0))) / n
	for i := range n {
		step := lightness(viridis.at(float64(i+1)/n)) - lightness(viridis.at(float64(i)/n))
		if step < 0.6*mean || step > 1.4*mean {
			t.Errorf("step %d of lightness %g, mean %g", i, step, mean)
		}
	}
}

// TestRedBlueTellsSigns checks that colours get darker away from zero, blue below and
// red above.
func TestRedBlueTellsSigns(t *testing.T) {
	for i := 1; i <= 50; i++ {
		d := float64(i) / 100
		below, above := redBlue.at(0.5-d), redBlue.at(0.5+d)
		if below.B <= below.R || above.R <= above.B {
			t.Errorf("%g from the middle: %v below, %v above", d, below, above)
		}
		if lightness(below) >= lightness(redBlue.at(0.51-d)) || lightness(above) >= lightness(redBlue.at(0.49+d)) {
			t.Errorf("%g from the middle: not darker than nearer to it", d)
		}
	}
}
