package evaluate

import (
	"bytes"
	"fmt"
	"image"
	"math"
	"slices"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/parallel"
	"fmsr.example/fmsr/internal/picture"
)

// ShownFrames is how many frames a picture shows.
const ShownFrames = 4

// Drawing says how pictures are drawn.
type Drawing struct {
	Unit      func(field string) string
	OwnScales bool // each frame has colours of its own scale
}

// Pictures draws samples and differences of each field for each source that is a
// model, ensembles, and the spectra, on all cores.
func (c *Comparison) Pictures(d Drawing) ([]Picture, error) {
	var out []Picture
	add := func(name string, figure picture.Figure) { out = append(out, Picture{Name: name, Figure: figure}) }
	for _, src := range inOrder(c.Made) {
		if !src.model() {
			continue
		}
		suffix := src.suffix()
		for i, name := range c.Fields {
			add("samples"+suffix+"/"+name, c.panel(i, d, src))
			add("diffs"+suffix+"/"+name, c.diffs(i, d, src))
		}
	}
	if c.shown.Made[Spread] != nil {
		for i, name := range c.Fields {
			add("ensemble/"+name, c.ensemble(i, d))
		}
	}
	add("spectra", c.spectra())
	return out, Draw(out)
}

// Draw draws each picture's PNG from its figure, on all cores.
func Draw(pictures []Picture) error {
	return parallel.Each(len(pictures), func(i int) error {
		var b bytes.Buffer
		if err := picture.Write(&b, pictures[i].Figure, picture.PNG, picture.Light); err != nil {
			return fmt.Errorf("picture %s: %w", pictures[i].Name, err)
		}
		pictures[i].PNG = b.Bytes()
		return nil
	})
}

// map returns a field of the n-th frame of values (N,C,H,W), less minus unless it is nil.
func (c *Comparison) mapOf(field, n int, values, minus []float32) picture.Field {
	plane := c.plane(values, n*len(c.Fields)+field)
	if minus != nil {
		plane = slices.Clone(plane)
		for i, v := range c.plane(minus, n*len(c.Fields)+field) {
			plane[i] -= v
		}
	}
	return picture.Field{H: c.Grid.H, W: c.Grid.W, Data: plane}
}

// row returns a field of each shown frame, and below each the note of its values.
func (c *Comparison) row(label string, field int, values, minus []float32, note func(made, truth []float32) string) picture.Row {
	row := picture.Row{Label: label}
	for n := range c.shown.Columns {
		m := c.mapOf(field, n, values, minus)
		row.Fields = append(row.Fields, m)
		row.Notes = append(row.Notes, note(m.Data, c.mapOf(field, n, c.shown.Truth, nil).Data))
	}
	return row
}

// maps returns a panel of a field without rows.
func (c *Comparison) maps(field int, d Drawing) picture.Panel {
	return picture.Panel{
		Title: c.Fields[field], Unit: d.Unit(c.Fields[field]), Columns: c.shown.Columns, OwnScales: d.OwnScales && len(c.shown.Columns) > 1,
		Diverging: c.signed(field), Lengths: c.Grid.Box, Zooms: c.zooms(field),
	}
}

// Signed reports whether the scale of a field with these values has zero in the middle: not
// that of a density, which has no negative values, whatever its name.
func Signed(values []float32) bool {
	return slices.ContainsFunc(values, func(v float32) bool { return v < 0 })
}

// signed is Signed for the shown frames of the truth.
func (c *Comparison) signed(field int) bool {
	for n := range c.shown.Columns {
		if Signed(c.plane(c.shown.Truth, n*len(c.Fields)+field)) {
			return true
		}
	}
	return false
}

// panel returns the input, the target and what a source made of a field: a column for each
// frame. Of a single frame they are side by side, the target last.
func (c *Comparison) panel(field int, d Drawing, src Source) picture.Panel {
	p := c.maps(field, d)
	input := c.row("input", field, c.shown.Made[Bilinear], nil, ErrorNote)
	target := c.row("target", field, c.shown.Truth, nil, DeviationNote)
	generated := c.row("generated", field, c.shown.Made[src], nil, ErrorNote)
	if len(c.shown.Columns) == 1 {
		return beside(p, input, generated, target)
	}
	p.Rows = []picture.Row{input, target, generated}
	return p
}

// beside turns rows of one map into one row.
func beside(p picture.Panel, rows ...picture.Row) picture.Panel {
	if len(p.Columns) > 0 {
		p.Title += ", " + p.Columns[0]
	}
	var all picture.Row
	p.Columns = nil
	for _, r := range rows {
		p.Columns = append(p.Columns, r.Label)
		all.Fields, all.Notes = append(all.Fields, r.Fields[0]), append(all.Notes, r.Notes...)
	}
	p.Rows = []picture.Row{all}
	if p.Zooms != nil {
		p.Zooms = slices.Repeat(p.Zooms[:1], len(rows))
	}
	return p
}

// diffs returns what the input and a source lack of a field.
func (c *Comparison) diffs(field int, d Drawing, src Source) picture.Panel {
	p := c.maps(field, d)
	p.Title, p.Diverging = c.Fields[field]+", differences", true
	p.Rows = []picture.Row{
		c.row("target \u2212 input", field, c.shown.Truth, c.shown.Made[Bilinear], shareNote),
		c.row("target \u2212 generated", field, c.shown.Truth, c.shown.Made[src], shareNote),
	}
	if len(c.shown.Columns) == 1 {
		return beside(p, p.Rows...)
	}
	return p
}

// ensemble returns the first frame's input, truth and mean of the samples, and three samples;
// beside them, on a scale of their own, the spread and the mean's error.
func (c *Comparison) ensemble(field int, d Drawing) picture.Figure {
	of := func(src Source) picture.Field { return c.mapOf(field, 0, c.shown.Made[src], nil) }
	target := c.mapOf(field, 0, c.shown.Truth, nil)
	fields := picture.Panel{
		Unit: d.Unit(c.Fields[field]), Diverging: c.signed(field), Lengths: c.Grid.Box,
		Rows: []picture.Row{
			{Fields: []picture.Field{of(Bilinear), target, of(Mean)}, Heads: []string{"input", "target", "mean of the samples"}},
			{Fields: []picture.Field{of(Sample), of(Sample2)}, Heads: []string{"sample 1", "sample 2"}},
		},
	}
	if last := &fields.Rows[1]; c.shown.Made[Sample3] != nil {
		last.Fields, last.Heads = append(last.Fields, of(Sample3)), append(last.Heads, "sample 3")
	} else {
		difference := c.mapOf(field, 0, c.shown.Made[Sample], c.shown.Made[Sample2])
		last.Fields, last.Heads = append(last.Fields, difference), append(last.Heads, "sample 1 \u2212 sample 2")
	}
	for i := range fields.Rows {
		for _, f := range fields.Rows[i].Fields {
			fields.Rows[i].Notes = append(fields.Rows[i].Notes, ErrorNote(f.Data, target.Data))
		}
	}
	fields.Rows[0].Notes[1] = DeviationNote(target.Data, nil)
	if c.shown.Made[Sample3] == nil {
		fields.Rows[1].Notes[2] = rmsNote(fields.Rows[1].Fields[2].Data, nil)
	}
	size := c.mapOf(field, 0, c.shown.Made[Mean], c.shown.Truth)
	for i, v := range size.Data {
		size.Data[i] = float32(math.Abs(float64(v)))
	}
	spread := picture.Panel{
		Unit: fields.Unit, Sizes: true, Lengths: c.Grid.Box,
		Rows: []picture.Row{
			{Fields: []picture.Field{of(Spread)}, Heads: []string{"spread"}, Notes: []string{rmsNote(of(Spread).Data, nil)}},
			{Fields: []picture.Field{size}, Heads: []string{"|mean \u2212 target|"}, Notes: []string{rmsNote(size.Data, nil)}},
		},
	}
	return picture.Beside{
		Title:   fmt.Sprintf("%s, %s: %d samples", c.Fields[field], c.shown.Columns[0], c.Made[Mean].Members),
		Figures: []picture.Figure{fields, spread},
	}
}

// rmsNote is the root mean square of values.
func rmsNote(values, _ []float32) string { return fmt.Sprintf("rms %.3g", rms(values)) }

// DeviationNote is the deviation of values, by which errors are divided.
func DeviationNote(values, _ []float32) string {
	_, deviation := meanAndDeviation(values)
	return fmt.Sprintf("deviation %.3g", deviation)
}

// ErrorNote is the root mean square of made - truth over the truth's deviation, and their
// correlation (Pearson), as maps have them below; empty of a constant truth.
func ErrorNote(made, truth []float32) string {
	share, r := closeness(made, truth)
	if !Figure(share).Finite() || !Figure(r).Finite() {
		return ""
	}
	return fmt.Sprintf("error %.0f%%, r = %.3f", 100*share, r)
}

// shareNote is the root mean square of a difference, and its share of the truth's deviation.
func shareNote(difference, truth []float32) string {
	_, deviation := meanAndDeviation(truth)
	if deviation == 0 {
		return rmsNote(difference, nil)
	}
	return fmt.Sprintf("rms %.3g, %.0f%% of target's", rms(difference), 100*rms(difference)/deviation)
}

func rms(values []float32) float64 {
	sum := 0.0
	for _, v := range values {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum / float64(len(values)))
}

func meanAndDeviation(values []float32) (mean, deviation float64) {
	for _, v := range values {
		mean += float64(v) / float64(len(values))
	}
	for _, v := range values {
		deviation += (float64(v) - mean) * (float64(v) - mean) / float64(len(values))
	}
	return mean, math.Sqrt(deviation)
}

// closeness returns the root mean square of made - truth over the truth's deviation, and
// their correlation.
func closeness(made, truth []float32) (share, correlation float64) {
	m, sm := meanAndDeviation(made)
	t, st := meanAndDeviation(truth)
	var square, product float64
	for i, v := range made {
		a, b := float64(v), float64(truth[i])
		square += (a - b) * (a - b)
		product += (a - m) * (b - t)
	}
	n := float64(len(made))
	return math.Sqrt(square/n) / st, product / n / sm / st
}

// Cells of a zoom: a quarter of a map's width and an eighth of it high. A zoom of fewer than
// leastZoom cells along a side shows nothing more than the map.
const leastZoom = 6

// zooms returns for each shown frame the cells where the input lacks most of the truth: the
// window of the largest squared error. It returns nil for grids that are too small.
func (c *Comparison) zooms(field int) (out []image.Rectangle) {
	size := image.Pt(c.Grid.W/4, min(c.Grid.W/8, c.Grid.H/2))
	if min(size.X, size.Y) < leastZoom || c.shown.Made[Bilinear] == nil {
		return nil
	}
	for n := range c.shown.Columns {
		out = append(out, Worst(c.mapOf(field, n, c.shown.Truth, c.shown.Made[Bilinear]), size))
	}
	return out
}

// Worst returns the window of that size, (width, height) in cells, with the largest sum of
// squares, the first such window on a raster of half windows.
func Worst(f picture.Field, size image.Point) image.Rectangle {
	best, most := image.Rectangle{Max: size}, -1.
	for y := 0; y+size.Y <= f.H; y += size.Y / 2 {
		for x := 0; x+size.X <= f.W; x += size.X / 2 {
			sum := 0.0
			for row := y; row < y+size.Y; row++ {
				for _, v := range f.Data[row*f.W+x : row*f.W+x+size.X] {
					sum += float64(v) * float64(v)
				}
			}
			if sum > most {
				best, most = image.Rect(x, y, x+size.X, y+size.Y), sum
			}
		}
	}
	return best
}

// spectra returns for each field the spectra, and below them their ratios to the truth's.
func (c *Comparison) spectra() picture.Plots {
	var all picture.Plots
	for field, name := range c.Fields {
		power := picture.Plot{Title: name, XLabel: "k L / 2π", YLabel: "P(k)", Band: LostBand(c.Grid, c.Factor)}
		ratio := RatioPlot(power.Band)
		truth := c.TrueSpectrum(field)
		curve := picture.NewCurve("truth", picture.Truth, truth)
		curve.Low, curve.High = logBand(truth, c.Truth.LogPower[field], c.Truth.LogPower2[field], c.Truth.Frames)
		power.Curves = append(power.Curves, curve)
		for _, src := range inOrder(c.Made) {
			made, m := c.Spectrum(src, field), c.Made[src]
			over := picture.NewCurve(src.label(), string(src), ratios(made, truth))
			over.Low, over.High = logBand(over.Y, m.LogRatio[field], m.LogRatio2[field], m.Frames)
			ratio.Curves = append(ratio.Curves, over)
			power.Curves = append(power.Curves, picture.NewCurve(src.label(), string(src), made))
		}
		power.Curves = append(power.Curves, picture.NewCurve("low-res", "low", c.LowSpectrum(field)))
		all.Stacks = append(all.Stacks, picture.Stack{power, ratio})
	}
	return all
}

// RatioPlot returns an empty plot of P over the truth's, for below a plot of P.
func RatioPlot(band picture.Band) picture.Plot {
	return picture.Plot{
		XLabel: "k L / 2π", YLabel: "P / P_{truth}", Band: band, Right: []float64{1}, Shows: [2]float64{0.5, 1.5}, Within: [2]float64{0.1, 10},
	}
}

// LostBand returns the band of wavenumbers that pooling loses, up to the fine grid's Nyquist
// wavenumber.
func LostBand(grid field.Grid, factor int) picture.Band {
	from := grid.LostFrom(factor)
	b := picture.Band{From: from, To: from * float64(factor), Name: "lost", FromName: fmt.Sprintf("%.3g", from), ToName: fmt.Sprintf("%.3g", from*float64(factor))}
	if n := max(grid.H, grid.W); from*float64(2*factor) == float64(n) {
		b.FromName, b.ToName = fmt.Sprintf("N/%d", 2*factor), "N/2"
	}
	return b
}

// ratios returns P over the truth's, at the wavenumbers of the truth.
func ratios(p, truth []float64) []float64 {
	out := make([]float64, len(p))
	for k := range out {
		out[k] = p[k] / truth[k]
	}
	return out
}

// logBand returns the band around values whose half width is the standard deviation of a
// logarithm over frames, from the sums of it and of its square. Of one frame there is none.
func logBand(values []float64, sum, square Series, frames int) (low, high []float64) {
	if frames < 2 {
		return nil, nil
	}
	n := float64(frames)
	for k, v := range values {
		width := math.Exp(math.Sqrt(max(0, square[k]/n-math.Pow(sum[k]/n, 2))))
		low, high = append(low, v/width), append(high, v*width)
	}
	return low, high
}
