package page

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"fmsr.example/fmsr/internal/picture"
)

// Drawing is a chart as SVG, for where no script runs. page.js puts its own in its place.
type Drawing struct {
	Label          string // for those who hear the page
	X, Y           string // the axes' names
	XTicks, YTicks []Mark
	Grid           string // paths
	Right          string
	Shade          *Mark // At: its left edge
	Bands, Curves  []Stroke

	end int // the frame's lower edge
}

// Mark is a place in a drawing.
type Mark struct {
	At, Width int
	Text      string
}

// Stroke is a curve or a band of a drawing.
type Stroke struct {
	Path, Color string
	Thick, Dash bool
}

// The drawing's units are half pixels: whole numbers are then fine enough, and short.
const (
	drawnWidth                     = 880
	drawnLeft, drawnRight          = 130, 850
	drawnTop, drawnEnd, drawnLower = 12, 424, 250 // the lower frame is that of ratios
	drawnBelow                     = 76           // for the labels of x
	drawnPoints                    = 240          // of a curve
)

// Box returns the frame of the curves.
func (d Drawing) Box() map[string]int {
	return map[string]int{"Left": drawnLeft, "Top": drawnTop, "Width": drawnRight - drawnLeft, "Height": d.end - drawnTop, "End": d.end, "Right": drawnRight,
		"MiddleX": (drawnLeft + drawnRight) / 2, "MiddleY": (drawnTop + d.end) / 2, "W": drawnWidth, "H": d.end + drawnBelow}
}

// scale maps values to a drawing's units.
type scale struct {
	low, high   float64
	from, to    float64 // where low and high are
	logarithmic bool
}

func (s scale) of(v float64) float64 {
	low, high := s.low, s.high
	if s.logarithmic {
		v, low, high = math.Log(v), math.Log(low), math.Log(high)
	}
	return s.from + (v-low)/(high-low)*(s.to-s.from)
}

// ticks returns the labels of an axis, and the places of all its ticks.
func (s scale) ticks(most int) (labels []Mark, at []int) {
	for _, t := range picture.AxisTicks(s.low, s.high, s.logarithmic, most) {
		place := int(math.Round(s.of(t.Value)))
		if at = append(at, place); t.Label != "" {
			labels = append(labels, Mark{At: place, Text: t.Label})
		}
	}
	return labels, at
}

// drawing draws a chart as page.js does at first.
func (d *Data) drawing(c *Chart) *Drawing {
	out := &Drawing{X: c.X, Y: c.Y, Label: c.Title + ": ", end: drawnEnd}
	if c.LogX && c.Right != nil {
		out.end = drawnLower
	}
	x, y, ok := d.scales(c, float64(out.end))
	if !ok {
		return nil
	}
	var grid strings.Builder
	xTicks, xAt := x.ticks(6)
	yTicks, yAt := y.ticks(out.end / 60)
	out.XTicks, out.YTicks = xTicks, yTicks
	for _, at := range xAt {
		write(&grid, "M", at, drawnTop, "V", out.end)
	}
	for _, at := range yAt {
		write(&grid, "M", drawnLeft, at, "H", drawnRight)
	}
	out.Grid = grid.String()
	if c.Right != nil {
		var path strings.Builder
		write(&path, "M", drawnLeft, int(math.Round(y.of(*c.Right))), "H", drawnRight)
		out.Right = path.String()
	}
	if c.Shade != nil {
		from, to := max(c.Shade[0], x.low), min(c.Shade[1], x.high)
		if left := int(x.of(from)); from < to {
			out.Shade = &Mark{At: left, Width: int(x.of(to)) - left}
		}
	}
	for i, s := range c.Series {
		if i > 0 {
			out.Label += ", "
		}
		out.Label += s.Label
		at := d.Axes[s.X]
		if s.Low != nil {
			there, back := pathOf(x, y, at, s.Low), pathOf(x, y, reversed(at), reversed(s.High))
			out.Bands = append(out.Bands, Stroke{Path: there + strings.Replace(back, "M", "L", 1) + "Z", Color: s.Color})
		}
		out.Curves = append(out.Curves, Stroke{pathOf(x, y, at, s.Y), s.Color, s.Thick, s.Dash})
	}
	return out
}

// scales returns the axes of a chart that has anything to show. As in page.js, x ends behind
// the shaded band (xRange), and y leaves out decades that say nothing (yRange).
func (d *Data) scales(c *Chart, end float64) (x, y scale, ok bool) {
	x = scale{math.Inf(1), math.Inf(-1), drawnLeft, drawnRight, c.LogX}
	y = scale{math.Inf(1), math.Inf(-1), end, drawnTop, c.LogY}
	last, beyond := math.Inf(1), false
	if c.Shade != nil {
		last = 1.06 * c.Shade[1]
	}
	for _, s := range c.Series {
		for _, values := range []Numbers{s.Y, s.Low, s.High} {
			for i, v := range values {
				at := d.Axes[s.X][i]
				if beyond = beyond || at > last; at <= last && shown(x, at) && shown(y, v) {
					x.low, x.high, y.low, y.high = min(x.low, at), max(x.high, at), min(y.low, v), max(y.high, v)
				}
			}
		}
	}
	if x.low > x.high {
		return x, y, false
	}
	if beyond {
		x.high = last
	}
	switch {
	case x.low < x.high:
	case c.LogX:
		x.low, x.high = x.low/2, x.high*2
	default:
		x.low, x.high = x.low-1, x.high+1
	}
	if c.Right != nil && c.LogY {
		y.low, y.high = max(min(y.low, 0.5), 0.01), min(max(y.high, 2), 10)
	}
	if c.LogY {
		y.low = min(max(y.low, c.Floor), y.high)
		pad := max(math.Pow(y.high/y.low, 0.05), 1.1)
		y.low, y.high = y.low/pad, y.high*pad
		return x, y, true
	}
	pad := y.high - y.low
	if pad == 0 {
		pad = max(math.Abs(y.high), 1)
	}
	if pad *= 0.06; y.low >= 0 && y.low < pad {
		y.low = 0
	} else {
		y.low -= pad
	}
	y.high += pad
	return x, y, true
}

// shown reports whether a scale has a place for a value.
func shown(s scale, v float64) bool {
	return !math.IsNaN(v) && !math.IsInf(v, 0) && (v > 0 || !s.logarithmic)
}

// pathOf returns an SVG path through the points of a curve that can be shown.
func pathOf(x, y scale, at, values Numbers) string {
	var points []struct{ x, y int }
	var xs, ys Numbers
	for i, v := range values {
		if shown(x, at[i]) && shown(y, v) {
			xs, ys = append(xs, at[i]), append(ys, v)
		}
	}
	xs, ys = extremes(xs, ys, drawnPoints)
	for i := range xs {
		const far = 2000 // beyond the frame, which clips it
		points = append(points, struct{ x, y int }{int(math.Round(x.of(xs[i]))), int(math.Round(min(max(y.of(ys[i]), -far), far)))})
	}
	var out strings.Builder
	for i, p := range points {
		switch i {
		case 0:
			write(&out, "M", p.x, p.y, "l")
			if len(points) == 1 {
				write(&out, "", 1, 0) // a dot
			}
		default:
			write(&out, "", p.x-points[i-1].x, p.y-points[i-1].y)
		}
	}
	return out.String()
}

// write writes a path's letters and numbers, with blanks where they are needed.
func write(out *strings.Builder, parts ...any) {
	for _, part := range parts {
		switch part := part.(type) {
		case string:
			out.WriteString(part)
		case int:
			if text := out.String(); part >= 0 && text != "" && text[len(text)-1] >= '0' && text[len(text)-1] <= '9' {
				out.WriteByte(' ')
			}
			out.WriteString(strconv.Itoa(part))
		}
	}
}

func reversed(n Numbers) Numbers {
	out := slices.Clone(n)
	slices.Reverse(out)
	return out
}

// Key is a curve in a legend.
type Key struct{ Label, Color string }

// Keys returns the curves of charts that have several.
func (v *View) Keys(plots []Plot) (keys []Key) {
	for _, p := range plots {
		series := v.Data.Charts[p.Chart].Series
		for _, s := range series {
			if len(series) > 1 && !slices.ContainsFunc(keys, func(k Key) bool { return k.Label == s.Label }) {
				keys = append(keys, Key{s.Label, s.Color})
			}
		}
	}
	return keys
}

// SpectraPlots returns the charts of all fields.
func (v *View) SpectraPlots() (plots []Plot) {
	for _, s := range v.Spectra {
		plots = append(plots, s.Plots...)
	}
	return plots
}
