package picture

import (
	"fmt"
	"image/color"
	"image/png"
	"io"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// Curve is a power spectrum. Points with k or P not above zero are left out.
type Curve struct {
	Label string
	K, P  []float64
	Truth bool // black, on top
}

// Mark is a vertical line at a wavenumber.
type Mark struct {
	K     float64
	Label string
}

// SpectraPlot is power spectra on logarithmic axes.
type SpectraPlot struct {
	Title, XLabel, YLabel string
	Curves                []Curve
	Marks                 []Mark
}

// deepest is how far below the largest power the axis goes: what lies lower is
// round-off.
const deepest = 1e-9

// lineColors are Okabe & Ito's (2008), told apart with any colour vision.
var lineColors = []color.RGBA{
	{230, 159, 0, 255}, {86, 180, 233, 255}, {0, 158, 115, 255}, {213, 94, 0, 255}, {204, 121, 167, 255}, {0, 114, 178, 255},
}

// Size of one plot, pixels.
const (
	plotWidth  = 560
	plotHeight = 440
)

// Grid draws plots side by side, in rows of that many, as one PNG.
func Grid(w io.Writer, columns int, plots ...SpectraPlot) (err error) {
	defer func() {
		if p := recover(); p != nil { // gonum's way to report some bad data
			err = fmt.Errorf("spectra: %v", p)
		}
	}()
	if len(plots) == 0 || columns < 1 {
		return fmt.Errorf("spectra: %d plots in %d columns", len(plots), columns)
	}
	columns = min(columns, len(plots))
	rows := (len(plots) + columns - 1) / columns
	img := vgimg.NewWith(vgimg.UseWH(vg.Length(columns*plotWidth), vg.Length(rows*plotHeight)), vgimg.UseDPI(72))
	all := draw.New(img)
	tiles := draw.Tiles{Rows: rows, Cols: columns, PadX: 12, PadY: 12, PadTop: 8, PadBottom: 8, PadLeft: 8, PadRight: 12}
	for i, s := range plots {
		p, err := s.plot()
		if err != nil {
			return fmt.Errorf("spectra of %s: %w", s.Title, err)
		}
		p.Draw(tiles.At(all, i%columns, i/columns))
	}
	return png.Encode(w, img.Image())
}

func (s SpectraPlot) plot() (*plot.Plot, error) {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = s.Title, s.XLabel, s.YLabel
	for _, style := range []*font.Font{&p.Title.TextStyle.Font, &p.X.Label.TextStyle.Font, &p.Y.Label.TextStyle.Font, &p.Legend.TextStyle.Font, &p.X.Tick.Label.Font, &p.Y.Tick.Label.Font} {
		style.Size = 14
	}
	p.Title.TextStyle.Font.Size = 17
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker, p.Y.Tick.Marker = decades{}, decades{}
	p.Legend.Top, p.Legend.Left = false, true
	p.Legend.XOffs, p.Legend.YOffs = 10, 10
	p.Add(plotter.NewGrid())

	largest, longest := s.extent()
	if largest == 0 {
		largest, longest = 1, 10
	}
	p.X.Min, p.X.Max = 1, longest*1.1
	p.Y.Min, p.Y.Max = s.floor(largest), largest*2

	drawn := slices.Clone(s.Curves)
	slices.SortStableFunc(drawn, func(a, b Curve) int { return b2i(a.Truth) - b2i(b.Truth) }) // truth last, on top
	next := 0
	lines := map[string]*plotter.Line{}
	for _, c := range drawn {
		line, err := c.line(p.Y.Min)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.Label, err)
		}
		if line == nil {
			continue
		}
		line.Width = 2
		if !c.Truth {
			line.Color = lineColors[next%len(lineColors)]
			next++
		}
		p.Add(line)
		lines[c.Label] = line
	}
	for _, c := range s.Curves { // the legend keeps the order given
		if line := lines[c.Label]; line != nil {
			p.Legend.Add(c.Label, line)
		}
	}
	return p, s.addMarks(p)
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// extent is the largest power and the largest wavenumber that can be drawn.
func (s SpectraPlot) extent() (power, k float64) {
	for _, c := range s.Curves {
		for i := range c.drawable(0) {
			power, k = max(power, c.P[i]), max(k, c.K[i])
		}
	}
	return power, k
}

// floor is just under the smallest power of the truth or, if there is none, of
// any curve, but not in the round-off.
func (s SpectraPlot) floor(largest float64) float64 {
	lowest := largest
	for _, c := range s.Curves {
		for i := range c.drawable(largest * deepest) {
			lowest = min(lowest, c.P[i])
		}
	}
	return lowest / 2
}

// drawable yields the indices of the points above the floor.
func (c Curve) drawable(floor float64) map[int]bool {
	points := map[int]bool{}
	for i := range min(len(c.K), len(c.P)) {
		if c.K[i] > 0 && c.P[i] > floor && !math.IsInf(c.P[i], 0) {
			points[i] = true
		}
	}
	return points
}

// line is the curve, nil if no point of it can be drawn.
func (c Curve) line(floor float64) (*plotter.Line, error) {
	if len(c.K) != len(c.P) {
		return nil, fmt.Errorf("%d wavenumbers and %d powers", len(c.K), len(c.P))
	}
	var xy plotter.XYs
	points := c.drawable(floor)
	for i := range c.K {
		if points[i] {
			xy = append(xy, plotter.XY{X: c.K[i], Y: c.P[i]})
		}
	}
	if len(xy) == 0 {
		return nil, nil
	}
	return plotter.NewLine(xy)
}

func (s SpectraPlot) addMarks(p *plot.Plot) error {
	for _, m := range s.Marks {
		if m.K < p.X.Min || m.K > p.X.Max {
			continue
		}
		line, err := plotter.NewLine(plotter.XYs{{X: m.K, Y: p.Y.Min}, {X: m.K, Y: p.Y.Max}})
		if err != nil {
			return err
		}
		line.Color, line.Dashes = color.Gray{120}, []vg.Length{4, 4}
		p.Add(line)
		label, err := plotter.NewLabels(plotter.XYLabels{XYs: plotter.XYs{{X: m.K, Y: p.Y.Max / 2}}, Labels: []string{" " + m.Label}})
		if err != nil {
			return err
		}
		label.TextStyle[0].XAlign, label.TextStyle[0].YAlign = draw.XLeft, draw.YTop
		label.TextStyle[0].Font.Size = 12
		p.Add(label)
	}
	return nil
}

// decades labels powers of ten, and 2 and 5 times them where few are in view.
type decades struct{}

// Ticks marks every decade, thinned so that at most eight carry a label.
func (decades) Ticks(lo, hi float64) []plot.Tick {
	first, last := int(math.Floor(math.Log10(lo))), int(math.Ceil(math.Log10(hi)))
	every := max(1, (last-first+7)/8)
	few := math.Log10(hi/lo) < 2.5
	var ticks []plot.Tick
	for e := first; e <= last; e++ {
		for m := 1; m < 10; m++ {
			t := plot.Tick{Value: float64(m) * math.Pow10(e)}
			switch {
			case m == 1 && e%every == 0:
				t.Label = decadeLabel(e)
			case few && (m == 2 || m == 5):
				t.Label = fmt.Sprintf("%g", t.Value)
			}
			if t.Value >= lo && t.Value <= hi {
				ticks = append(ticks, t)
			}
		}
	}
	return ticks
}

func decadeLabel(e int) string {
	if e >= -2 && e <= 3 {
		return fmt.Sprintf("%g", math.Pow10(e))
	}
	return fmt.Sprintf("1e%d", e)
}
