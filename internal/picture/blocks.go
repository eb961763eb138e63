package picture

import (
	"fmt"
	"image/color"
	"strings"
)

// Blocks draws a field for a terminal: a line of text for two rows of cells, of half blocks
// whose colours are those of the upper and the lower cell. At most columns cells are
// across; larger fields are averaged over blocks of cells. trueColor chooses 24-bit colours
// instead of the 256 that most terminals have.
//
//	H = 4    ▀ ▀ ▀    rows 3 and 2
//	         ▀ ▀ ▀    rows 1 and 0
func Blocks(f Field, columns int, diverging, trueColor bool) (string, error) {
	if err := f.check(); err != nil {
		return "", err
	}
	f = f.coarser((f.W + columns - 1) / columns)
	scale := sequentialScale([]Field{f})
	if diverging {
		scale = divergingScale([]Field{f})
	}
	code := indexed
	if trueColor {
		code = rgb
	}
	at := func(y, x int) string { return code(scale.color(float64(f.Data[y*f.W+x]))) }
	var b strings.Builder
	for y := f.H - 1; y >= 0; y -= 2 {
		for x := range f.W {
			fmt.Fprintf(&b, "\x1b[38;%sm", at(y, x))
			if y > 0 {
				fmt.Fprintf(&b, "\x1b[48;%sm", at(y-1, x))
			}
			b.WriteString("▀")
		}
		b.WriteString("\x1b[0m\n")
	}
	return b.String(), nil
}

// rgb is a colour's code in an escape sequence, in 24 bits.
func rgb(c color.RGBA) string { return fmt.Sprintf("2;%d;%d;%d", c.R, c.G, c.B) }

// indexed is the code of the nearest colour of xterm's cube, 16 + 36 r + 6 g + b with
// levels 0, 95, 135, 175, 215, 255.
func indexed(c color.RGBA) string {
	level := func(v uint8) int {
		if v < 48 {
			return 0
		}
		return max(1, (int(v)-35)/40)
	}
	return fmt.Sprintf("5;%d", 16+36*level(c.R)+6*level(c.G)+level(c.B))
}
