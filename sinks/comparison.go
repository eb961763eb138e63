package sinks

import (
	"math"
	"slices"

	"fmsr/internal/field"
	"fmsr/internal/field/plan"
	"fmsr/internal/torchx"
	"fmsr/model"
)

// source is where a field being compared with the truth comes from.
type source int

const (
	sourceLo source = iota // the bilinear input
	sourceLinear
	sourceRaw
	sourceEMA
	sourceSDE
	sourceSample // superres's
	sourceMean   // of an ensemble
)

// sourceNames: the suffix of its figures, and what a person reads.
var sourceNames = map[source]struct{ suffix, label string }{
	sourceLo:     {"_lo", "bilinear input"},
	sourceLinear: {"_linear", "linear filter 9x9"},
	sourceRaw:    {"", "ODE"},
	sourceEMA:    {"_ema", "ODE EMA"},
	sourceSDE:    {"_sde", "SDE EMA"},
	sourceSample: {"", "sample"},
	sourceMean:   {"_mean", "ensemble mean"},
}

// comparison holds what was made of frames against the truth, in physical units.
// Errors and spectra are summed as frames come; whole fields are kept only of
// those that pictures show.
//
//	start(truth), add(source, values) ..., measure   -- for each batch of frames
//	scalars, pictures                                -- at the end
type comparison struct {
	channels     []string
	unit         func(field string) string
	factor, h, w int
	shells, low  *field.Shells // of the grid, and of the pooled one

	columns []string // a label for each frame that is shown
	truth   tally
	moments []field.Welford // of each field of the truth
	pooled  tally           // the truth's, pooled: its spectrum alone
	made    map[source]*tally

	current []float32 // truth of the batch
	pending []pending // whose spectra are not measured yet
}

// tally is what is kept of a source's frames.
type tally struct {
	frames  int
	squares []float64   // sum of the squared errors of each field
	power   [][]float64 // sum over frames of each field's P(k)
	shown   []float32
}

type pending struct {
	into   *tally
	values []float32
}

func newComparison(channels []string, unit func(field string) string, factor int, shells *field.Shells) *comparison {
	return &comparison{
		channels: channels, unit: unit, factor: factor, h: shells.H, w: shells.W, shells: shells, low: field.NewShells(shells.Coarser(factor)),
		moments: make([]field.Welford, len(channels)), made: map[source]*tally{},
	}
}

func (c *comparison) cells() int { return c.h * c.w }

// start begins a batch with its truth (N,C,H,W), a label for each frame.
func (c *comparison) start(labels []string, truth []float32) {
	frame := len(c.channels) * c.cells()
	room := min(len(labels), shownFrames-len(c.columns))
	c.columns = append(c.columns, labels[:room]...)
	c.truth.shown = append(c.truth.shown, truth[:room*frame]...)
	for i := range len(truth) / c.cells() {
		c.moments[i%len(c.channels)].Merge(plan.Moments(truth[i*c.cells() : (i+1)*c.cells()]))
	}
	c.current = truth
	c.pending = append(c.pending, pending{&c.truth, truth})
}

// add takes in what a source made of the batch, once or, where there are several
// samples, several times, of which pictures show the first.
func (c *comparison) add(src source, values []float32) {
	t := c.made[src]
	if t == nil {
		t = &tally{squares: make([]float64, len(c.channels))}
		c.made[src] = t
	}
	for i, v := range values {
		d := float64(v) - float64(c.current[i])
		t.squares[i/c.cells()%len(c.channels)] += d * d
	}
	t.shown = append(t.shown, values[:min(len(values), len(c.truth.shown)-len(t.shown))]...)
	c.pending = append(c.pending, pending{t, values})
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

// measure takes the spectra of what came since it was last called; s is a torch thread's.
func (c *comparison) measure(s *torchx.Scope) error {
	for _, p := range c.pending {
		c.addSpectrum(s, p.into, c.shells, p.values)
		if p.into == &c.truth {
			x := s.FromFloats(p.values, int64(len(p.values)/c.cells()), 1, int64(c.h), int64(c.w))
			c.addSpectrum(s, &c.pooled, c.low, s.Floats(s.AvgPool2d(x, int64(c.factor))))
		}
	}
	c.pending = nil
	return s.Err()
}

// addSpectrum adds each field's P(k).
func (c *comparison) addSpectrum(s *torchx.Scope, into *tally, shells *field.Shells, values []float32) {
	h, w := shells.H, shells.W
	planes, half := len(values)/(h*w), h*(w/2+1)
	power := s.Floats(s.PowerSpectrum2d(s.FromFloats(values, int64(planes), int64(h), int64(w))))
	if s.Err() != nil {
		return
	}
	if into.power == nil {
		into.power = make([][]float64, len(c.channels))
	}
	into.frames += planes / len(c.channels)
	for i := range planes {
		field := &into.power[i%len(c.channels)]
		p := shells.Sum(power[i*half : (i+1)*half])
		if *field == nil {
			*field = make([]float64, len(p))
		}
		for k, v := range p {
			(*field)[k] += v
		}
	}
}

// spectrum is a field's mean P(k).
func (t *tally) spectrum(field int) []float64 {
	p := slices.Clone(t.power[field])
	for k := range p {
		p[k] /= float64(t.frames)
	}
	return p
}

// figures are how far a source is from the truth.
type figures struct {
	mse, nmse, band float64
	fields          []fieldFigures
}

// fieldFigures are one field's: its mean squared error, that over the truth's
// variance, and the power in the band that pooling lost, over the truth's.
type fieldFigures struct{ mse, nmse, band float64 }

// figures of all fields are the means of each one's.
func (c *comparison) figures(src source) figures {
	var f figures
	t := c.made[src]
	lo, hi := c.shells.LostBand(c.factor)
	n := float64(len(c.channels))
	for i := range c.channels {
		mse := t.squares[i] / float64(t.frames*c.cells())
		one := fieldFigures{mse, mse / c.variance(i), field.Band(t.spectrum(i), lo, hi) / field.Band(c.truth.spectrum(i), lo, hi)}
		f.fields = append(f.fields, one)
		f.mse += one.mse / n
		f.nmse += one.nmse / n
		f.band += one.band / n
	}
	return f
}

// variance is the truth's about its mean over the frames; a constant field's is
// one, so that its error can be divided by it.
func (c *comparison) variance(field int) float64 {
	if v := math.Pow(c.moments[field].Std(), 2); v > 0 {
		return v
	}
	return 1
}

// scalars are the figures of every source.
func (c *comparison) scalars() []model.Scalar {
	var out []model.Scalar
	add := func(name string, value float64) { out = append(out, model.Scalar{Name: name, Value: value}) }
	for _, src := range c.sources() {
		suffix := sourceNames[src].suffix
		f := c.figures(src)
		add("val/mse"+suffix, f.mse)
		add("val/nmse"+suffix, f.nmse)
		add("val/band"+suffix, f.band)
		for i, name := range c.channels {
			add("val/mse"+suffix+"/"+name, f.fields[i].mse)
		}
	}
	return out
}
