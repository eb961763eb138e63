package picture

import (
	"image"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// bar is a colour bar: the scale's colours from lo to hi, upwards or to the right, then
// numbers in physical units and the unit. An arrowhead at an end means that there are values
// beyond that end.
type bar struct {
	scale    colorScale
	unit     string
	ticks    []plot.Tick
	exponent int  // the numbers are in units of 10^exponent
	flat     bool // to the right, with the numbers below
}

// Lengths in pixels.
const (
	tickRoom  = 60 // along the bar for a number, so that a long bar has more numbers
	arrowHead = 12
	barWidth  = 16
	barGap    = 20 // between the maps and the bar
)

func newBar(s colorScale, unit string, length int, flat bool) bar {
	b := bar{scale: s, unit: unit, flat: flat}
	b.ticks, b.exponent = linearTicks(s.lo, s.hi, min(max(6, length/tickRoom), 11))
	return b
}

// name returns the unit and the power of ten of the numbers, "×10^{-3} B".
func (b bar) name() string {
	if b.exponent == 0 {
		return b.unit
	}
	factor := "\u00d7" + powerOfTen(b.exponent)
	if b.unit == "" {
		return factor
	}
	return factor + " " + b.unit
}

// across returns the size of the bar across its length: with its numbers and its unit.
func (b bar) across() int {
	if b.flat {
		size := barWidth + labelHeight
		if b.name() != "" {
			size += 2 + labelSize
		}
		return size
	}
	w := 0
	for _, t := range b.ticks {
		w = max(w, textWidth(t.Label, tickSize))
	}
	w += barWidth + tickLength + tickGap
	if b.name() != "" {
		w += 8 + labelSize + 6
	}
	return w
}

// shades returns the part of the bar between its arrowheads.
func (b bar) shades(at image.Rectangle) image.Rectangle {
	below, above := 0, 0
	if b.scale.below {
		below = arrowHead
	}
	if b.scale.above {
		above = arrowHead
	}
	if b.flat {
		at.Min.X, at.Max.X = at.Min.X+below, at.Max.X-above
	} else {
		at.Min.Y, at.Max.Y = at.Min.Y+above, at.Max.Y-below
	}
	return at
}

func (b bar) draw(c *canvas, at image.Rectangle) {
	r := b.shades(at)
	c.image(b.gradient(r.Size()), r.Min)
	if b.scale.above {
		b.arrow(c, r, at, 1)
	}
	if b.scale.below {
		b.arrow(c, r, at, 0)
	}
	c.frame(r, c.theme.Ink)
	a := axes{box: r, x: axis{span: span{b.scale.lo, b.scale.hi}, ticks: b.ticks}}
	if b.flat {
		a.drawX(c, true)
		c.text(b.name(), (at.Min.X+at.Max.X)/2, at.Max.Y+labelHeight+3, textStyle(labelSize, text.XCenter, text.YTop))
		return
	}
	for _, t := range b.ticks {
		y := r.Max.Y - 1 - int((t.Value-b.scale.lo)/(b.scale.hi-b.scale.lo)*float64(r.Dy()-1)+0.5)
		c.line(c.theme.Ink, r.Max.X, y, r.Max.X+tickLength, y)
		c.text(t.Label, r.Max.X+tickLength+tickGap, y, textStyle(tickSize, text.XLeft, text.YCenter))
	}
	c.text(b.name(), at.Min.X+b.across(), (at.Min.Y+at.Max.Y)/2, upwards(textStyle(labelSize, text.XCenter, text.YBottom)))
}

// gradient returns the colours of the bar, a pixel a value.
func (b bar) gradient(size image.Point) image.Image {
	img := image.NewRGBA(image.Rectangle{Max: size})
	for y := range size.Y {
		for x := range size.X {
			share := 1 - float64(y)/float64(max(1, size.Y-1))
			if b.flat {
				share = float64(x) / float64(max(1, size.X-1))
			}
			img.SetRGBA(x, y, b.scale.colors.at(share))
		}
	}
	return img
}

// arrow draws the arrowhead at the end of the shades r in the bar at: 1 is the high end.
func (b bar) arrow(c *canvas, r, at image.Rectangle, end float64) {
	base, tip := float64(r.Min.Y)-0.5, at.Min.Y // of the upper end; the line of the base is just outside r
	if end == 0 {
		base, tip = float64(r.Max.Y)+0.5, at.Max.Y
	}
	across := [2]int{r.Min.X, r.Max.X}
	if b.flat {
		across = [2]int{r.Min.Y, r.Max.Y}
		if base, tip = float64(r.Max.X)+0.5, at.Max.X; end == 0 {
			base, tip = float64(r.Min.X)-0.5, at.Min.X
		}
	}
	corner := func(along, side float64) vg.Point {
		if b.flat {
			return c.point(along, side)
		}
		return c.point(side, along)
	}
	outline := []vg.Point{
		corner(base, float64(across[0])-0.5), corner(base, float64(across[1])+0.5),
		corner(float64(tip), float64(across[0]+across[1])/2), corner(base, float64(across[0])-0.5),
	}
	c.FillPolygon(b.scale.colors.at(end), outline)
	c.StrokeLines(draw.LineStyle{Color: c.theme.Ink, Width: 1}, outline)
}
