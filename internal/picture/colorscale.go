package picture

import (
	"image/color"
	"math"
	"slices"
)

// colorScale maps physical values to colours.
type colorScale struct {
	lo, hi       float64 // lo < hi; the values at the two ends of the map
	below, above bool    // whether there are values below lo and above hi
	colors       colormap
	levels       int // how many colours there are, evenly spaced; 0: all that RGBA has
}

func (s colorScale) color(v float64) color.RGBA {
	t := (v - s.lo) / (s.hi - s.lo)
	if s.levels > 0 && finite(t) {
		t = math.Round(min(max(t, 0), 1)*float64(s.levels-1)) / float64(s.levels-1)
	}
	return s.colors.at(t)
}

// within is the share of |values| inside the scale of a signed field. A scale that
// includes the rest, the cores of a few current sheets, would leave everything else
// without contrast.
const within = 0.998

// sequentialScale returns a scale between two quantiles of the finite values, with as many
// values below it as above: those of within together.
func sequentialScale(fields []Field) colorScale {
	var all []float32
	for _, f := range fields {
		for _, v := range f.Data {
			if finite(float64(v)) {
				all = append(all, v)
			}
		}
	}
	slices.Sort(all)
	lo, hi, beyond := 0., 1., int((1-within)/2*float64(len(all)))
	if n := len(all); n > 0 {
		lo, hi = float64(all[beyond]), float64(all[n-1-beyond])
	}
	if lo == hi { // a constant is in the middle of a scale that is wide enough to label
		pad := math.Abs(lo) / 10
		if lo == 0 {
			pad = 1
		}
		lo, hi = lo-pad, hi+pad
	}
	scale := colorScale{lo: lo, hi: hi, colors: viridis}
	if n := len(all); n > 0 {
		scale.below, scale.above = float64(all[0]) < lo, float64(all[n-1]) > hi
	}
	return scale
}

// divergingScale returns a scale from -hi to hi. hi is the within-quantile of
// |finite values|, or the largest one if that quantile is zero, or 1 if all are zero.
func divergingScale(fields []Field) colorScale {
	hi, least, largest := sizes(fields, within)
	return colorScale{lo: -hi, hi: hi, below: least < -hi, above: largest > hi, colors: redBlue}
}

// ordinary is the share of values of at least 0 inside their scale.
const ordinary = 0.99

// sizeScale returns a scale from 0 to the ordinary-quantile of finite values of at least 0.
func sizeScale(fields []Field) colorScale {
	hi, _, largest := sizes(fields, ordinary)
	return colorScale{hi: hi, above: largest > hi, colors: viridis}
}

// sizes returns a quantile of |finite values|, or the largest one if that quantile is zero,
// or 1 if all are zero; and the least and the largest value, or 0.
func sizes(fields []Field, quantile float64) (hi, least, largest float64) {
	var all []float32
	for _, f := range fields {
		for _, v := range f.Data {
			if x := float64(v); finite(x) {
				all = append(all, float32(math.Abs(x)))
				least, largest = min(least, x), max(largest, x)
			}
		}
	}
	if len(all) > 0 {
		slices.Sort(all)
		hi = float64(all[int(math.Ceil(quantile*float64(len(all))))-1])
	}
	if hi == 0 {
		hi = max(largest, -least)
	}
	if hi == 0 {
		hi = 1
	}
	return hi, least, largest
}
