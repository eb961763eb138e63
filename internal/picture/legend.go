package picture

import "gonum.org/v1/plot/text"

// legend is rows of line samples with their labels, for the curves of a whole figure.
type legend [][]entry

type entry struct {
	label string
	of    Curve
}

// Lengths in pixels.
const (
	entryHeight = 20
	sampleWidth = 26
	sampleGap   = 6
	entryGap    = 22
	legendGap   = 8 // below a legend
)

func (e entry) width() int { return sampleWidth + sampleGap + textWidth(e.label, tickSize) }

// legend returns the labels of the figure's curves in their order, in rows of at most that
// width. A curve that no plot shows is "off scale".
func (p Plots) legend(width int) legend {
	var entries []entry
	index, on := map[string]int{"": -1}, map[string]bool{}
	for _, s := range p.Stacks {
		for _, plot := range s {
			_, y := plot.extent()
			for _, c := range plot.Curves {
				if _, known := index[c.Label]; !known {
					index[c.Label] = len(entries)
					entries = append(entries, entry{c.Label, c})
				}
				for _, i := range plot.shown(c) {
					on[c.Label] = on[c.Label] || c.Y[i] >= y.lo && c.Y[i] <= y.hi
				}
			}
		}
	}
	var l legend
	left := 0
	for _, e := range entries {
		if !on[e.label] {
			e.label += " (off scale)"
		}
		if left -= e.width() + entryGap; left < 0 {
			l, left = append(l, nil), width-e.width()-entryGap
		}
		l[len(l)-1] = append(l[len(l)-1], e)
	}
	return l
}

func (l legend) height() int {
	if len(l) == 0 {
		return 0
	}
	return len(l)*entryHeight + legendGap
}

// draw draws the legend around a column, below a row of pixels.
func (l legend) draw(c *canvas, s styles, middle, top int) {
	for i, row := range l {
		width := -entryGap
		for _, e := range row {
			width += e.width() + entryGap
		}
		x, y := middle-width/2, top+i*entryHeight+entryHeight/2
		for _, e := range row {
			from, to := c.point(float64(x), float64(y)), c.point(float64(x+sampleWidth), float64(y))
			c.StrokeLine2(s.of(e.of, c.theme), from.X, from.Y, to.X, to.Y)
			c.text(e.label, x+sampleWidth+sampleGap, y, textStyle(tickSize, text.XLeft, text.YCenter))
			x += e.width() + entryGap
		}
	}
}
