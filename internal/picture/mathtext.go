package picture

import (
	"math"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
)

// superscripts is a text handler for plain text in which ^{...} is raised and _{...}
// lowered. The font lacks some of Unicode's superscript characters.
type superscripts struct{ text.Plain }

var mathText = superscripts{text.Plain{Fonts: plot.DefaultTextHandler.Cache()}}

const (
	smallSize = 0.85 // of the text's size: 11 px beside a tick's 13 px
	raisedBy  = 0.4  // of the text's size
	loweredBy = 0.2
)

// run is a piece of text at one height.
type run struct {
	text  string
	shift float64 // up, of the text's size; 0: full-sized text on the line
}

// runs splits a line at its superscripts and subscripts. An open brace without its end is
// plain text.
func runs(line string) []run {
	var out []run
	for line != "" {
		at := strings.IndexAny(line, "^_")
		for at >= 0 && !strings.HasPrefix(line[at+1:], "{") {
			next := strings.IndexAny(line[at+1:], "^_")
			if next < 0 {
				at = -1
				break
			}
			at += 1 + next
		}
		if at < 0 {
			return append(out, run{text: line})
		}
		inside, after, closed := strings.Cut(line[at+2:], "}")
		if !closed {
			return append(out, run{text: line})
		}
		shift := raisedBy
		if line[at] == '_' {
			shift = -loweredBy
		}
		if at > 0 {
			out = append(out, run{text: line[:at]})
		}
		out = append(out, run{inside, shift})
		line = after
	}
	return out
}

func (s superscripts) face(r run, f font.Font) font.Face {
	size := f.Size
	if r.shift != 0 {
		size *= smallSize
	}
	return s.Fonts.Lookup(f, size)
}

func (s superscripts) width(r run, f font.Font) vg.Length {
	face := s.face(r, f)
	return face.Width(r.text)
}

// Box returns the size of a line.
func (s superscripts) Box(line string, f font.Font) (width, height, depth vg.Length) {
	_, height, depth = s.Plain.Box("", f)
	for _, r := range runs(line) {
		width += s.width(r, f)
	}
	return width, height, depth
}

// Draw draws the lines in the same places as text.Plain.
func (s superscripts) Draw(c vg.Canvas, txt string, style text.Style, at vg.Point) {
	c.SetColor(style.Color)
	c.Push()
	defer c.Pop()
	c.Rotate(style.Rotation)
	sin64, cos64 := math.Sincos(style.Rotation)
	sin, cos := vg.Length(sin64), vg.Length(cos64)
	at.X, at.Y = at.Y*sin+at.X*cos, at.Y*cos-at.X*sin
	at.Y += style.Height(txt)*vg.Length(style.YAlign) - s.Extents(style.Font).Ascent
	lines := s.Lines(txt)
	for i, line := range lines {
		width, _, _ := s.Box(line, style.Font)
		pen := vg.Point{X: at.X + vg.Length(style.XAlign)*width, Y: at.Y + vg.Length(len(lines)-i)*style.Font.Size}
		for _, r := range runs(line) {
			s.draw(c, r, style.Font, pen)
			pen.X += s.width(r, style.Font)
		}
	}
}

func (s superscripts) draw(c vg.Canvas, r run, f font.Font, pen vg.Point) {
	pen.Y += vg.Length(r.shift) * f.Size
	if r.text != "" {
		c.FillString(s.face(r, f), pen, r.text)
	}
}
