package picture

import (
	"fmt"
	"image"
	"io"

	"gonum.org/v1/plot/text"
)

// Row is a row of maps in a panel, with a label such as "target".
type Row struct {
	Label  string
	Fields []Field
}

// Panel has rows of maps of one quantity on one colour scale.
type Panel struct {
	Title   string   // the quantity: "Bx"
	Unit    string   // the colour bar's label; may be empty
	Columns []string // a head for each column, or empty
	Rows    []Row    // all with the same number of fields, all fields of one size

	// Diverging is for signed fields: a scale from blue below zero through white to
	// red. Its limits are +-q, with q the 99.8th percentile of |value| over all rows;
	// beyond them colours saturate, and the bar has arrowheads. Otherwise the scale is
	// viridis, from the least to the largest value.
	Diverging bool
}

// Limits of a map. A cell is drawn as a whole number of pixels, the smallest for
// which the map is at least leastTile pixels long. A field of more than mostCells
// along a side is first averaged over blocks of cells.
const (
	leastTile = 200
	mostCells = 512
)

// PNG draws the panel and writes it to w. Errors name the panel and the row.
func (p Panel) PNG(w io.Writer) error {
	if err := p.draw(w); err != nil {
		return fmt.Errorf("panel %s: %w", p.Title, err)
	}
	return nil
}

func (p Panel) draw(w io.Writer) (err error) {
	defer catch(&err)
	if err := p.check(); err != nil {
		return err
	}
	scale := p.colorScale()
	l := p.layout(scale)
	c := newCanvas(l.size)
	p.drawText(c, l)
	for r, row := range p.Rows {
		for i, f := range row.Fields {
			at := l.tileAt(r, i)
			c.image(f.coarser(l.block).paint(scale, l.pixels), at.Min)
			c.frame(at)
		}
	}
	l.bar.draw(c, l.barAt)
	return c.png(w)
}

func (p Panel) colorScale() colorScale {
	if p.Diverging {
		return divergingScale(p.Rows)
	}
	return sequentialScale(p.Rows)
}

func (p Panel) check() error {
	if len(p.Rows) == 0 || len(p.Rows[0].Fields) == 0 {
		return fmt.Errorf("no fields")
	}
	first := p.Rows[0].Fields[0]
	for _, r := range p.Rows {
		if got, want := len(r.Fields), len(p.Rows[0].Fields); got != want {
			return fmt.Errorf("row %s: %d fields, want %d as in row %s", r.Label, got, want, p.Rows[0].Label)
		}
		for i, f := range r.Fields {
			if err := f.check(); err != nil {
				return fmt.Errorf("row %s: field %d: %w", r.Label, i, err)
			}
			if f.H != first.H || f.W != first.W {
				return fmt.Errorf("row %s: field %d: %d x %d, want %d x %d", r.Label, i, f.H, f.W, first.H, first.W)
			}
		}
	}
	if got, want := len(p.Columns), len(p.Rows[0].Fields); got != 0 && got != want {
		return fmt.Errorf("%d column heads, want %d or none", got, want)
	}
	return nil
}

// drawText draws the title and the heads of rows and columns.
func (p Panel) drawText(c *canvas, l layout) {
	middle := (l.tileAt(0, 0).Min.X + l.tileAt(0, len(p.Rows[0].Fields)-1).Max.X) / 2
	c.text(p.Title, middle, margin, textStyle(titleSize, text.XCenter, text.YTop))
	for i, head := range p.Columns {
		at := l.tileAt(0, i)
		c.text(head, (at.Min.X+at.Max.X)/2, at.Min.Y-6, textStyle(labelSize, text.XCenter, text.YBottom))
	}
	for r, row := range p.Rows {
		at := l.tileAt(r, 0)
		c.text(row.Label, at.Min.X-10, (at.Min.Y+at.Max.Y)/2, textStyle(labelSize, text.XRight, text.YCenter))
	}
}

// layout has the places of all parts of a panel, in pixels.
type layout struct {
	size        image.Point
	block       int         // side of the blocks of cells that are averaged
	pixels      int         // side of a block in pixels
	origin      image.Point // upper left corner of the first map
	tile, pitch image.Point // the size of a map, and the distance from one map to the next
	bar         bar
	barAt       image.Rectangle // the bar's shades and arrowheads
}

// Lengths in pixels.
const (
	margin   = 12
	gap      = 8
	barGap   = 22
	barWidth = 18
)

func (p Panel) layout(s colorScale) layout {
	var l layout
	l.fitTiles(p.Rows[0].Fields[0], p.Columns)
	rows, columns := len(p.Rows), len(p.Rows[0].Fields)
	maps := image.Pt(columns*l.pitch.X-gap, rows*l.pitch.Y-gap)
	height := max(maps.Y, leastTile)
	l.bar = newBar(s, p.Unit, height)

	l.origin = image.Pt(margin+p.labelRoom(), margin+6)
	if p.Title != "" {
		l.origin.Y += titleSize + 8
		// A title is centred over the maps and may be wider.
		l.origin.X = max(l.origin.X, margin+(textWidth(p.Title, titleSize)-maps.X)/2)
	}
	if len(p.Columns) > 0 || l.bar.exponent != 0 {
		l.origin.Y += labelSize + 8
	}
	left := l.origin.X + maps.X + barGap
	l.barAt = image.Rect(left, l.origin.Y, left+barWidth, l.origin.Y+height)
	titleEnd := l.origin.X + (maps.X+textWidth(p.Title, titleSize))/2
	l.size = image.Pt(max(left+l.bar.width(), titleEnd)+margin, l.barAt.Max.Y+margin)
	return l
}

// fitTiles chooses the sizes of the maps.
func (l *layout) fitTiles(f Field, heads []string) {
	l.block = (max(f.H, f.W) + mostCells - 1) / mostCells
	cells := image.Pt((f.W+l.block-1)/l.block, (f.H+l.block-1)/l.block)
	longest := max(cells.X, cells.Y)
	l.pixels = (leastTile + longest - 1) / longest
	l.tile = cells.Mul(l.pixels)
	l.pitch = image.Pt(max(l.tile.X, widest(heads))+gap, max(l.tile.Y, labelSize+2)+gap)
}

// labelRoom returns the width that the labels of the rows take.
func (p Panel) labelRoom() int {
	var labels []string
	for _, r := range p.Rows {
		labels = append(labels, r.Label)
	}
	if w := widest(labels); w > 0 {
		return w + 10
	}
	return 0
}

func widest(labels []string) int {
	w := 0
	for _, s := range labels {
		w = max(w, textWidth(s, labelSize))
	}
	return w
}

// tileAt returns the place of a map, in the middle of its cell of the layout.
func (l layout) tileAt(row, column int) image.Rectangle {
	slack := image.Pt((l.pitch.X-gap-l.tile.X)/2, (l.pitch.Y-gap-l.tile.Y)/2)
	at := l.origin.Add(image.Pt(column*l.pitch.X, row*l.pitch.Y)).Add(slack)
	return image.Rectangle{Min: at, Max: at.Add(l.tile)}
}
