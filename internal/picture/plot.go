package picture

import (
	"fmt"
	"image"
	"image/color"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Curve is values Y at X, slices of the same length: a power spectrum P(k), say. Points
// that an axis cannot have, such as zeros on a logarithmic one, are left out.
type Curve struct {
	Label string // for the legend, unless empty
	Of    string // the source, which chooses the colour; a label that no source has gets one of its own
	X, Y  []float64

	// Low and High bound a tinted band around the curve, such as the spread over frames; nil:
	// none. A point of the band that is not finite is left out.
	Low, High []float64

	Dashed bool
	Steps  bool // constant around each X, as in a histogram
}

// NewCurve returns the curve of p, P(k) for k = 0, 1, ...
func NewCurve(label, of string, p []float64) Curve {
	k := make([]float64, len(p))
	for i := range k {
		k[i] = float64(i)
	}
	return Curve{Label: label, Of: of, X: k, Y: p}
}

func (c Curve) truth() bool { return c.Of == Truth }

// Band is a range of X with a shaded ground, and names for its edges and for the middle.
type Band struct {
	From, To         float64
	FromName, ToName string
	Name             string
}

// Plot is curves on a pair of axes, which are logarithmic unless they say otherwise.
//
// A logarithmic Y axis shows the decades that matter: those of the truth, and a factor of 10
// below and 100 above at most. The X axis ends behind the band, if there is one. Curves leave
// the plot beyond that.
type Plot struct {
	Title, XLabel, YLabel string
	Curves                []Curve
	Band                  Band
	Right                 []float64 // a line for each of these Y: the right value

	LinearX, LinearY bool
	Shows            [2]float64 // Y that the axis shows at least; zeros: as the curves need
	Within           [2]float64 // Y that the axis shows at most; zeros: as the curves need

	like *Plot // has the ranges of the axes; nil: the plot itself
}

func (p Plot) check() error {
	for _, c := range p.Curves {
		if len(c.X) != len(c.Y) || c.Low != nil && (len(c.Low) != len(c.X) || len(c.High) != len(c.X)) {
			return fmt.Errorf("plot %s: curve %s: %d places, %d values, a band of %d and %d", p.Title, c.Label, len(c.X), len(c.Y), len(c.Low), len(c.High))
		}
	}
	return nil
}

// axes returns the axes around a box.
func (p Plot) axes(box image.Rectangle) axes {
	x, y := p.extent()
	a := axes{box: box, x: axis{span: x, log: !p.LinearX}, y: axis{span: y, log: !p.LinearY}}
	if p.empty() {
		return a
	}
	a.x.ticks, a.y.ticks = p.ticks(a.x, box.Dx()), p.ticks(a.y, box.Dy())
	return a
}

// draw draws the plot on its axes, without the labels of the x axis unless last.
func (p Plot) draw(c *canvas, a axes, s styles, last bool) {
	if !p.empty() {
		p.shade(c, a)
		a.grid(c, c.theme.Grid)
		p.drawEdges(c, a)
		p.drawRight(c, a)
		for _, curve := range p.Curves {
			p.drawSpread(c, a, curve, s.of(curve, c.theme).Color)
		}
		for _, curve := range p.inDrawingOrder() {
			inside := a.inside(c)
			inside.StrokeLines(s.of(curve, c.theme), inside.ClipLinesXY(p.lines(c, a, curve)...)...)
		}
	} else {
		middle := a.box.Min.Add(a.box.Max).Div(2)
		c.text("nothing above zero", middle.X, middle.Y, textStyle(labelSize, text.XCenter, text.YCenter))
	}
	c.frame(a.box, c.theme.Ink)
	a.drawX(c, last)
	a.drawY(c, true)
	if last {
		c.text(p.XLabel, (a.box.Min.X+a.box.Max.X)/2, a.box.Max.Y+labelHeight+6, textStyle(labelSize, text.XCenter, text.YTop))
	}
}

// shade draws the ground of the band.
func (p Plot) shade(c *canvas, a axes) {
	if from, to := max(p.Band.From, a.x.lo), min(p.Band.To, a.x.hi); from < to {
		r := image.Rect(a.column(from), a.box.Min.Y, a.column(to), a.box.Max.Y)
		c.FillPolygon(c.theme.Shade, corners(c.area(r)))
	}
}

// drawEdges draws the edges of the band.
func (p Plot) drawEdges(c *canvas, a axes) {
	for _, edge := range []float64{p.Band.From, p.Band.To} {
		if p.Band.From < p.Band.To && edge >= a.x.lo && edge <= a.x.hi {
			top, bottom := c.point(float64(a.column(edge))+0.5, float64(a.box.Min.Y)), c.point(0, float64(a.box.Max.Y))
			c.StrokeLine2(draw.LineStyle{Color: c.theme.Soft, Width: 1, Dashes: []vg.Length{4, 3}}, top.X, top.Y, top.X, bottom.Y)
		}
	}
}

// nameBand writes the names of the band and its edges above the box.
func (p Plot) nameBand(c *canvas, a axes) {
	if p.empty() || p.Band.From >= p.Band.To {
		return
	}
	style := textStyle(tickSize, text.XCenter, text.YBottom)
	style.Color = c.theme.Soft
	for _, n := range p.bandNames(a) {
		c.text(n.text, n.x, a.box.Min.Y-3, style)
	}
}

// name is a text and the pixel column of its middle.
type name struct {
	text string
	x    int
}

// bandNames returns the names of the edges that are on the axis and, if there is room
// between them, that of the band.
func (p Plot) bandNames(a axes) (out []name) {
	b := p.Band
	from, to := max(b.From, a.x.lo), min(b.To, a.x.hi)
	if b.From >= a.x.lo && b.From <= a.x.hi {
		out = append(out, name{b.FromName, a.column(b.From)})
	}
	room := a.column(to) - a.column(from) - textWidth(b.FromName, tickSize)/2 - textWidth(b.ToName, tickSize)/2
	if textWidth(b.Name, tickSize)+8 <= room {
		out = append(out, name{b.Name, (a.column(from) + a.column(to)) / 2})
	}
	if b.To >= a.x.lo && b.To <= a.x.hi {
		out = append(out, name{b.ToName, a.column(b.To)})
	}
	return out
}

// drawRight draws the lines of right values.
func (p Plot) drawRight(c *canvas, a axes) {
	for _, y := range p.Right {
		if y >= a.y.lo && y <= a.y.hi {
			from, to := a.point(c, a.x.lo, y), a.point(c, a.x.hi, y)
			c.StrokeLine2(draw.LineStyle{Color: c.theme.Ink, Width: 1.5}, from.X, from.Y, to.X, to.Y)
		}
	}
}

// inDrawingOrder puts the truth first, so that a thin curve that agrees with it is
// visible on the thick one.
func (p Plot) inDrawingOrder() (out []Curve) {
	for _, truth := range []bool{true, false} {
		for _, c := range p.Curves {
			if c.truth() == truth {
				out = append(out, c)
			}
		}
	}
	return out
}

// lines returns the curve as lines on the canvas. A curve without neighbours becomes a
// short dash.
func (p Plot) lines(c *canvas, a axes, curve Curve) [][]vg.Point {
	var line []vg.Point
	add := func(x, y float64) { line = append(line, a.point(c, x, y)) }
	shown := p.shown(curve)
	for i, at := range shown {
		x, y := curve.X[at], curve.Y[at]
		switch {
		case len(shown) == 1:
			middle := a.point(c, x, y)
			return [][]vg.Point{{{X: middle.X - 4, Y: middle.Y}, {X: middle.X + 4, Y: middle.Y}}}
		case curve.Steps:
			add(curve.stepAt(shown, i), y)
			add(curve.stepAt(shown, i+1), y)
		default:
			add(x, y)
		}
	}
	return [][]vg.Point{line}
}

// stepAt returns where the i-th step of these points begins, halfway from the point before,
// and where the last ends.
func (c Curve) stepAt(shown []int, i int) float64 {
	at := func(i int) float64 { return c.X[shown[i]] }
	switch n := len(shown); i {
	case 0:
		return at(0) - (at(1)-at(0))/2
	case n:
		return at(n-1) + (at(n-1)-at(n-2))/2
	default:
		return (at(i-1) + at(i)) / 2
	}
}

// How opaque the band around a curve is, of 255, and around the truth's.
const tint, truthTint = 60, 28

// drawSpread fills the band around a curve.
func (p Plot) drawSpread(c *canvas, a axes, curve Curve, ink color.Color) {
	var above, below []vg.Point
	for i := range curve.Low {
		if !p.fitsX(curve.X[i]) || !p.fitsY(curve.High[i]) || !finite(curve.Low[i]) {
			continue
		}
		above = append(above, a.point(c, curve.X[i], curve.High[i]))
		below = append(below, a.point(c, curve.X[i], curve.Low[i]))
	}
	if len(above) < 2 {
		return
	}
	for i := len(below) - 1; i >= 0; i-- {
		above = append(above, below[i])
	}
	shade := color.NRGBAModel.Convert(ink).(color.NRGBA)
	if shade.A = tint; curve.truth() {
		shade.A = truthTint
	}
	inside := a.inside(c)
	inside.FillPolygon(shade, inside.ClipPolygonXY(above))
}
