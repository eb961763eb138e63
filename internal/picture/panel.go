package picture

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// Field is a scalar field, row-major (H,W), row 0 at the bottom.
type Field struct {
	H, W int
	Data []float32
}

// Row is a row of a panel.
type Row struct {
	Label  string
	Fields []Field
}

// Panel is rows of maps with the same limits and one colour bar, in physical units.
type Panel struct {
	Title     string
	Unit      string // of the colour bar
	Columns   []string
	Rows      []Row
	Diverging bool // limits symmetric about zero, zero in white
}

// Lengths in pixels.
const (
	tileTarget = 200 // a map is at least this wide, by a whole number of pixels a cell
	tileMost   = 520
	gap        = 8
	leftMargin = 150
	barGap     = 20
	barWidth   = 18
	barLabels  = 90
	titleRoom  = 34
	headRoom   = 24
	fontSize   = 14
)

// PNG draws the panel.
func (p Panel) PNG(w io.Writer) error {
	h, width, err := p.size()
	if err != nil {
		return fmt.Errorf("panel %s: %w", p.Title, err)
	}
	scale := max(1, (tileTarget+width-1)/width)
	shrink := max(1, (max(h, width)+tileMost-1)/tileMost)
	tw, th := width*scale/shrink, h*scale/shrink
	columns := 0
	for _, r := range p.Rows {
		columns = max(columns, len(r.Fields))
	}
	total := struct{ w, h int }{
		leftMargin + columns*(tw+gap) + barGap + barWidth + barLabels,
		titleRoom + headRoom + len(p.Rows)*(th+gap),
	}
	c := newCanvas(total.w, total.h)
	lo, hi := p.limits()
	c.text(p.Title, leftMargin, total.h-titleRoom+10, fontSize+3, draw.XLeft, draw.YBottom)
	for i, name := range p.Columns[:min(columns, len(p.Columns))] {
		c.text(name, leftMargin+i*(tw+gap)+tw/2, total.h-titleRoom-headRoom+6, fontSize, draw.XCenter, draw.YBottom)
	}
	for r, row := range p.Rows {
		y := total.h - titleRoom - headRoom - (r+1)*(th+gap) + gap
		c.text(row.Label, leftMargin-12, y+th/2, fontSize, draw.XRight, draw.YCenter)
		for i, f := range row.Fields {
			c.image(p.paint(f, lo, hi, scale, shrink), leftMargin+i*(tw+gap), y)
		}
	}
	bottom := gap
	p.bar(c, total.w-barLabels-barWidth, bottom, total.h-titleRoom-headRoom-2*gap, lo, hi)
	return c.png(w)
}

// size is that of every field, which must agree.
func (p Panel) size() (h, w int, err error) {
	for _, r := range p.Rows {
		for _, f := range r.Fields {
			if h == 0 {
				h, w = f.H, f.W
			}
			if f.H != h || f.W != w || h < 1 || w < 1 || len(f.Data) != h*w {
				return 0, 0, fmt.Errorf("row %s: %d values on %d x %d, want %d x %d", r.Label, len(f.Data), f.H, f.W, h, w)
			}
		}
	}
	if h == 0 {
		return 0, 0, fmt.Errorf("no fields")
	}
	return h, w, nil
}

// limits leave out the most extreme thousandth on either side, which would
// otherwise take the contrast from the rest.
func (p Panel) limits() (lo, hi float64) {
	var values []float64
	for _, r := range p.Rows {
		for _, f := range r.Fields {
			for _, v := range f.Data {
				x := float64(v)
				if p.Diverging {
					x = math.Abs(x)
				}
				if !math.IsNaN(x) && !math.IsInf(x, 0) {
					values = append(values, x)
				}
			}
		}
	}
	if len(values) == 0 {
		return 0, 1
	}
	slices.Sort(values)
	at := func(q float64) float64 { return values[int(q*float64(len(values)-1))] }
	lo, hi = at(0.001), at(0.999)
	if p.Diverging {
		lo = -hi
	}
	if lo == hi {
		lo, hi = lo-1, hi+1
	}
	return lo, hi
}

func (p Panel) colors() colormap {
	if p.Diverging {
		return redBlue
	}
	return viridis
}

// paint is a field as an image: scale pixels a cell, or the mean of shrink cells a pixel.
func (p Panel) paint(f Field, lo, hi float64, scale, shrink int) image.Image {
	w, h := f.W*scale/shrink, f.H*scale/shrink
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			v := f.mean(x*shrink/scale, y*shrink/scale, shrink)
			img.SetRGBA(x, h-1-y, p.colors().at((v-lo)/(hi-lo)))
		}
	}
	return img
}

// mean of n x n cells from (x,y) on.
func (f Field) mean(x, y, n int) float64 {
	sum, count := 0.0, 0
	for dy := y; dy < min(y+n, f.H); dy++ {
		for dx := x; dx < min(x+n, f.W); dx++ {
			sum += float64(f.Data[dy*f.W+dx])
			count++
		}
	}
	return sum / float64(count)
}

// bar draws the colour bar with its numbers.
func (p Panel) bar(c *canvas, x, y, height int, lo, hi float64) {
	img := image.NewRGBA(image.Rect(0, 0, barWidth, height))
	for i := range height {
		shade := p.colors().at(float64(i) / float64(height-1))
		for j := range barWidth {
			img.SetRGBA(j, height-1-i, shade)
		}
	}
	c.image(img, x, y)
	for _, t := range (plot.DefaultTicks{}).Ticks(lo, hi) {
		if t.IsMinor() {
			continue
		}
		at := y + int(float64(height)*(t.Value-lo)/(hi-lo))
		c.line(x+barWidth, at, x+barWidth+4, at)
		c.text(t.Label, x+barWidth+8, at, fontSize-1, draw.XLeft, draw.YCenter)
	}
	if p.Unit != "" {
		c.text(p.Unit, x, y+height+6, fontSize-1, draw.XLeft, draw.YBottom)
	}
}

// canvas is gonum's, at one pixel a unit.
type canvas struct {
	img *vgimg.Canvas
	draw.Canvas
}

func newCanvas(w, h int) *canvas {
	img := vgimg.NewWith(vgimg.UseWH(vg.Length(w), vg.Length(h)), vgimg.UseDPI(72))
	return &canvas{img, draw.New(img)}
}

func (c *canvas) text(s string, x, y int, size vg.Length, xAlign text.XAlignment, yAlign text.YAlignment) {
	style := text.Style{
		Color: color.Black, Font: font.From(plot.DefaultFont, size), XAlign: xAlign, YAlign: yAlign, Handler: plot.DefaultTextHandler,
	}
	c.FillText(style, vg.Point{X: vg.Length(x), Y: vg.Length(y)}, s)
}

func (c *canvas) image(img image.Image, x, y int) {
	size := img.Bounds().Size()
	lower := vg.Point{X: vg.Length(x), Y: vg.Length(y)}
	c.img.DrawImage(vg.Rectangle{Min: lower, Max: vg.Point{X: lower.X + vg.Length(size.X), Y: lower.Y + vg.Length(size.Y)}}, img)
}

func (c *canvas) line(x0, y0, x1, y1 int) {
	c.StrokeLine2(draw.LineStyle{Color: color.Black, Width: 1}, vg.Length(x0), vg.Length(y0), vg.Length(x1), vg.Length(y1))
}

func (c *canvas) png(w io.Writer) error { return png.Encode(w, c.img.Image()) }
