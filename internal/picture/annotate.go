package picture

import (
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// annotate draws the title, and over the curves the frame, the labels of the marks
// and the legend. Labels and legend go where they cover least.
func (s SpectraPlot) annotate(p *plot.Plot, c draw.Canvas, styles styles) {
	box := []vg.Point{c.Min, {X: c.Max.X, Y: c.Min.Y}, c.Max, {X: c.Min.X, Y: c.Max.Y}, c.Min}
	c.StrokeLines(draw.LineStyle{Color: color.Black, Width: 1}, box)
	c.FillText(textStyle(titleSize, text.XCenter, text.YBottom), vg.Point{X: c.Center().X, Y: c.Max.Y + p.Title.Padding}, s.Title)
	if s.empty() {
		c.FillText(textStyle(labelSize, text.XCenter, text.YCenter), c.Center(), "no power above zero")
		s.legend(p, styles).draw(c, nil)
		return
	}
	taken := s.inked(p, c)
	for _, m := range s.Marks {
		if m.on(p) && m.Label != "" {
			taken = append(taken, m.label(p, c, taken)...)
		}
	}
	s.legend(p, styles).draw(c, taken)
}

// inked returns points along all curves and lines of marks.
func (s SpectraPlot) inked(p *plot.Plot, c draw.Canvas) []vg.Point {
	x, y := p.Transforms(&c)
	var out []vg.Point
	for _, curve := range s.Curves {
		xy := curve.points()
		for i := 1; i < len(xy); i++ {
			a, b := vg.Point{X: x(xy[i-1].X), Y: y(xy[i-1].Y)}, vg.Point{X: x(xy[i].X), Y: y(xy[i].Y)}
			out = append(out, between(a, b)...)
		}
	}
	for _, m := range s.Marks {
		if m.on(p) {
			out = append(out, between(vg.Point{X: x(m.K), Y: c.Min.Y}, vg.Point{X: x(m.K), Y: c.Max.Y})...)
		}
	}
	return out
}

// between returns points from a to b, a few pixels apart.
func between(a, b vg.Point) []vg.Point {
	n := max(1, int(math.Hypot(float64(b.X-a.X), float64(b.Y-a.Y))/4))
	var out []vg.Point
	for i := range n + 1 {
		f := vg.Length(i) / vg.Length(n)
		out = append(out, vg.Point{X: a.X*(1-f) + b.X*f, Y: a.Y*(1-f) + b.Y*f})
	}
	return out
}

// clear is the room around a label or legend, in pixels.
const clear = 3

// leastCovering returns the index of the place with the fewest points in or close to
// it, the first such place.
func leastCovering(places []vg.Rectangle, points []vg.Point) int {
	best, fewest := 0, math.MaxInt
	for i, r := range places {
		n := 0
		for _, p := range points {
			if p.X >= r.Min.X-clear && p.X <= r.Max.X+clear && p.Y >= r.Min.Y-clear && p.Y <= r.Max.Y+clear {
				n++
			}
		}
		if n < fewest {
			best, fewest = i, n
		}
	}
	return best
}

// label writes a mark's label beside its line, horizontal or reading upwards, at the
// top or the bottom. It returns points all over the label.
func (m Mark) label(p *plot.Plot, c draw.Canvas, taken []vg.Point) []vg.Point {
	x, _ := p.Transforms(&c)
	flat := vg.Point{X: vg.Length(textWidth(m.Label, tickSize)), Y: tickSize + 3}
	where := besideLine(c, x(m.K), flat)
	r := where[leastCovering(where, taken)]
	style := textStyle(tickSize, text.XCenter, text.YCenter)
	style.Color = labelColor
	if r.Size() != flat {
		style = upwards(style)
	}
	c.FillText(style, vg.Point{X: (r.Min.X + r.Max.X) / 2, Y: (r.Min.Y + r.Max.Y) / 2}, m.Label)
	var covered []vg.Point
	for y := r.Min.Y; y < r.Max.Y; y += 4 {
		covered = append(covered, between(vg.Point{X: r.Min.X, Y: y}, vg.Point{X: r.Max.X, Y: y})...)
	}
	return covered
}

// besideLine returns the places for text of that size beside a vertical line: at its
// right, horizontal or upright, or at its left if neither fits into the frame.
func besideLine(c draw.Canvas, x vg.Length, flat vg.Point) []vg.Rectangle {
	var out []vg.Rectangle
	upright := vg.Point{X: flat.Y, Y: flat.X}
	for _, size := range []vg.Point{flat, upright} {
		if right := x + clear + 1; right+size.X < c.Max.X {
			out = append(out, topAndBottom(c, right, size)...)
		}
	}
	if len(out) == 0 {
		return topAndBottom(c, x-clear-1-upright.X, upright)
	}
	return out
}

func topAndBottom(c draw.Canvas, left vg.Length, size vg.Point) []vg.Rectangle {
	var out []vg.Rectangle
	for _, y := range []vg.Length{c.Max.Y - size.Y - 6, c.Min.Y + 6} {
		at := vg.Point{X: left, Y: y}
		out = append(out, vg.Rectangle{Min: at, Max: at.Add(size)})
	}
	return out
}
