package picture

import "image/color"

// Palette returns the colours of maps for a paletted image: missing values first, then 255
// colours from the least value to the largest, of a signed field with zero, white, in the middle.
func Palette(signed bool) color.Palette {
	colors := viridis
	if signed {
		colors = redBlue
	}
	p := color.Palette{missing}
	for i := range 255 {
		p = append(p, colors.at(float64(i)/254))
	}
	return p
}
