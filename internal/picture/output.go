package picture

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	imagedraw "image/draw"
	"image/png"
	"io"
	"time"

	"codeberg.org/go-pdf/fpdf"
	"golang.org/x/image/font"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
	plotfont "gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgpdf"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Figure is data that can be drawn: a Panel of maps, a Plots of curves, or several of
// them Beside each other. Write draws it.
type Figure interface {
	// layout returns the figure's size in pixels, and a function that draws it. The error
	// says which data do not fit together.
	layout() (size image.Point, draw func(*canvas), err error)
}

// Format is a file format of figures, and the extension of its files.
type Format string

// The formats. A pixel of a PNG is a point of a PDF; in an SVG it is a px.
const (
	PNG Format = "png"
	SVG Format = "svg"
	PDF Format = "pdf"
)

// Write draws a figure and writes it. The same figure gives the same bytes.
func Write(w io.Writer, f Figure, format Format, t Theme) (err error) {
	defer catch(&err)
	size, draw, err := f.layout()
	if err != nil {
		return err
	}
	c, err := newCanvas(size, format, t)
	if err != nil {
		return err
	}
	draw(c)
	return c.write(w)
}

// rasterized draws a figure as pixels.
func rasterized(f Figure, t Theme) (img *image.RGBA, err error) {
	defer catch(&err)
	size, draw, err := f.layout()
	if err != nil {
		return nil, err
	}
	c, err := newCanvas(size, PNG, t)
	if err != nil {
		return nil, err
	}
	draw(c)
	img = image.NewRGBA(c.raster.Bounds())
	imagedraw.Draw(img, img.Bounds(), c.raster, image.Point{}, imagedraw.Src)
	return img, nil
}

// catch turns a panic into an error, since gonum panics on some bad data.
func catch(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%v", p)
	}
}

// sheet is what a figure is drawn on, in a format.
type sheet struct {
	vg.CanvasSizer
	raster imagedraw.Image // the pixels; nil: there are none
	write  func(io.Writer) error
}

func newSheet(size image.Point, format Format, ground color.Color) (sheet, error) {
	w, h := vg.Length(size.X), vg.Length(size.Y)
	switch format {
	case PNG:
		c := vgimg.NewWith(vgimg.UseWH(w, h), vgimg.UseDPI(72), vgimg.UseBackgroundColor(ground))
		return sheet{c, c.Image(), func(w io.Writer) error { return png.Encode(w, c.Image()) }}, nil
	case SVG:
		c := vgsvg.NewWith(vgsvg.UseWH(w, h))
		return sheet{c, nil, func(w io.Writer) error { return writeSVG(w, c, size) }}, nil
	case PDF:
		c := vgpdf.New(w, h)
		return sheet{outlined{c}, nil, func(w io.Writer) error { _, err := c.WriteTo(w); return err }}, nil
	}
	return sheet{}, fmt.Errorf("no format %q: want png, svg or pdf", format)
}

// writeSVG writes an SVG in px, whose text falls back to fonts of Liberation Sans's widths.
func writeSVG(w io.Writer, c *vgsvg.Canvas, size image.Point) error {
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return err
	}
	text := b.Bytes()
	points := fmt.Sprintf(`width="%.5gpt" height="%.5gpt"`, float64(size.X), float64(size.Y))
	text = bytes.Replace(text, []byte(points), fmt.Appendf(nil, `width="%d" height="%d"`, size.X, size.Y), 1)
	text = bytes.ReplaceAll(text, []byte("font-family:Liberation Sans;"), []byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif;"))
	text = bytes.ReplaceAll(text, []byte("data:image/jpg;"), []byte("data:image/png;"))
	_, err := w.Write(text)
	return err
}

func init() { // a PDF is a function of the figure alone
	fpdf.SetDefaultCatalogSort(true)
	fpdf.SetDefaultCreationDate(time.Unix(0, 0).UTC())
	fpdf.SetDefaultModificationDate(time.Unix(0, 0).UTC())
}

// outlined is a PDF whose text is outlines: gonum's has no characters beyond Windows-1252,
// such as the minus sign.
type outlined struct{ *vgpdf.Canvas }

// DrawImage draws an image upright: gonum's is upside down, as the page's coordinates are.
func (o outlined) DrawImage(r vg.Rectangle, img image.Image) {
	o.Canvas.DrawImage(r, upsideDown(img))
}

func upsideDown(img image.Image) image.Image {
	b := img.Bounds()
	out := image.NewRGBA(b)
	for y := range b.Dy() {
		row := image.Rect(b.Min.X, b.Min.Y+y, b.Max.X, b.Min.Y+y+1)
		imagedraw.Draw(out, row, img, image.Pt(b.Min.X, b.Max.Y-1-y), imagedraw.Src)
	}
	return out
}

// glyphUnits is the size in which outlines are asked for.
const glyphUnits = 1024

// FillString draws a line of text whose baseline starts at a point.
func (o outlined) FillString(f plotfont.Face, at vg.Point, s string) {
	var buf sfnt.Buffer
	scale := f.Font.Size / vg.Length(64*glyphUnits)
	point := func(p fixed.Point26_6) vg.Point {
		return vg.Point{X: at.X + scale*vg.Length(p.X), Y: at.Y - scale*vg.Length(p.Y)}
	}
	var last sfnt.GlyphIndex
	for i, r := range s {
		glyph, err := f.Face.GlyphIndex(&buf, r)
		if err != nil {
			panic(err)
		}
		if kern, err := f.Face.Kern(&buf, last, glyph, fixed.I(glyphUnits), font.HintingNone); i > 0 && err == nil {
			at.X += scale * vg.Length(kern)
		}
		last = glyph
		segments, err := f.Face.LoadGlyph(&buf, glyph, fixed.I(glyphUnits), nil)
		if err != nil {
			panic(err)
		}
		if path := outline(segments, point); path != nil {
			o.Fill(path)
		}
		advance, err := f.Face.GlyphAdvance(&buf, glyph, fixed.I(glyphUnits), font.HintingNone)
		if err != nil {
			panic(err)
		}
		at.X += scale * vg.Length(advance)
	}
}

// outline returns the closed path of a glyph; nil: it has none, as a space.
func outline(segments sfnt.Segments, point func(fixed.Point26_6) vg.Point) (path vg.Path) {
	for _, seg := range segments {
		to := point(seg.Args[0])
		switch seg.Op {
		case sfnt.SegmentOpMoveTo:
			if path != nil {
				path.Close()
			}
			path.Move(to)
		case sfnt.SegmentOpLineTo:
			path.Line(to)
		case sfnt.SegmentOpQuadTo:
			path.QuadTo(to, point(seg.Args[1]))
		case sfnt.SegmentOpCubeTo:
			path.CubeTo(to, point(seg.Args[1]), point(seg.Args[2]))
		}
	}
	if path != nil {
		path.Close()
	}
	return path
}
