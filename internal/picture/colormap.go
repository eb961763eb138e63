package picture

import (
	"image/color"
	"math"
)

// colormap runs through its colours, evenly spaced over [0,1].
type colormap [][3]float64

// viridis (van der Walt & Smith 2015) is perceptually uniform, for densities.
var viridis = colormap{
	{68, 1, 84}, {72, 35, 116}, {64, 67, 135}, {52, 94, 141}, {41, 120, 142}, {32, 144, 140},
	{34, 167, 132}, {68, 190, 112}, {121, 209, 81}, {189, 222, 38}, {253, 231, 37},
}

// redBlue is ColorBrewer's RdBu, reversed: blue below zero, red above.
var redBlue = colormap{
	{5, 48, 97}, {33, 102, 172}, {67, 147, 195}, {146, 197, 222}, {209, 229, 240}, {247, 247, 247},
	{253, 219, 199}, {244, 165, 130}, {214, 96, 77}, {178, 24, 43}, {103, 0, 31},
}

// missing is the colour of NaN.
var missing = color.RGBA{128, 128, 128, 255}

// at is the colour for t, clipped to [0,1].
func (m colormap) at(t float64) color.RGBA {
	if math.IsNaN(t) {
		return missing
	}
	x := min(max(t, 0), 1) * float64(len(m)-1)
	i := min(int(x), len(m)-2)
	f := x - float64(i)
	mix := func(c int) uint8 { return uint8(math.Round(m[i][c]*(1-f) + m[i+1][c]*f)) }
	return color.RGBA{mix(0), mix(1), mix(2), 255}
}
