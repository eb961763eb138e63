package picture

import (
	"image"
	"image/color"
	imagedraw "image/draw"
	"io"
	"math"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Sizes of text in pixels.
const (
	titleSize = 17
	labelSize = 14
	tickSize  = 13
)

// canvas is gonum's canvas at one pixel per unit, with pixel coordinates as in an
// image: from its upper left corner, downwards. It is a part of a sheet, or all of it.
type canvas struct {
	draw.Canvas
	theme  Theme
	raster imagedraw.Image // the sheet's pixels; nil: it has none
	write  func(io.Writer) error
	at     image.Point // the upper left corner on the sheet
	height int         // of the sheet
}

func newCanvas(size image.Point, format Format, t Theme) (*canvas, error) {
	s, err := newSheet(size, format, t.Ground)
	if err != nil {
		return nil, err
	}
	c := &canvas{draw.New(s), t, s.raster, s.write, image.Point{}, size.Y}
	if s.raster == nil {
		c.FillPolygon(t.Ground, corners(c.Rectangle))
	}
	return c, nil
}

// part returns the canvas of a part of c, with coordinates of its own.
func (c *canvas) part(r image.Rectangle) *canvas {
	p := *c
	p.at = c.at.Add(r.Min)
	p.Rectangle = vg.Rectangle{Min: c.point(float64(r.Min.X), float64(r.Max.Y)), Max: c.point(float64(r.Max.X), float64(r.Min.Y))}
	return &p
}

func (c *canvas) point(x, y float64) vg.Point {
	return vg.Point{X: vg.Length(float64(c.at.X) + x), Y: vg.Length(float64(c.height-c.at.Y) - y)}
}

// area returns a rectangle of pixels as gonum's.
func (c *canvas) area(r image.Rectangle) vg.Rectangle {
	return vg.Rectangle{Min: c.point(float64(r.Min.X), float64(r.Max.Y)), Max: c.point(float64(r.Max.X), float64(r.Min.Y))}
}

// text writes a line in the theme's ink, unless the style has a colour.
func (c *canvas) text(s string, x, y int, style text.Style) {
	if style.Color == nil {
		style.Color = c.theme.Ink
	}
	c.FillText(style, c.point(float64(x), float64(y)), s)
}

// image copies pixels unchanged where the canvas has pixels; gonum's method would
// interpolate.
func (c *canvas) image(img image.Image, at image.Point) {
	r := image.Rectangle{Min: at, Max: at.Add(img.Bounds().Size())}
	if c.raster == nil {
		c.DrawImage(c.area(r), img)
		return
	}
	imagedraw.Draw(c.raster, r.Add(c.at), img, img.Bounds().Min, imagedraw.Src)
}

// frame draws a line of one pixel just outside r.
func (c *canvas) frame(r image.Rectangle, ink color.Color) {
	edge := c.area(r)
	edge.Min, edge.Max = edge.Min.Sub(vg.Point{X: 0.5, Y: 0.5}), edge.Max.Add(vg.Point{X: 0.5, Y: 0.5})
	c.StrokeLines(draw.LineStyle{Color: ink, Width: 1}, corners(edge))
}

// corners returns the closed outline of r.
func corners(r vg.Rectangle) []vg.Point {
	return []vg.Point{r.Min, {X: r.Max.X, Y: r.Min.Y}, r.Max, {X: r.Min.X, Y: r.Max.Y}, r.Min}
}

// line draws a line of one pixel along pixels.
func (c *canvas) line(ink color.Color, x0, y0, x1, y1 int) {
	from, to := c.point(float64(x0)+0.5, float64(y0)+0.5), c.point(float64(x1)+0.5, float64(y1)+0.5)
	c.StrokeLine2(draw.LineStyle{Color: ink, Width: 1}, from.X, from.Y, to.X, to.Y)
}

// textStyle returns a style without a colour.
func textStyle(size vg.Length, x text.XAlignment, y text.YAlignment) text.Style {
	return text.Style{
		Font: font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}, XAlign: x, YAlign: y, Handler: mathText,
	}
}

// upwards returns the style turned so that text reads upwards.
func upwards(s text.Style) text.Style {
	s.Rotation = math.Pi / 2
	return s
}

// textWidth returns the width of s in pixels, rounded up.
func textWidth(s string, size vg.Length) int {
	return int(math.Ceil(float64(textStyle(size, text.XLeft, text.YBottom).Width(s))))
}

// widest returns the width of the widest of some labels.
func widest(labels []string, size vg.Length) int {
	w := 0
	for _, s := range labels {
		w = max(w, textWidth(s, size))
	}
	return w
}
