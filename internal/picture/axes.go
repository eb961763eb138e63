package picture

import (
	"image"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// axis maps values to [0,1].
type axis struct {
	span
	log   bool
	ticks []plot.Tick
}

// place returns the place of a value, 0 at the axis's start and 1 at its end.
func (a axis) place(v float64) float64 {
	if a.log {
		return math.Log(v/a.lo) / math.Log(a.hi/a.lo)
	}
	return (v - a.lo) / (a.hi - a.lo)
}

// axes are an x and a y axis around a box of pixels.
type axes struct {
	box  image.Rectangle
	x, y axis
}

// point returns the place of (x,y) on the canvas. A y that a logarithmic axis does not have
// is far below the box.
func (a axes) point(c *canvas, x, y float64) vg.Point {
	up := -10.
	if !a.y.log || y > 0 {
		up = max(-10, min(10, a.y.place(y)))
	}
	return c.point(float64(a.box.Min.X)+a.x.place(x)*float64(a.box.Dx()), float64(a.box.Max.Y)-up*float64(a.box.Dy()))
}

// inside returns the canvas of the box, which clips.
func (a axes) inside(c *canvas) draw.Canvas {
	return draw.Canvas{Canvas: c.Canvas.Canvas, Rectangle: c.area(a.box)}
}

// pixel returns the pixel column or row of a tick.
func (a axes) column(x float64) int {
	return a.box.Min.X + int(math.Round(a.x.place(x)*float64(a.box.Dx())))
}

func (a axes) row(y float64) int {
	return a.box.Max.Y - int(math.Round(a.y.place(y)*float64(a.box.Dy())))
}

// Lengths in pixels.
const (
	tickLength = 5
	tickGap    = 4 // between a tick and its label
)

// drawX draws the ticks below the box and, if labels is set, their labels.
func (a axes) drawX(c *canvas, labels bool) {
	for _, t := range a.x.ticks {
		x, length := a.column(t.Value), tickLength
		if t.Label == "" {
			length /= 2
		}
		c.line(c.theme.Ink, x, a.box.Max.Y, x, a.box.Max.Y+length)
		if labels && t.Label != "" {
			c.text(t.Label, x, a.box.Max.Y+tickLength+tickGap, textStyle(tickSize, text.XCenter, text.YTop))
		}
	}
}

// drawY draws the ticks left of the box and, if labels is set, their labels.
func (a axes) drawY(c *canvas, labels bool) {
	for _, t := range a.y.ticks {
		y, length := a.row(t.Value), tickLength
		if t.Label == "" {
			length /= 2
		}
		c.line(c.theme.Ink, a.box.Min.X-length-1, y, a.box.Min.X-1, y)
		if labels && t.Label != "" {
			c.text(t.Label, a.box.Min.X-tickLength-tickGap, y, textStyle(tickSize, text.XRight, text.YCenter))
		}
	}
}

// grid draws a line at each tick that has a label.
func (a axes) grid(c *canvas, ink color.Color) {
	for _, t := range a.x.ticks {
		if t.Label != "" {
			c.line(ink, a.column(t.Value), a.box.Min.Y, a.column(t.Value), a.box.Max.Y-1)
		}
	}
	for _, t := range a.y.ticks {
		if t.Label != "" {
			c.line(ink, a.box.Min.X, a.row(t.Value), a.box.Max.X-1, a.row(t.Value))
		}
	}
}

// labelWidth returns the width of the widest label of an axis.
func (a axis) labelWidth() int {
	w := 0
	for _, t := range a.ticks {
		w = max(w, textWidth(t.Label, tickSize))
	}
	return w
}

// labelHeight is the height of a row of tick labels, with the ticks.
const labelHeight = tickLength + tickGap + tickSize
