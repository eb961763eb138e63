package liveview

import (
	"fmt"
	"math"
	"strings"
)

// Lengths of a chart, in characters.
const (
	chartHeight = 13 // at most, with an empty line, its title and its steps
	chartLeast  = 7
	chartLabels = 9 // of the values, left of the curve
)

// dots are the bits of the dots of Braille's characters, by row and column.
var dots = [4][2]rune{{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}}

// chart returns a curve between its least and its greatest value, on a log scale where all are
// positive, as lines of width columns.
func (l look) chart(title string, s *series, width, height int) (lines []string) {
	columns, rows := width-chartLabels-1, height-2
	at, least, greatest := heights(s.all)
	cells := make([][]rune, rows)
	for row := range cells {
		cells[row] = []rune(strings.Repeat("⠀", columns))
	}
	last := -1
	for x := range 2 * columns {
		place := float64(x) / float64(2*columns-1) * float64(len(at)-1)
		i := min(int(place), max(0, len(at)-2))
		h := at[i] + (place-float64(i))*(at[min(i+1, len(at)-1)]-at[i])
		y := int(math.Round((1 - h) * float64(4*rows-1)))
		if last < 0 {
			last = y
		}
		for v := min(last, y); v <= max(last, y); v++ {
			cells[v/4][x/2] |= dots[v%4][x%2]
		}
		last = y
	}
	if least > 0 {
		title += ", log scale"
	}
	lines = append(lines, l.ends(l.cut(l.title(title), width-3), " ", width))
	labels := make([]string, rows)
	labels[rows-1], labels[0] = fmt.Sprintf("%.3g", least), fmt.Sprintf("%.3g", greatest)
	for row, curve := range cells {
		lines = append(lines, l.faint(fmt.Sprintf("%*s │", chartLabels-1, labels[row]))+sparks.Render(string(curve)))
	}
	return append(lines, l.faint(l.ends(fmt.Sprintf("%*sstep %d", chartLabels+1, "", s.from), fmt.Sprint(s.to), width)))
}
