package picture

import (
	"fmt"
	"image"
	"io"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg/draw"
)

// Curve is a power spectrum P at wavenumbers K, slices of the same length. Points
// whose k or P is not positive and finite cannot be drawn on logarithmic axes and are
// left out.
type Curve struct {
	Label  string // for the legend, unless empty; curves with the same label share a colour
	K, P   []float64
	Truth  bool // draw it thick and black, below the other curves
	Dashed bool

	linearX, linearY bool // the plot's
}

// NewCurve returns the curve of p, P(k) for k = 0, 1, ...
func NewCurve(label string, p []float64, truth bool) Curve {
	k := make([]float64, len(p))
	for i := range k {
		k[i] = float64(i)
	}
	return Curve{Label: label, K: k, P: p, Truth: truth}
}

// Mark is a dashed vertical line at a wavenumber with a label beside it, such as
// "k = N/4". A mark outside the axis is left out.
type Mark struct {
	K     float64
	Label string
}

// SpectraPlot is a plot of power spectra on logarithmic axes. The power axis goes down
// to the least power of any curve, but not below a hundredth of the truth's least
// power nor below 1e-12 of the largest power, since lower powers are round-off. Curves
// leave the plot there. A curve that is wholly below is "off scale" in the legend.
type SpectraPlot struct {
	Title, XLabel, YLabel string
	Curves                []Curve
	Marks                 []Mark
	Shade                 [2]float64 // a band of wavenumbers with a grey ground; zeros: none

	// LinearX and LinearY make an axis linear, for curves that are not spectra: then all
	// finite points can be drawn, and the axis shows them all.
	LinearX, LinearY bool
}

// Size of one plot in pixels.
const (
	plotWidth  = 560
	plotHeight = 440
)

// PNG draws the plot and writes it to w. Errors name the plot and the curve.
func (s SpectraPlot) PNG(w io.Writer) error { return Grid(w, 1, s) }

// Grid draws plots into one PNG with that many columns and writes it to w. The axes
// are aligned, and a label has the same colour in all plots. Errors name the plot and
// the curve.
func Grid(w io.Writer, columns int, plots ...SpectraPlot) error {
	if len(plots) == 0 || columns < 1 {
		return fmt.Errorf("spectra: %d plots in %d columns", len(plots), columns)
	}
	plots = slices.Clone(plots)
	for i, s := range plots {
		if err := s.check(); err != nil {
			return fmt.Errorf("spectra of %s: %w", s.Title, err)
		}
		plots[i] = s.onItsAxes()
	}
	if err := drawGrid(w, min(columns, len(plots)), plots); err != nil {
		return fmt.Errorf("spectra: %w", err)
	}
	return nil
}

func (s SpectraPlot) check() error {
	for _, c := range s.Curves {
		if len(c.K) != len(c.P) {
			return fmt.Errorf("curve %s: %d wavenumbers and %d powers", c.Label, len(c.K), len(c.P))
		}
	}
	return nil
}

// onItsAxes returns the plot with curves that know its axes.
func (s SpectraPlot) onItsAxes() SpectraPlot {
	s.Curves = slices.Clone(s.Curves)
	for i := range s.Curves {
		s.Curves[i].linearX, s.Curves[i].linearY = s.LinearX, s.LinearY
	}
	return s
}

func drawGrid(w io.Writer, columns int, plots []SpectraPlot) (err error) {
	defer catch(&err)
	rows := (len(plots) + columns - 1) / columns
	styles := newStyles(plots)
	frames := make([][]*plot.Plot, rows)
	for r := range frames {
		frames[r] = make([]*plot.Plot, columns) // Align skips the nils that the last row may have
	}
	for i, s := range plots {
		if frames[i/columns][i%columns], err = s.plot(styles); err != nil {
			return fmt.Errorf("%s: %w", s.Title, err)
		}
	}
	c := newCanvas(image.Pt(columns*plotWidth, rows*plotHeight))
	tiles := draw.Tiles{Rows: rows, Cols: columns, PadX: 20, PadY: 20, PadTop: 12, PadBottom: 12, PadLeft: 12, PadRight: 16}
	at := plot.Align(frames, tiles, c.Canvas)
	for i, s := range plots {
		p, tile := frames[i/columns][i%columns], at[i/columns][i%columns]
		p.Draw(tile)
		s.annotate(p, p.DataCanvas(tile), styles)
	}
	return c.png(w)
}

// plot returns a plot with the axes, the grid lines, the lines of the marks and the
// curves.
func (s SpectraPlot) plot(styles styles) (*plot.Plot, error) {
	p := s.axes()
	if !s.empty() {
		p.Add(shade(s.Shade), newGridLines(), markLines(s.Marks))
	}
	for _, c := range inDrawingOrder(s.Curves) {
		line, err := c.line(styles)
		if err != nil {
			return nil, fmt.Errorf("curve %s: %w", c.Label, err)
		}
		if line != nil {
			p.Add(line)
		}
	}
	k, power := s.extent() // set last, because adding a curve widens the axes
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = k.lo, k.hi, power.lo, power.hi
	return p, nil
}

// axes returns a plot with its axes, logarithmic unless they are linear, without ticks if there is nothing to
// draw.
func (s SpectraPlot) axes() *plot.Plot {
	p := plot.New()
	p.X.Label.Text, p.Y.Label.Text = s.XLabel, s.YLabel
	p.Title.Text = " " // room for the title, which gonum would centre on the tile instead of the axes
	setFont(&p.Title.TextStyle.Font, titleSize)
	p.Title.Padding = 6
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Scale, a.Padding, a.Tick.Length = plot.LogScale{}, 0, 6
		setFont(&a.Label.TextStyle.Font, labelSize)
		setFont(&a.Tick.Label.Font, tickSize)
		a.Label.TextStyle.Handler, a.Tick.Label.Handler = mathText, mathText
		a.Label.Padding = 4
		a.LineStyle.Width, a.Tick.LineStyle.Width = 1, 1
	}
	p.X.Tick.Marker, p.Y.Tick.Marker = decades{plain: true}, decades{}
	if s.LinearX {
		p.X.Scale, p.X.Tick.Marker = plot.LinearScale{}, linear{}
	}
	if s.LinearY {
		p.Y.Scale, p.Y.Tick.Marker = plot.LinearScale{}, linear{}
	}
	if s.empty() {
		p.X.Tick.Marker, p.Y.Tick.Marker = plot.ConstantTicks{}, plot.ConstantTicks{}
	}
	return p
}

func setFont(f *font.Font, size font.Length) {
	*f = font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
}
