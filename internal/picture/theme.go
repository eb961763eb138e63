package picture

import "image/color"

// Theme is the colours of everything but the data: ground and text. The maps' colours are the
// same in every theme.
type Theme struct {
	Ground color.Color // behind everything
	Ink    color.Color // text, axes, and the truth's curves
	Soft   color.Color // numbers beside a map, edges of a band
	Grid   color.Color // grid lines
	Shade  color.Color // ground of a shaded band
}

// The themes: for paper and for dark pages.
var (
	Light = Theme{Ground: color.White, Ink: color.Black, Soft: color.Gray{80}, Grid: color.Gray{225}, Shade: color.Gray{240}}
	Dark  = Theme{
		Ground: color.RGBA{17, 20, 24, 255}, Ink: color.RGBA{236, 238, 240, 255}, Soft: color.RGBA{170, 176, 183, 255},
		Grid: color.RGBA{52, 57, 63, 255}, Shade: color.RGBA{34, 39, 46, 255},
	}
)
