package picture

import (
	"image/color"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// lineColors are the colours of Okabe & Ito (2008), which differ for any colour
// vision, without black, which the truth has, and yellow, which is faint on white.
var lineColors = []color.RGBA{
	{0, 114, 178, 255}, {213, 94, 0, 255}, {0, 158, 115, 255}, {204, 121, 167, 255}, {230, 159, 0, 255}, {86, 180, 233, 255},
}

var (
	gridColor  = color.Gray{225}
	shadeColor = color.Gray{242}
	markColor  = color.Gray{110}
	labelColor = color.Gray{70} // of the marks' labels
)

// styles numbers the labels of all curves of a grid but the truth's, in the order in
// which the labels first appear. Curves that cannot be drawn count too.
type styles map[string]int

func newStyles(plots []SpectraPlot) styles {
	numbers := styles{}
	for _, s := range plots {
		for _, c := range s.Curves {
			if _, known := numbers[c.Label]; !known && !c.Truth {
				numbers[c.Label] = len(numbers)
			}
		}
	}
	return numbers
}

// of returns a curve's style. After the last colour the colours repeat, dotted.
func (s styles) of(c Curve) draw.LineStyle {
	style := draw.LineStyle{Color: color.Black, Width: 3.5}
	if !c.Truth {
		n := s[c.Label]
		style = draw.LineStyle{Color: lineColors[n%len(lineColors)], Width: 2}
		if n >= len(lineColors) {
			style.Dashes = []vg.Length{2, 3}
		}
	}
	if c.Dashed {
		style.Dashes = []vg.Length{7, 4}
	}
	return style
}

// inDrawingOrder puts the truth first, so that a thin curve that agrees with it is
// visible on the thick one.
func inDrawingOrder(curves []Curve) []Curve {
	sorted := slices.Clone(curves)
	slices.SortStableFunc(sorted, func(a, b Curve) int { return under(a) - under(b) })
	return sorted
}

func under(c Curve) int {
	if c.Truth {
		return 0
	}
	return 1
}

// points returns the points of the curve that can be drawn. A single point becomes a
// short dash.
func (c Curve) points() plotter.XYs {
	var xy plotter.XYs
	for i, k := range c.K {
		if c.drawable(i) {
			xy = append(xy, plotter.XY{X: k, Y: c.P[i]})
		}
	}
	if len(xy) == 1 {
		at := xy[0]
		xy = plotter.XYs{{X: at.X / 1.02, Y: at.Y}, {X: at.X * 1.02, Y: at.Y}}
	}
	return xy
}

// line returns the curve as a line, or nil if none of its points can be drawn.
func (c Curve) line(styles styles) (*plotter.Line, error) {
	xy := c.points()
	if len(xy) == 0 {
		return nil, nil
	}
	line, err := plotter.NewLine(xy)
	if err != nil {
		return nil, err
	}
	line.LineStyle = styles.of(c)
	return line, nil
}

func newGridLines() *plotter.Grid {
	g := plotter.NewGrid()
	g.Vertical = draw.LineStyle{Color: gridColor, Width: 1}
	g.Horizontal = g.Vertical
	return g
}

// markLines draws the lines of marks; annotate draws their labels.
type markLines []Mark

// Plot implements gonum's plot.Plotter.
func (m markLines) Plot(c draw.Canvas, p *plot.Plot) {
	x, _ := p.Transforms(&c)
	for _, mark := range m {
		if mark.on(p) {
			c.StrokeLine2(draw.LineStyle{Color: markColor, Width: 1, Dashes: []vg.Length{4, 3}}, x(mark.K), c.Min.Y, x(mark.K), c.Max.Y)
		}
	}
}

// shade is the grey ground of a band of wavenumbers.
type shade [2]float64

// Plot implements gonum's plot.Plotter.
func (s shade) Plot(c draw.Canvas, p *plot.Plot) {
	from, to := max(s[0], p.X.Min), min(s[1], p.X.Max)
	if from >= to {
		return
	}
	x, _ := p.Transforms(&c)
	c.FillPolygon(shadeColor, []vg.Point{{X: x(from), Y: c.Min.Y}, {X: x(to), Y: c.Min.Y}, {X: x(to), Y: c.Max.Y}, {X: x(from), Y: c.Max.Y}})
}

func (m Mark) on(p *plot.Plot) bool { return m.K >= p.X.Min && m.K <= p.X.Max }
