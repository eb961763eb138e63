package evaluate

import (
	"fmt"
	"math"

	"fmsr.example/fmsr/internal/field"
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
	shells, lowShells int           // of the grid and of the coarse one
	truth             []float32     // of the current batch
	truthPower        [][][]float64 // P(k) of each of its frames and fields
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
	c.truthPower = c.truthPower[:0]
	err := c.addPower(c.Truth.Power, c.Truth.Low, c.Truth.Lost, truth, func(_ int, power [][]float64) {
		c.truthPower = append(c.truthPower, power)
		for i, p := range power {
			addLogs(&c.Truth.LogPower[i], &c.Truth.LogPower2[i], p, nil)
		}
	})
	if err != nil {
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
	err := c.addPower(m.Power, nil, m.Lost, values, func(n int, power [][]float64) {
		for i, p := range power {
			addLogs(&m.LogRatio[i], &m.LogRatio2[i], p, c.truthPower[n][i])
		}
	})
	if err != nil {
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
	c.show(src, values, variance)
	return nil
}

// show keeps values (N,C,H,W) of the frames that pictures show, of which they are the first
// that come.
func (c *Comparison) show(src Source, values []float32, variance []float64) {
	keep := func(src Source, values []float32) (kept bool) {
		shown := c.shown.Made[src]
		n := min(len(values), src.ShownValues(len(c.shown.Columns), len(c.Fields)*c.cells())-len(shown))
		if n > 0 {
			c.shown.Made[src] = append(shown, values[:n]...)
		}
		return n > 0
	}
	if variance != nil {
		spread := make([]float32, len(variance))
		for i, v := range variance {
			spread[i] = float32(math.Sqrt(v))
		}
		keep(Spread, spread)
	}
	if kept := keep(src, values); kept || src != Sample || c.Truth.Frames > 1 {
		return
	}
	if !keep(Sample2, values) {
		keep(Sample3, values)
	}
}

// addPower adds P(k) of values (N,C,H,W) to fine, their lost power to lost and, unless
// low is nil, P(k) of their averages to low. It calls each with the P(k) of the fields of
// every frame.
func (c *Comparison) addPower(fine, low []Series, lost Series, values []float32, each func(n int, power [][]float64)) error {
	fineRows, lowRows := rows(fine, c.shells), rows(low, c.lowShells)
	frame := len(c.Fields) * c.cells()
	for n := range len(values) / frame {
		own := cloneEach(fineRows)
		if err := c.kernels.Power(fineRows, lowRows, lost, values[n*frame:][:frame]); err != nil {
			return err
		}
		for i, before := range own {
			for k, v := range before {
				before[k] = fineRows[i][k] - v
			}
		}
		each(n, own)
	}
	return nil
}

// addLogs adds ln P(k), or of P(k) over another's unless that is nil, and its square. Where
// there is no logarithm, the sums are not finite from then on.
func addLogs(sum, square *Series, power, over []float64) {
	if len(*sum) == 0 {
		*sum, *square = make(Series, len(power)), make(Series, len(power))
	}
	for k, v := range power {
		if over != nil {
			v /= over[k]
		}
		l := math.Log(v)
		(*sum)[k] += l
		(*square)[k] += l * l
	}
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
		s.Made[src] = made[:src.ShownValues(len(s.Columns), len(c.Fields)*c.cells())]
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
		all := src.ShownValues(len(c.shown.Columns), len(c.Fields)*c.cells())
		c.shown.Made[src] = append(c.shown.Made[src], made[:min(len(made), all-len(c.shown.Made[src]))]...)
	}
	return c.Results.Merge(r)
}

// Figures returns the values of the suite over all frames so far.
func (c *Comparison) Figures() Figures { return c.Results.Figures(c.suite) }
