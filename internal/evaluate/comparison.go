package evaluate

import (
	"fmt"

	"fmsr/internal/field"
)

// Kernels is the arithmetic that libtorch or our C++ does. The caller provides it, so
// that this package builds without them.
type Kernels struct {
	// Power adds P(k) of planes (C,H,W) to fine (C,shells), their power in the modes that
	// averaging over factor x factor cells loses to lost (C) and, unless low is nil, P(k) of
	// their averages to low (C,shells of the coarse grid).
	Power func(fine, low [][]float64, lost []float64, planes []float32) error
	// Moments returns the mean and variance of a plane (H,W).
	Moments func(plane []float32) field.Welford
}

// Comparison compares fields with the truth as frames come, in physical units.
// Errors and spectra are summed; whole fields are kept only of the frames that
// pictures show.
//
//	Start(truth), Add(source, values) ...   for each batch of frames
//	Figures, Pictures                       at the end
type Comparison struct {
	Results
	suite             Suite
	kernels           Kernels
	shells, lowShells int       // of the grid and of the coarse one
	truth             []float32 // of the current batch
	shown             Shown
}

// Shown is the frames that pictures show, the first few: (N,C,H,W) of each source.
type Shown struct {
	Columns []string // a label for each frame
	Truth   []float32
	Made    map[Source][]float32
}

// New returns an empty comparison of frames with these fields on a grid. factor is
// how many fine cells pooling averaged along an axis.
func New(suite Suite, fields []string, grid field.Grid, factor int, kernels Kernels) *Comparison {
	return &Comparison{
		Results: newResults(fields, grid, factor), suite: suite, kernels: kernels,
		shells: field.NewShells(grid).Len(), lowShells: field.NewShells(grid.Coarser(factor)).Len(),
		shown: Shown{Made: map[Source][]float32{}},
	}
}

func (c *Comparison) cells() int { return c.Grid.Cells() }

// plane returns the i-th plane of values (...,H,W).
func (c *Comparison) plane(values []float32, i int) []float32 {
	return values[i*c.cells() : (i+1)*c.cells()]
}

// Start begins a batch of frames: the truth (N,C,H,W) and a label for each frame.
// The caller must not change truth before the next Start.
func (c *Comparison) Start(labels []string, truth []float32) error {
	fields := len(c.Fields)
	if len(truth) != len(labels)*fields*c.cells() {
		return fmt.Errorf("truth of %d values: want %d frames of %d fields at %s", len(truth), len(labels), fields, c.Grid)
	}
	room := min(len(labels), ShownFrames-len(c.shown.Columns))
	c.shown.Columns = append(c.shown.Columns, labels[:room]...)
	c.shown.Truth = append(c.shown.Truth, truth[:room*fields*c.cells()]...)
	if err := c.addPower(c.Truth.Power, c.Truth.Low, c.Truth.Lost, truth); err != nil {
		return fmt.Errorf("spectra of the truth: %w", err)
	}
	for i := range len(truth) / c.cells() {
		c.Truth.Moments[i%fields].Merge(c.kernels.Moments(c.plane(truth, i)))
	}
	c.Truth.Frames += len(labels)
	c.truth = truth
	return nil
}

// Add compares a source's fields of the batch, (N,C,H,W), with the truth. It is called
// once for each sample; pictures show the first. Pictures need Bilinear.
func (c *Comparison) Add(src Source, values []float32) error { return c.add(src, values, nil) }

// AddEnsemble compares the mean of an ensemble of the batch with the truth.
func (c *Comparison) AddEnsemble(e *Ensemble) error {
	c.made(Mean).Members = e.Members
	return c.add(Mean, e.Mean(), e.Variance())
}

func (c *Comparison) add(src Source, values []float32, variance []float64) error {
	if len(values) != len(c.truth) {
		return fmt.Errorf("%s of %d values, and a truth of %d", src.label(), len(values), len(c.truth))
	}
	m, fields := c.made(src), len(c.Fields)
	if err := c.addPower(m.Power, nil, m.Lost, values); err != nil {
		return fmt.Errorf("spectra of the %s: %w", src.label(), err)
	}
	for i := range len(values) / c.cells() {
		k := i % fields
		p := Pair{Grid: c.Grid, Made: c.plane(values, i), Truth: c.plane(c.truth, i)}
		if variance != nil {
			p.Variance = variance[i*c.cells() : (i+1)*c.cells()]
		}
		for j, v := range p.Made {
			d := float64(v) - float64(p.Truth[j])
			m.SquaredError[k] += d * d
		}
		c.addOwn(m, k, p)
	}
	m.Frames += len(values) / (fields * c.cells())
	shown := c.shown.Made[src]
	c.shown.Made[src] = append(shown, values[:min(len(values), len(c.shown.Truth)-len(shown))]...)
	return nil
}

// addPower adds P(k) of values (N,C,H,W) to fine, their lost power to lost and, unless
// low is nil, P(k) of their averages to low.
func (c *Comparison) addPower(fine, low []Series, lost Series, values []float32) error {
	fineRows, lowRows := rows(fine, c.shells), rows(low, c.lowShells)
	frame := len(c.Fields) * c.cells()
	for ; len(values) > 0; values = values[frame:] {
		if err := c.kernels.Power(fineRows, lowRows, lost, values[:frame]); err != nil {
			return err
		}
	}
	return nil
}

// rows returns series as rows of n numbers, zeros at first, in the same memory. It
// returns nil for nil.
func rows(series []Series, n int) [][]float64 {
	var all [][]float64
	for i := range series {
		if len(series[i]) == 0 {
			series[i] = make(Series, n)
		}
		all = append(all, series[i])
	}
	return all
}

// addOwn adds a plane to the own sums of each metric.
func (c *Comparison) addOwn(m *Made, field int, p Pair) {
	for i := range c.suite {
		metric := &c.suite[i]
		if metric.Add == nil || (metric.EnsembleOnly && p.Variance == nil) {
			continue
		}
		sums := m.sums(metric.Name, len(c.Fields))
		if sums[field] == nil {
			sums[field] = make(Series, metric.Sums)
		}
		metric.Add(sums[field], p)
	}
}

// Shown returns at most the first n of the frames that pictures show.
func (c *Comparison) Shown(n int) Shown {
	s := Shown{Columns: c.shown.Columns[:min(n, len(c.shown.Columns))], Made: map[Source][]float32{}}
	values := len(s.Columns) * len(c.Fields) * c.cells()
	s.Truth = c.shown.Truth[:values]
	for src, made := range c.shown.Made {
		s.Made[src] = made[:values]
	}
	return s
}

// Merge adds the results of later frames, and those of them that pictures show.
func (c *Comparison) Merge(r *Results, s Shown) error {
	room := min(len(s.Columns), ShownFrames-len(c.shown.Columns))
	values := room * len(c.Fields) * c.cells()
	c.shown.Columns = append(c.shown.Columns, s.Columns[:room]...)
	c.shown.Truth = append(c.shown.Truth, s.Truth[:values]...)
	for src, made := range s.Made {
		c.shown.Made[src] = append(c.shown.Made[src], made[:values]...)
	}
	return c.Results.Merge(r)
}

// Figures returns the values of the suite over all frames so far.
func (c *Comparison) Figures() Figures { return c.Results.Figures(c.suite) }
