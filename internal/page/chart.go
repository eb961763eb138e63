package page

import (
	"math"
	"slices"
	"strconv"
)

// Chart is a plot that page.js draws, and drawing without it.
type Chart struct {
	Title  string    `json:"title"`
	Doc    string    `json:"-"` // what it shows
	X      string    `json:"x"`
	Y      string    `json:"y"`
	LogX   bool      `json:"logx,omitempty"`
	LogY   bool      `json:"logy,omitempty"`
	Shade  []float64 `json:"shade,omitempty"` // a band of x with a ground of its own
	Right  *float64  `json:"right,omitempty"` // the right value of y, a line
	Floor  float64   `json:"floor,omitempty"` // values of y below it say nothing
	Smooth bool      `json:"smooth,omitempty"`
	Series []Series  `json:"series"`
}

// Series is a curve. X is the index of its places in Data.Axes.
type Series struct {
	Label string  `json:"label"`
	Color string  `json:"color"` // a name of page.css: --c-COLOR
	Thick bool    `json:"thick,omitempty"`
	Dash  bool    `json:"dash,omitempty"`
	X     int     `json:"x"`
	Y     Numbers `json:"y"`
	Low   Numbers `json:"low,omitempty"` // with High: the spread, shaded
	High  Numbers `json:"high,omitempty"`
}

// Data is the JSON in a page.
type Data struct {
	Axes   []Numbers `json:"axes"` // places that series share
	Charts []*Chart  `json:"charts"`
}

// axis returns the index of these places.
func (d *Data) axis(x Numbers) int {
	for i, known := range d.Axes {
		if slices.Equal(known, x) {
			return i
		}
	}
	d.Axes = append(d.Axes, x)
	return len(d.Axes) - 1
}

// add adds a chart to the page.
func (d *Data) add(c *Chart) Plot {
	d.Charts = append(d.Charts, c)
	return Plot{len(d.Charts) - 1, c.Title, c.Doc, d.drawing(c)}
}

// Numbers is JSON of five digits a number, since a screen shows fewer. What is not finite is
// null.
type Numbers []float64

// MarshalJSON writes an array.
func (n Numbers) MarshalJSON() ([]byte, error) {
	out := make([]byte, 0, 8*len(n)+2)
	out = append(out, '[')
	for i, v := range n {
		if i > 0 {
			out = append(out, ',')
		}
		switch {
		case math.IsNaN(v) || math.IsInf(v, 0):
			out = append(out, "null"...)
		case v == math.Trunc(v) && math.Abs(v) < 1e9:
			out = strconv.AppendInt(out, int64(v), 10)
		default:
			out = strconv.AppendFloat(out, v, 'g', 5, 64)
		}
	}
	return append(out, ']'), nil
}

// mostPoints is how many points of a curve a page has.
const mostPoints = 4000

// thin returns the points of a curve that a page has.
func thin(steps []int, values []float64) (x, y Numbers) {
	for i, s := range steps {
		x, y = append(x, float64(s)), append(y, values[i])
	}
	return extremes(x, y, mostPoints)
}

// extremes returns at most that many points of a curve. Of a longer one they are the least and the
// largest of as many equal parts as it takes: what a screen would show of all.
func extremes(x, y Numbers, most int) (Numbers, Numbers) {
	if len(x) <= most {
		return x, y
	}
	var outX, outY Numbers
	parts := most / 2
	for p := range parts {
		from, to := p*len(x)/parts, (p+1)*len(x)/parts
		least, largest := from, from
		for i := from; i < to; i++ {
			if y[i] < y[least] {
				least = i
			}
			if y[i] > y[largest] {
				largest = i
			}
		}
		for _, i := range slices.Compact([]int{min(least, largest), max(least, largest)}) {
			outX, outY = append(outX, x[i]), append(outY, y[i])
		}
	}
	return outX, outY
}
