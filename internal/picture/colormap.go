package picture

import (
	"image/color"
	"math"
)

// colormap is a list of sRGB colours, evenly spaced over [0,1] and interpolated
// linearly.
type colormap [][3]float64

// viridis (Smith & van der Walt 2015, CC0) rises evenly in lightness, so that equal
// steps of a density look equal, in print and with any colour vision.
var viridis = colormap{
	{68, 1, 84}, {72, 36, 117}, {65, 68, 135}, {53, 95, 141}, {42, 120, 142}, {33, 145, 140},
	{34, 168, 132}, {68, 191, 112}, {122, 209, 81}, {189, 223, 38}, {253, 231, 37},
}

// redBlue is ColorBrewer's RdBu (Harrower & Brewer 2003), from blue below zero to red
// above it. Its middle is pure white here, the colour of the page.
var redBlue = colormap{
	{5, 48, 97}, {33, 102, 172}, {67, 147, 195}, {146, 197, 222}, {209, 229, 240}, {255, 255, 255},
	{253, 219, 199}, {244, 165, 130}, {214, 96, 77}, {178, 24, 43}, {103, 0, 31},
}

// missing is the colour of values that are not finite. Neither map has a grey.
var missing = color.RGBA{128, 128, 128, 255}

// at returns the colour of t, clipped to [0,1].
func (m colormap) at(t float64) color.RGBA {
	if math.IsNaN(t) || math.IsInf(t, 0) {
		return missing
	}
	x := min(max(t, 0), 1) * float64(len(m)-1)
	i := min(int(x), len(m)-2)
	f := x - float64(i)
	mix := func(c int) uint8 { return uint8(math.Round(m[i][c]*(1-f) + m[i+1][c]*f)) }
	return color.RGBA{mix(0), mix(1), mix(2), 255}
}
