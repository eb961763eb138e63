package picture

import (
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// legend is a sample of the line and its label, for each label of a plot. gonum's
// legend has no ground and only one place, so this one is our own.
type legend []entry

type entry struct {
	label string
	line  draw.LineStyle
}

// Lengths in pixels.
const (
	entryHeight  = 19
	sampleWidth  = 28
	legendPad    = 6
	legendOffset = 8 // from the frame
)

// legend returns the labels of the curves, in the curves' order.
func (s SpectraPlot) legend(p *plot.Plot, styles styles) legend {
	var l legend
	seen := map[string]bool{"": true}
	for _, c := range s.Curves {
		if seen[c.Label] {
			continue
		}
		seen[c.Label] = true
		label := c.Label
		if !c.onScale(p) {
			label += " (off scale)"
		}
		l = append(l, entry{label, styles.of(c)})
	}
	return l
}

// onScale reports whether any point of the curve is on the axes.
func (c Curve) onScale(p *plot.Plot) bool {
	for _, xy := range c.points() {
		if xy.Y >= p.Y.Min {
			return true
		}
	}
	return false
}

func (l legend) size() vg.Point {
	w := 0
	for _, e := range l {
		w = max(w, textWidth(e.label, tickSize))
	}
	return vg.Point{X: vg.Length(3*legendPad + sampleWidth + w), Y: vg.Length(2*legendPad + entryHeight*len(l))}
}

// places returns the places for a legend of that size: first the corners, those
// first that falling spectra leave free, then a raster of the whole plot.
func places(c draw.Canvas, size vg.Point) []vg.Rectangle {
	left, right := c.Min.X+legendOffset, c.Max.X-legendOffset-size.X
	bottom, top := c.Min.Y+legendOffset, c.Max.Y-legendOffset-size.Y
	at := []vg.Point{{X: left, Y: bottom}, {X: right, Y: top}, {X: left, Y: top}, {X: right, Y: bottom}}
	const steps = 8
	for i := range steps + 1 {
		for j := range steps + 1 {
			at = append(at, vg.Point{X: left + (right-left)*vg.Length(j)/steps, Y: bottom + (top-bottom)*vg.Length(i)/steps})
		}
	}
	var out []vg.Rectangle
	for _, corner := range at {
		out = append(out, vg.Rectangle{Min: corner, Max: corner.Add(size)})
	}
	return out
}

func (l legend) draw(c draw.Canvas, taken []vg.Point) {
	if len(l) == 0 {
		return
	}
	where := places(c, l.size())
	r := where[leastCovering(where, taken)]
	corners := []vg.Point{r.Min, {X: r.Max.X, Y: r.Min.Y}, r.Max, {X: r.Min.X, Y: r.Max.Y}, r.Min}
	c.FillPolygon(color.NRGBA{255, 255, 255, 225}, corners)
	c.StrokeLines(draw.LineStyle{Color: gridColor, Width: 1}, corners)
	for i, e := range l {
		y := r.Max.Y - legendPad - entryHeight*(vg.Length(i)+0.5)
		x := r.Min.X + legendPad
		c.StrokeLine2(e.line, x, y, x+sampleWidth, y)
		c.FillText(textStyle(tickSize, text.XLeft, text.YCenter), vg.Point{X: x + sampleWidth + legendPad, Y: y}, e.label)
	}
}
