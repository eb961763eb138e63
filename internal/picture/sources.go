package picture

import (
	"image/color"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// The colours of Okabe & Ito (2008), which differ for any colour vision. Black is the
// truth's, and yellow is too faint on white.
var (
	orange    = color.RGBA{230, 159, 0, 255}
	skyBlue   = color.RGBA{86, 180, 233, 255}
	green     = color.RGBA{0, 158, 115, 255}
	blue      = color.RGBA{0, 114, 178, 255}
	vermilion = color.RGBA{213, 94, 0, 255}
	purple    = color.RGBA{204, 121, 167, 255}
)

// others are the colours of curves that are of no source in the table, in their order.
var others = []color.RGBA{blue, vermilion, green, purple, orange, skyBlue}

// The dashes of curves.
var (
	dashed  = []vg.Length{7, 4}
	dotted  = []vg.Length{2, 3}
	dashDot = []vg.Length{7, 3, 2, 3}
	short   = []vg.Length{4, 2}
)

// Truth is the key of the truth, whose curves have the theme's ink and are thick.
const Truth = "truth"

// sources is the style of each source in every figure, by the key that comparison.json has
// for it. What is made from the input without learning is orange, linear filters are green,
// the averaged model is blue and the raw one light blue, estimates of the mean are
// vermilion, and other samples purple. A source's projection has its colour, in dashes and
// dots. Errors, which are only with a single sample, are vermilion.
var sources = map[string]struct {
	color  color.RGBA
	dashes []vg.Length
}{
	"bilinear": {orange, nil}, "lo": {orange, dashed}, "low": {orange, dashed},
	"linear": {green, nil}, "bilinear_projected": {orange, dashDot}, "linear_projected": {green, dashDot},
	"ode": {skyBlue, nil}, "ode_ema": {blue, nil}, "sample": {blue, nil}, "sde_ema": {purple, nil},
	"regression": {vermilion, dotted}, "regression_ema": {vermilion, nil}, "mean": {vermilion, dashed},
	"crps": {purple, dotted}, "crps_ema": {purple, dashed},
	"error": {vermilion, short},
}

// Color returns the colour of a source in every figure, and false if the table has none.
// The truth's is the theme's ink.
func Color(source string) (color.RGBA, bool) {
	s, ok := sources[source]
	return s.color, ok
}

// Width of a curve and of the truth's, in pixels.
const (
	curveWidth = 2
	truthWidth = 3.5
)

// styles numbers the labels of the curves of a figure that are of no source in the table, in
// the order in which the labels first appear.
type styles map[string]int

func newStyles(plots []Plot) styles {
	numbers := styles{}
	for _, p := range plots {
		for _, c := range p.Curves {
			if _, known := numbers[c.Label]; !known && !c.truth() && sources[c.Of].color.A == 0 {
				numbers[c.Label] = len(numbers)
			}
		}
	}
	return numbers
}

// of returns a curve's style. After the last colour the colours repeat, dotted.
func (s styles) of(c Curve, t Theme) draw.LineStyle {
	style := draw.LineStyle{Color: t.Ink, Width: truthWidth}
	if !c.truth() {
		style.Width = curveWidth
		if known, ok := sources[c.Of]; ok {
			style.Color, style.Dashes = known.color, known.dashes
		} else {
			n := s[c.Label]
			style.Color = others[n%len(others)]
			if n >= len(others) {
				style.Dashes = dotted
			}
		}
	}
	if c.Dashed {
		style.Dashes = dashed
	}
	return style
}
