package picture

import (
	"image"

	"gonum.org/v1/plot"
)

// arrangement is the places of all parts of a panel, in pixels.
//
//	            Title
//	         column 1   column 2
//	row 1    [ map ]    [ map ]     ^ above
//	         note       note        # hi
//	         [zoom ]    [zoom ]     #      unit
//	row 2    [ map ]    [ map ]     # lo
//	         0  x  1    0  x  1     v below
//	         note       note
//	         [zoom ]    [zoom ]           or a bar below each column
type arrangement struct {
	size        image.Point
	block       int         // side of the blocks of cells that are averaged
	pixels      int         // side of a block in pixels
	origin      image.Point // upper left corner of the first map
	tile, pitch image.Point // the size of a map, and the distance from one map to the next
	yRoom       int         // left of the maps, for the y axis
	xRoom       int         // below the last row's maps, for the x axis
	noteRoom    int         // below each map, for its note
	rowGap      int         // above the maps of each row but the first
	headRoom    int         // above the maps of each row but the first, for their heads
	rows        int

	zoomSize              image.Point
	zoomBlock, zoomPixels int

	scales []colorScale // of each column
	bars   []bar        // one right of all maps, or one below each column

	x, y axis // of the maps
}

// Lengths in pixels.
const (
	margin = 12
	gap    = 10
)

// arrange chooses the places.
func (p Panel) arrange() arrangement {
	l := arrangement{scales: p.scales(), rows: len(p.Rows)}
	first, columns := p.Rows[0].Fields[0], len(p.Rows[0].Fields)
	l.block, l.pixels, l.tile = fit(first.H, first.W, leastTile, mostCells)
	l.x, l.y = mapAxis(first.W, p.Lengths[1], l.tile.X), mapAxis(first.H, p.Lengths[0], l.tile.Y)
	l.xRoom = tickLength + 3
	if !p.bare {
		l.yRoom = l.y.labelWidth() + tickLength + tickGap + tickSize + 6
		l.xRoom = labelHeight + 4 + tickSize + 7
	}
	l.fitZoom(p)
	if l.rowGap = gap; p.Zooms != nil {
		l.rowGap += gap // a zoom is nearer to its own map than to the next row's
	}
	texts := 0
	for i, r := range p.Rows {
		texts = max(texts, widest(r.Notes, tickSize), widest(p.heads(i), labelSize))
		if i > 0 && r.Heads != nil {
			l.headRoom = labelSize + 8
		}
		if r.Notes != nil {
			l.noteRoom = tickSize + 6
		}
	}
	l.pitch.X = max(l.tile.X, texts) + gap
	l.pitch.Y = max(l.tile.Y, p.widestUpwards()) + l.below(-1) + l.headRoom + l.rowGap
	width := columns*l.pitch.X - gap
	l.origin = image.Pt(margin+l.labelRoom(p)+l.yRoom, margin+6)
	if p.Title != "" {
		l.origin.Y += titleSize + 8
		l.origin.X = max(l.origin.X, margin+(textWidth(p.Title, titleSize)-width)/2) // centred, it may be wider than the maps
	}
	if len(p.heads(0)) > 0 {
		l.origin.Y += labelSize + 8
	}
	l.addBars(p, columns)
	right := max(l.origin.X+width, l.origin.X+(width+textWidth(p.Title, titleSize))/2)
	bottom := l.tileAt(l.rows-1, 0).Max.Y + max(l.below(l.rows-1), (p.widestUpwards()-l.tile.Y)/2)
	switch {
	case p.bare:
	case p.OwnScales:
		bottom += barGap/2 + l.bars[0].across()
	default:
		right = max(right, l.origin.X+width+barGap+l.bars[0].across())
		bottom = max(bottom, l.barAt(0).Max.Y)
	}
	l.size = image.Pt(right+margin, bottom+margin)
	return l
}

// fit returns the side of the blocks that h x w cells are averaged over, the pixels of a
// block's side and the size of the map: at least so long, of at most so many blocks.
func fit(h, w, least, most int) (block, pixels int, size image.Point) {
	block = (max(h, w) + most - 1) / most
	size = image.Pt((w+block-1)/block, (h+block-1)/block)
	longest := max(size.X, size.Y)
	pixels = (least + longest - 1) / longest
	return block, pixels, size.Mul(pixels)
}

// fitZoom chooses the size of the zooms: as wide as a map at most.
func (l *arrangement) fitZoom(p Panel) {
	if p.Zooms == nil {
		return
	}
	cells := p.Zooms[0].Size()
	l.zoomBlock = (cells.X + l.tile.X - 1) / l.tile.X
	blocks := image.Pt((cells.X+l.zoomBlock-1)/l.zoomBlock, (cells.Y+l.zoomBlock-1)/l.zoomBlock)
	l.zoomPixels = max(1, l.tile.X/blocks.X)
	l.zoomSize = blocks.Mul(l.zoomPixels)
}

// mapAxis returns an axis over so many cells, or over a length unless it is 0. Labels that
// would stand out beyond its end are left out: those of the next map may be there.
func mapAxis(cells int, length float64, pixels int) axis {
	if length == 0 {
		length = float64(cells)
	}
	a := axis{span: span{0, length}}
	ticks, exponent := linearTicks(0, length, max(3, pixels/42))
	for _, t := range ticks {
		if exponent != 0 && t.Value != 0 {
			t.Label += "\u00d7" + powerOfTen(exponent)
		}
		if float64(textWidth(t.Label, tickSize))/2 > (1-a.place(t.Value))*float64(pixels)+1 {
			t.Label = ""
		}
		a.ticks = append(a.ticks, plot.Tick(t))
	}
	return a
}

// addBars makes the colour bars.
func (l *arrangement) addBars(p Panel, columns int) {
	if p.bare {
		return
	}
	if !p.OwnScales {
		l.bars = []bar{newBar(l.scales[0], p.Unit, l.barHeight(), false)}
		return
	}
	for i := range columns {
		l.bars = append(l.bars, newBar(l.scales[i], p.Unit, l.tile.X*2/3, true))
	}
}

// barHeight is that of all maps together.
func (l arrangement) barHeight() int {
	return max((l.rows-1)*l.pitch.Y+l.tile.Y, leastTile)
}

// barAt returns the place of a bar's shades and arrowheads.
func (l arrangement) barAt(i int) image.Rectangle {
	if l.bars[i].flat {
		last := l.tileAt(l.rows-1, i)
		top := last.Max.Y + l.below(l.rows-1) + barGap/2
		return image.Rect(last.Min.X, top, last.Max.X, top+barWidth)
	}
	columns := len(l.scales)
	left := l.origin.X + columns*l.pitch.X - gap + barGap
	return image.Rect(left, l.origin.Y, left+barWidth, l.origin.Y+l.barHeight())
}

// widestUpwards returns the length of the longest text that is beside a row and reads
// upwards.
func (p Panel) widestUpwards() int {
	w := textWidth(p.axisName("y"), tickSize)
	for _, r := range p.Rows {
		w = max(w, textWidth(r.Label, labelSize))
	}
	return w
}

// labelRoom returns the width that the labels of the rows take.
func (l arrangement) labelRoom(p Panel) int {
	for _, r := range p.Rows {
		if r.Label != "" {
			return labelSize + 10
		}
	}
	return 0
}

// tileAt returns the place of a map, in the middle of its cell of the arrangement.
func (l arrangement) tileAt(row, column int) image.Rectangle {
	slack := image.Pt(l.pitch.X-gap-l.tile.X, l.pitch.Y-l.rowGap-l.headRoom-l.below(-1)-l.tile.Y)
	at := l.origin.Add(image.Pt(column*l.pitch.X, row*l.pitch.Y)).Add(slack.Div(2))
	return image.Rectangle{Min: at, Max: at.Add(l.tile)}
}

// axesAt returns the axes around a map.
func (l arrangement) axesAt(at image.Rectangle) axes { return axes{at, l.x, l.y} }

// noteDrop returns the distance from a row's maps to their notes.
func (l arrangement) noteDrop(row int) int {
	if row == l.rows-1 {
		return l.xRoom
	}
	return tickLength + 3
}

// below returns the height of what is below a row's maps: the axis, the notes and the zooms.
func (l arrangement) below(row int) int { return l.noteDrop(row) + l.noteRoom + l.zoomSize.Y }

// zoom returns the place of the zoom below a map.
func (l arrangement) zoom(at image.Rectangle, row int) image.Rectangle {
	top := image.Pt(at.Min.X+(l.tile.X-l.zoomSize.X)/2, at.Max.Y+l.noteDrop(row)+l.noteRoom)
	return image.Rectangle{Min: top, Max: top.Add(l.zoomSize)}
}
