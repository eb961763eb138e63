package sinks

import (
	"bytes"
	"fmt"
	"slices"

	"fmsr/internal/frames"
	"fmsr/internal/picture"
	"fmsr/internal/spectra"
	"fmsr/internal/torchx"
	"fmsr/model"
	"fmsr/pipeline"
)

// source is where a field being compared with the truth comes from.
type source int

const (
	sourceLo source = iota // the bilinear input
	sourceLinear
	sourceRaw
	sourceEMA
	sourceSDE
)

// sourceNames: the suffix of its figures, and what a person reads.
var sourceNames = map[source]struct{ suffix, label string }{
	sourceLo:     {"_lo", "bilinear input"},
	sourceLinear: {"_linear", "linear filter 9x9"},
	sourceRaw:    {"", "ODE"},
	sourceEMA:    {"_ema", "ODE EMA"},
	sourceSDE:    {"_sde", "SDE EMA"},
}

// comparison gathers the validation frames and what was made of them, in
// physical units, and measures the difference.
type comparison struct {
	in      pipeline.Meta
	unit    func(field string) string
	shells  *spectra.Shells
	columns []string // a label for each frame
	truth   []float32
	made    map[source][]float32

	power      map[source][][]float64 // mean spectrum of each field
	truthPower [][]float64
	lowPower   [][]float64 // of the pooled field, on its own grid
}

func newComparison(in pipeline.Meta, unit func(field string) string, shells *spectra.Shells) *comparison {
	return &comparison{in: in, unit: unit, shells: shells, made: map[source][]float32{}, power: map[source][][]float64{}}
}

func (c *comparison) addTruth(batch *frames.Frames) {
	for _, o := range batch.Origins {
		c.columns = append(c.columns, o.String())
	}
	c.truth = append(c.truth, c.physical(batch, frames.Floats(batch.Hi))...)
}

// add takes normalized values in.
func (c *comparison) add(src source, batch *frames.Frames, values []float32) {
	c.made[src] = append(c.made[src], c.physical(batch, values)...)
}

func (c *comparison) physical(batch *frames.Frames, values []float32) []float32 {
	out := make([]float32, len(values))
	cells := batch.H * batch.W
	for i := range out {
		channel := i / cells % len(c.in.Channels)
		out[i] = float32(float64(values[i])*c.in.Stats.Std[channel] + c.in.Stats.Mean[channel])
	}
	return out
}

// sources are those that were added, in a fixed order.
func (c *comparison) sources() []source {
	var s []source
	for src := range c.made {
		s = append(s, src)
	}
	slices.Sort(s)
	return s
}

// measure computes the spectra; s is the torch thread's.
func (c *comparison) measure(s *torchx.Scope) error {
	h, w := c.in.H, c.in.W
	c.truthPower = c.spectrum(s, c.shells, c.truth, h, w)
	for src, values := range c.made {
		c.power[src] = c.spectrum(s, c.shells, values, h, w)
	}
	f := c.in.Factor
	low := s.Floats(s.AvgPool2d(s.FromFloats(c.truth, int64(len(c.truth)/(h*w)), 1, int64(h), int64(w)), int64(f)))
	c.lowPower = c.spectrum(s, c.shells.Coarser(f), low, h/f, w/f)
	return s.Err()
}

// spectrum is the mean over frames of each field's P(k).
func (c *comparison) spectrum(s *torchx.Scope, shells *spectra.Shells, values []float32, h, w int) [][]float64 {
	fields := len(c.in.Channels)
	planes := len(values) / (h * w)
	power := s.Floats(s.PowerSpectrum2d(s.FromFloats(values, int64(planes), int64(h), int64(w))))
	if s.Err() != nil {
		return nil
	}
	half := h * (w/2 + 1)
	mean := make([][]float64, fields)
	for i := range planes {
		p := shells.Sum(power[i*half : (i+1)*half])
		field := &mean[i%fields]
		if *field == nil {
			*field = make([]float64, len(p))
		}
		for k, v := range p {
			(*field)[k] += v / float64(planes/fields)
		}
	}
	return mean
}

// scalars are the figures of every source.
func (c *comparison) scalars() []model.Scalar {
	var out []model.Scalar
	add := func(name string, value float64) { out = append(out, model.Scalar{Name: name, Value: value}) }
	variance := c.variances()
	for _, src := range c.sources() {
		suffix := sourceNames[src].suffix
		mse := c.mse(src)
		total, normalized := 0.0, 0.0
		for i := range mse {
			total += mse[i] / float64(len(mse))
			normalized += mse[i] / variance[i] / float64(len(mse))
		}
		add("val/mse"+suffix, total)
		add("val/nmse"+suffix, normalized)
		add("val/band"+suffix, c.bandRatio(src))
		for i, name := range c.in.Channels {
			add("val/mse"+suffix+"/"+name, mse[i])
		}
	}
	return out
}

// mse is the mean squared error of each field.
func (c *comparison) mse(src source) []float64 {
	return c.perField(func(i int) float64 { return float64(c.made[src][i]) - float64(c.truth[i]) })
}

// variances are the truth's, about its mean over the validation frames; a
// constant field's is one, so that its error can be divided by it.
func (c *comparison) variances() []float64 {
	square := c.perField(func(i int) float64 { return float64(c.truth[i]) })
	mean := make([]float64, len(c.in.Channels))
	cells := c.in.H * c.in.W
	for i, v := range c.truth {
		mean[i/cells%len(mean)] += float64(v) / float64(len(c.truth)/len(mean))
	}
	for i := range square {
		if square[i] -= mean[i] * mean[i]; square[i] <= 0 {
			square[i] = 1
		}
	}
	return square
}

// perField is the mean of the square of each field's values.
func (c *comparison) perField(value func(i int) float64) []float64 {
	sums := make([]float64, len(c.in.Channels))
	cells := c.in.H * c.in.W
	for i := range c.truth {
		v := value(i)
		sums[i/cells%len(sums)] += v * v
	}
	for i := range sums {
		sums[i] /= float64(len(c.truth) / len(sums))
	}
	return sums
}

// bandRatio is the power in the band that pooling lost, N/2f <= k < N/2, over
// the truth's: the mean over the fields.
func (c *comparison) bandRatio(src source) float64 {
	lo, hi := c.lostBand()
	sum := 0.0
	for field, truth := range c.truthPower {
		sum += spectra.Band(c.power[src][field], lo, hi) / spectra.Band(truth, lo, hi)
	}
	return sum / float64(len(c.truthPower))
}

func (c *comparison) lostBand() (lo, hi int) {
	n := max(c.in.H, c.in.W)
	return n / (2 * c.in.Factor), n / 2
}

// shownFrames is how many frames a picture has room for.
const shownFrames = 4

// pictures are samples and differences of each field for each model, and the spectra.
func (c *comparison) pictures() ([]model.Picture, error) {
	var out []model.Picture
	draw := func(name string, png func(*bytes.Buffer) error) error {
		var b bytes.Buffer
		if err := png(&b); err != nil {
			return fmt.Errorf("picture %s: %w", name, err)
		}
		out = append(out, model.Picture{Name: name, PNG: b.Bytes()})
		return nil
	}
	for _, src := range []source{sourceRaw, sourceEMA, sourceSDE} {
		if c.made[src] == nil {
			continue
		}
		suffix := sourceNames[src].suffix
		for field, name := range c.in.Channels {
			samples := c.panel(field, name, src)
			if err := draw("samples"+suffix+"/"+name, func(b *bytes.Buffer) error { return samples.PNG(b) }); err != nil {
				return nil, err
			}
			diffs := c.diffs(field, name, src)
			if err := draw("diffs"+suffix+"/"+name, func(b *bytes.Buffer) error { return diffs.PNG(b) }); err != nil {
				return nil, err
			}
		}
	}
	plots := c.plots()
	err := draw("spectra", func(b *bytes.Buffer) error { return picture.Grid(b, min(len(plots), 4), plots...) })
	return out, err
}

// row is one field of the shown frames; minus is subtracted where given.
func (c *comparison) row(label string, field int, values, minus []float32) picture.Row {
	cells, fields := c.in.H*c.in.W, len(c.in.Channels)
	row := picture.Row{Label: label}
	for n := range min(shownFrames, len(c.columns)) {
		at := (n*fields + field) * cells
		plane := slices.Clone(values[at : at+cells])
		if minus != nil {
			for i := range plane {
				plane[i] -= minus[at+i]
			}
		}
		row.Fields = append(row.Fields, picture.Field{H: c.in.H, W: c.in.W, Data: plane})
	}
	return row
}

func (c *comparison) panel(field int, name string, src source) picture.Panel {
	return picture.Panel{
		Title: name, Unit: c.unit(name), Columns: c.columns[:min(shownFrames, len(c.columns))],
		Diverging: name != "density", // the other fields are signed
		Rows: []picture.Row{
			c.row("input", field, c.made[sourceLo], nil),
			c.row("target", field, c.truth, nil),
			c.row("generated", field, c.made[src], nil),
		},
	}
}

func (c *comparison) diffs(field int, name string, src source) picture.Panel {
	return picture.Panel{
		Title: name + ", differences", Unit: c.unit(name), Columns: c.columns[:min(shownFrames, len(c.columns))], Diverging: true,
		Rows: []picture.Row{
			c.row("target - input", field, c.truth, c.made[sourceLo]),
			c.row("target - generated", field, c.truth, c.made[src]),
		},
	}
}

// plots are one spectrum plot a field.
func (c *comparison) plots() []picture.SpectraPlot {
	var plots []picture.SpectraPlot
	lo, _ := c.lostBand()
	for field, name := range c.in.Channels {
		plot := picture.SpectraPlot{
			Title: name, XLabel: "k L / 2π", YLabel: "P(k)",
			Marks: []picture.Mark{{K: float64(lo), Label: "lost by pooling"}},
		}
		plot.Curves = append(plot.Curves, curve("truth", c.truthPower[field], true))
		for _, src := range c.sources() {
			if src != sourceLo {
				plot.Curves = append(plot.Curves, curve(sourceNames[src].label, c.power[src][field], false))
			}
		}
		low := curve("low-res", c.lowPower[field], false)
		low.Dashed = true
		plot.Curves = append(plot.Curves, low)
		plots = append(plots, plot)
	}
	return plots
}

func curve(label string, p []float64, truth bool) picture.Curve {
	k := make([]float64, len(p))
	for i := range k {
		k[i] = float64(i)
	}
	return picture.Curve{Label: label, K: k, P: p, Truth: truth}
}
