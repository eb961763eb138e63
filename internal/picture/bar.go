package picture

import (
	"image"
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// bar is a colour bar: the scale's colours from lo at the bottom to hi at the top,
// then numbers in physical units and the unit, which reads upwards. An arrowhead at
// an end means that there are values beyond that end.
type bar struct {
	scale    colorScale
	unit     string
	ticks    []plot.Tick
	exponent int // the numbers are in units of 10^exponent, which is written above the bar
}

// Lengths in pixels.
const (
	tickRoom   = 60 // height for a number, so that a tall bar has more numbers
	tickLength = 4
	arrowHead  = 14
)

func newBar(s colorScale, unit string, height int) bar {
	b := bar{scale: s, unit: unit}
	b.ticks, b.exponent = linearTicks(s.lo, s.hi, min(max(6, height/tickRoom), 11))
	return b
}

func (b bar) factor() string { return "\u00d7" + powerOfTen(b.exponent) }

// numbersEnd returns the distance from the bar's left edge to the end of the widest
// number.
func (b bar) numbersEnd() int {
	w := 0
	for _, t := range b.ticks {
		w = max(w, textWidth(t.Label, tickSize))
	}
	return barWidth + tickLength + 4 + w
}

// width returns the width of the bar with its numbers and its unit.
func (b bar) width() int {
	w := b.numbersEnd()
	if b.unit != "" {
		w += 8 + labelSize + 4
	}
	if b.exponent != 0 {
		w = max(w, textWidth(b.factor(), tickSize))
	}
	return w
}

// shades returns the part of the bar between its arrowheads.
func (b bar) shades(at image.Rectangle) image.Rectangle {
	if b.scale.above {
		at.Min.Y += arrowHead
	}
	if b.scale.below {
		at.Max.Y -= arrowHead
	}
	return at
}

func (b bar) draw(c *canvas, at image.Rectangle) {
	r := b.shades(at)
	img := image.NewRGBA(image.Rect(0, 0, r.Dx(), r.Dy()))
	for y := range r.Dy() {
		shade := b.scale.colors.at(1 - float64(y)/float64(r.Dy()-1))
		for x := range r.Dx() {
			img.SetRGBA(x, y, shade)
		}
	}
	c.image(img, r.Min)
	c.frame(r)
	if b.scale.above {
		b.arrow(c, r.Min.X, r.Max.X, r.Min.Y-1, at.Min.Y, b.scale.colors.at(1))
	}
	if b.scale.below {
		b.arrow(c, r.Min.X, r.Max.X, r.Max.Y+1, at.Max.Y, b.scale.colors.at(0))
	}
	b.drawNumbers(c, r)
	if b.exponent != 0 {
		c.text(b.factor(), at.Min.X, at.Min.Y-6, textStyle(tickSize, text.XLeft, text.YBottom))
	}
	if b.unit != "" {
		c.text(b.unit, at.Min.X+b.numbersEnd()+8, (at.Min.Y+at.Max.Y)/2, upwards(textStyle(labelSize, text.XCenter, text.YTop)))
	}
}

// arrow draws a triangle from its base at one height to its tip at another.
func (b bar) arrow(c *canvas, left, right, base, tip int, shade color.RGBA) {
	corners := []vg.Point{
		c.point(float64(left)-0.5, float64(base)), c.point(float64(right)+0.5, float64(base)),
		c.point(float64(left+right)/2, float64(tip)), c.point(float64(left)-0.5, float64(base)),
	}
	c.FillPolygon(shade, corners)
	c.StrokeLines(draw.LineStyle{Color: frameColor, Width: 1}, corners)
}

func (b bar) drawNumbers(c *canvas, r image.Rectangle) {
	for _, t := range b.ticks {
		up := (t.Value - b.scale.lo) / (b.scale.hi - b.scale.lo)
		y := r.Max.Y - 1 - int(up*float64(r.Dy()-1)+0.5)
		// shifted by half a pixel, so that the line covers one row of pixels
		c.StrokeLines(draw.LineStyle{Color: color.Black, Width: 1}, []vg.Point{
			c.point(float64(r.Max.X), float64(y)+0.5), c.point(float64(r.Max.X+tickLength+1), float64(y)+0.5),
		})
		c.text(t.Label, r.Max.X+tickLength+4, y, textStyle(tickSize, text.XLeft, text.YCenter))
	}
}
