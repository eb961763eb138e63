package picture

import (
	"fmt"
	"image"
	"image/color"
	imagedraw "image/draw"
	"image/png"
	"io"
	"math"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// Sizes of text in pixels.
const (
	titleSize = 17
	labelSize = 14
	tickSize  = 13
)

// canvas is gonum's canvas at one pixel per unit, with pixel coordinates as in an
// image: from the upper left corner, downwards.
type canvas struct {
	img *vgimg.Canvas
	draw.Canvas
	height int
}

func newCanvas(size image.Point) *canvas {
	img := vgimg.NewWith(vgimg.UseWH(vg.Length(size.X), vg.Length(size.Y)), vgimg.UseDPI(72))
	return &canvas{img, draw.New(img), size.Y}
}

func (c *canvas) point(x, y float64) vg.Point {
	return vg.Point{X: vg.Length(x), Y: vg.Length(float64(c.height) - y)}
}

func (c *canvas) text(s string, x, y int, style text.Style) {
	c.FillText(style, c.point(float64(x), float64(y)), s)
}

// image copies pixels unchanged; gonum's method would interpolate.
func (c *canvas) image(img image.Image, at image.Point) {
	size := img.Bounds().Size()
	imagedraw.Draw(c.img.Image(), image.Rectangle{Min: at, Max: at.Add(size)}, img, img.Bounds().Min, imagedraw.Src)
}

// frame draws a line of one pixel just outside r.
func (c *canvas) frame(r image.Rectangle) {
	ink := image.NewUniform(frameColor)
	for _, edge := range []image.Rectangle{
		{Min: r.Min.Sub(image.Pt(1, 1)), Max: image.Pt(r.Max.X+1, r.Min.Y)},
		{Min: image.Pt(r.Min.X-1, r.Max.Y), Max: r.Max.Add(image.Pt(1, 1))},
		{Min: image.Pt(r.Min.X-1, r.Min.Y), Max: image.Pt(r.Min.X, r.Max.Y)},
		{Min: image.Pt(r.Max.X, r.Min.Y), Max: image.Pt(r.Max.X+1, r.Max.Y)},
	} {
		imagedraw.Draw(c.img.Image(), edge, ink, image.Point{}, imagedraw.Src)
	}
}

func (c *canvas) png(w io.Writer) error { return png.Encode(w, c.img.Image()) }

var frameColor = color.Gray{90}

// textStyle returns a style in sans serif, which is legible at the size of a tick's label.
func textStyle(size vg.Length, x text.XAlignment, y text.YAlignment) text.Style {
	return text.Style{
		Color: color.Black, Font: font.Font{Typeface: "Liberation", Variant: "Sans", Size: size},
		XAlign: x, YAlign: y, Handler: mathText,
	}
}

// upwards returns the style for text that reads upwards.
func upwards(s text.Style) text.Style {
	s.Rotation = math.Pi / 2
	return s
}

// textWidth returns the width of s in pixels, rounded up.
func textWidth(s string, size vg.Length) int {
	return int(math.Ceil(float64(textStyle(size, text.XLeft, text.YBottom).Width(s))))
}

// catch turns a panic into an error, since gonum panics on some bad data.
func catch(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%v", p)
	}
}
