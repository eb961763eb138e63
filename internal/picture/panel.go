package picture

import (
	"fmt"
	"image"
	"image/color"

	"gonum.org/v1/plot/text"
)

// Row is a row of maps in a panel, with a label such as "target".
type Row struct {
	Label  string
	Fields []Field
	Heads  []string // a line above each map; or none. The first row may have Columns in place
	Notes  []string // a line below each map, such as its error; or none
}

// Panel is maps of one quantity, with axes in cells or lengths.
type Panel struct {
	Title   string   // the quantity: "Bx"
	Unit    string   // the colour bar's label; may be empty
	Columns []string // a head for each column, or empty
	Rows    []Row    // all with the same number of fields, all fields of one size

	// Diverging is for signed fields: a scale from blue below zero through white to
	// red. Its limits are +-q, with q the 99.8th percentile of |value| over all rows;
	// beyond them colours saturate, and the bar has arrowheads. Otherwise the scale is
	// viridis, between the 0.1st and the 99.9th percentile.
	Diverging bool
	// Sizes is for values of at least 0, such as errors: viridis from 0 to the 99th percentile.
	Sizes bool
	// OwnScales gives each column a scale of its own, with a bar below it, so that a weak frame
	// has contrast beside a strong one.
	OwnScales bool

	ScaleOf []Field           // the fields whose values choose the scale; nil: the panel's own
	Lengths [2]float64        // height and width of the domain; zeros: the axes count cells
	Zooms   []image.Rectangle // the cells of each column to show enlarged below its maps, y upwards; or none

	levels int  // how many colours the maps have; 0: as many as they need
	bare   bool // maps without axes or a bar
}

// Limits of a map. A cell is drawn as a whole number of pixels, the smallest for
// which the map is at least leastTile pixels long. A field of more than mostCells
// along a side is first averaged over blocks of cells.
const (
	leastTile = 200
	mostCells = 512
)

func (p Panel) layout() (image.Point, func(*canvas), error) {
	if err := p.check(); err != nil {
		return image.Point{}, nil, fmt.Errorf("panel %s: %w", p.Title, err)
	}
	l := p.arrange()
	return l.size, func(c *canvas) { p.draw(c, l) }, nil
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
		if got, want := len(r.Notes), len(r.Fields); got != 0 && got != want {
			return fmt.Errorf("row %s: %d notes, want %d or none", r.Label, got, want)
		}
		if got, want := len(r.Heads), len(r.Fields); got != 0 && got != want {
			return fmt.Errorf("row %s: %d heads, want %d or none", r.Label, got, want)
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
	return p.checkZooms()
}

func (p Panel) checkZooms() error {
	first := p.Rows[0].Fields[0]
	if got, want := len(p.Zooms), len(p.Rows[0].Fields); got != 0 && got != want {
		return fmt.Errorf("%d zooms, want %d or none", got, want)
	}
	for i, z := range p.Zooms {
		if z.Empty() || !z.In(image.Rect(0, 0, first.W, first.H)) || z.Size() != p.Zooms[0].Size() {
			return fmt.Errorf("zoom %d of cells %v, on %d x %d cells", i, z, first.H, first.W)
		}
	}
	return nil
}

// scales returns the scale of each column, the same for all unless they have their own.
func (p Panel) scales() []colorScale {
	out := make([]colorScale, len(p.Rows[0].Fields))
	for i := range out {
		var of []Field
		for _, r := range p.Rows {
			if p.OwnScales {
				of = append(of, r.Fields[i])
			} else {
				of = append(of, r.Fields...)
			}
		}
		if p.ScaleOf != nil {
			of = p.ScaleOf
		}
		switch {
		case i > 0 && !p.OwnScales:
			out[i] = out[0]
		case p.Diverging:
			out[i] = divergingScale(of)
		case p.Sizes:
			out[i] = sizeScale(of)
		default:
			out[i] = sequentialScale(of)
		}
		out[i].levels = p.levels
	}
	return out
}

// draw draws the panel where arrange has put its parts.
func (p Panel) draw(c *canvas, l arrangement) {
	p.drawText(c, l)
	for r, row := range p.Rows {
		for i, f := range row.Fields {
			at := l.tileAt(r, i)
			c.image(f.coarser(l.block).paint(l.scales[i], l.pixels), at.Min)
			c.frame(at, c.theme.Ink)
			if !p.bare {
				a := l.axesAt(at)
				a.drawX(c, r == len(p.Rows)-1)
				a.drawY(c, i == 0)
			}
			if row.Notes != nil {
				style := textStyle(tickSize, text.XCenter, text.YTop)
				style.Color = c.theme.Soft
				c.text(row.Notes[i], (at.Min.X+at.Max.X)/2, at.Max.Y+l.noteDrop(r), style)
			}
			if p.Zooms != nil {
				p.drawZoom(c, l, r, i)
			}
		}
	}
	for i, b := range l.bars {
		b.draw(c, l.barAt(i))
	}
}

// drawZoom marks the cells of a column's zoom on a map, and draws them enlarged below it.
func (p Panel) drawZoom(c *canvas, l arrangement, row, column int) {
	at, cells := l.tileAt(row, column), p.Zooms[column]
	part := p.Rows[row].Fields[column].part(cells)
	small := l.zoom(at, row)
	c.image(part.coarser(l.zoomBlock).paint(l.scales[column], l.zoomPixels), small.Min)
	c.frame(small, c.theme.Ink)
	per := float64(l.pixels) / float64(l.block)
	mark := image.Rect(
		at.Min.X+int(float64(cells.Min.X)*per), at.Max.Y-int(float64(cells.Max.Y)*per),
		at.Min.X+int(float64(cells.Max.X)*per), at.Max.Y-int(float64(cells.Min.Y)*per))
	c.frame(mark.Inset(-1), color.White)
	c.frame(mark, color.Black)
}

// drawText draws the title, the heads of rows and columns and the names of the axes.
func (p Panel) drawText(c *canvas, l arrangement) {
	last := len(p.Rows[0].Fields) - 1
	middle := (l.tileAt(0, 0).Min.X + l.tileAt(0, last).Max.X) / 2
	c.text(p.Title, middle, margin, textStyle(titleSize, text.XCenter, text.YTop))
	for r := range p.Rows {
		for i, head := range p.heads(r) {
			at := l.tileAt(r, i)
			c.text(head, (at.Min.X+at.Max.X)/2, at.Min.Y-6, textStyle(labelSize, text.XCenter, text.YBottom))
		}
	}
	for r, row := range p.Rows {
		at := l.tileAt(r, 0)
		y := (at.Min.Y + at.Max.Y) / 2
		c.text(row.Label, margin, y, upwards(textStyle(labelSize, text.XCenter, text.YTop)))
		if !p.bare {
			c.text(p.axisName("y"), l.origin.X-l.yRoom, y, upwards(textStyle(tickSize, text.XCenter, text.YTop)))
		}
	}
	if p.bare {
		return
	}
	for i := range last + 1 {
		at := l.tileAt(len(p.Rows)-1, i)
		c.text(p.axisName("x"), (at.Min.X+at.Max.X)/2, at.Max.Y+labelHeight+4, textStyle(tickSize, text.XCenter, text.YTop))
	}
}

// heads returns what is written above the maps of a row.
func (p Panel) heads(row int) []string {
	if row == 0 && len(p.Columns) > 0 {
		return p.Columns
	}
	return p.Rows[row].Heads
}

// axisName returns the label of an axis of the maps.
func (p Panel) axisName(axis string) string {
	if p.Lengths == [2]float64{} {
		return axis + " [cells]"
	}
	return axis
}
