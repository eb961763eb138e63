package picture

import (
	"fmt"
	"image"
	"slices"

	"gonum.org/v1/plot/text"
)

// Stack is plots of the same X above each other, the first twice as tall.
type Stack []Plot

// Plots is stacks of plots side by side, all with the same number of plots, and one legend
// above them. A label has the same colour in all.
type Plots struct {
	Title   string
	Columns int // stacks in a row; 0: four, or all if there are fewer
	Stacks  []Stack

	box image.Point // size of the first plot of a stack, inside its axes; zero: the usual
}

// Lengths in pixels.
const (
	boxWidth  = 380 // of a plot, inside its axes
	boxHeight = 280
	lowHeight = 120 // of the plots below the first
	stackGap  = 10  // between the plots of a stack
	cellGap   = 28  // between stacks
)

// check returns what is wrong with the data.
func (p Plots) check() error {
	if len(p.Stacks) == 0 {
		return fmt.Errorf("plots %s: none", p.Title)
	}
	for _, s := range p.Stacks {
		if len(s) == 0 || len(s) != len(p.Stacks[0]) {
			return fmt.Errorf("plots %s: stacks of %d and of %d", p.Title, len(p.Stacks[0]), len(s))
		}
		for _, plot := range s {
			if err := plot.check(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p Plots) layout() (image.Point, func(*canvas), error) {
	if err := p.check(); err != nil {
		return image.Point{}, nil, err
	}
	styles := newStyles(slices.Concat(p.Stacks...))
	columns := p.Columns
	if columns == 0 {
		columns = 4
	}
	columns = min(columns, len(p.Stacks))
	rows := (len(p.Stacks) + columns - 1) / columns
	cell := p.cell()
	width := columns*(cell.Dx()+cellGap) - cellGap + 2*margin
	legend := p.legend(width - 2*margin)
	top := margin
	if p.Title != "" {
		top += titleSize + 8
	}
	top += legend.height()
	size := image.Pt(max(width, textWidth(p.Title, titleSize)+2*margin), top+rows*(cell.Dy()+cellGap)-cellGap+margin)
	return size, func(c *canvas) {
		if p.Title != "" {
			c.text(p.Title, size.X/2, margin, textStyle(titleSize, text.XCenter, text.YTop))
		}
		legend.draw(c, styles, size.X/2, top-legend.height())
		for i, s := range p.Stacks {
			at := image.Pt((size.X-width)/2+margin+i%columns*(cell.Dx()+cellGap), top+i/columns*(cell.Dy()+cellGap))
			s.draw(c.part(image.Rectangle{Min: at, Max: at.Add(cell.Size())}), p.boxes(), styles)
		}
	}, nil
}

// boxes returns the boxes of a stack's plots, from the cell's upper left corner.
func (p Plots) boxes() (out []image.Rectangle) {
	left := 0
	for _, s := range p.Stacks {
		for _, plot := range s {
			left = max(left, plot.axes(image.Rect(0, 0, boxWidth, boxHeight)).y.labelWidth())
		}
	}
	left += tickLength + tickGap + labelSize + 10
	size := p.box
	if size == (image.Point{}) {
		size = image.Pt(boxWidth, boxHeight)
	}
	top := p.headHeight()
	for range p.Stacks[0] {
		out = append(out, image.Rect(left, top, left+size.X, top+size.Y))
		top += size.Y + stackGap
		size.Y = lowHeight
	}
	return out
}

// headHeight returns the height of the titles above the boxes, and of the names of bands.
func (p Plots) headHeight() int {
	title, names := 4, 0
	for _, s := range p.Stacks {
		if s[0].Title != "" {
			title = labelSize + 8
		}
		if s[0].Band.To > 0 {
			names = tickSize + 4
		}
	}
	return title + names
}

// cell returns the size of a stack with its titles and labels.
func (p Plots) cell() image.Rectangle {
	boxes := p.boxes()
	last := boxes[len(boxes)-1]
	return image.Rect(0, 0, last.Max.X+overhang, last.Max.Y+labelHeight+6+labelSize+4)
}

// overhang is the room right of a box, for half a tick's label.
const overhang = 22

func (s Stack) draw(c *canvas, boxes []image.Rectangle, styles styles) {
	head := boxes[0]
	c.text(s[0].Title, (head.Min.X+head.Max.X)/2, 0, textStyle(labelSize+1, text.XCenter, text.YTop))
	for i, p := range s {
		a := p.axes(boxes[i])
		if i > 0 {
			a.x = s[0].axes(boxes[0]).x
		} else {
			p.nameBand(c, a)
		}
		p.draw(c, a, styles, i == len(s)-1)
		c.text(p.YLabel, 0, (boxes[i].Min.Y+boxes[i].Max.Y)/2, upwards(textStyle(labelSize, text.XCenter, text.YTop)))
	}
}
