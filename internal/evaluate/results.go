package evaluate

import (
	"fmt"
	"math"
	"slices"

	"fmsr.example/fmsr/internal/field"
)

// Results are the sums of a comparison over the frames of one grid.
type Results struct {
	Fields []string         `json:"fields"`
	Grid   field.Grid       `json:"grid"`
	Factor int              `json:"factor"`
	Truth  Truth            `json:"truth"`
	Made   map[Source]*Made `json:"made"`
}

// Truth is the sums of the true fields.
type Truth struct {
	Frames  int             `json:"frames"`
	Moments []field.Welford `json:"moments"` // of each field
	Power   []Series        `json:"power"`   // P(k) of each field, summed over frames
	Low     []Series        `json:"low"`     // P(k) of the field averaged over factor x factor cells, on its own grid
	Lost    Series          `json:"lost"`    // power of each field in the modes that this averaging loses

	LogPower  []Series `json:"log_power"`  // ln P(k) of each field, summed over frames
	LogPower2 []Series `json:"log_power2"` // and its square
}

// Made is the sums of one source.
type Made struct {
	Frames       int                 `json:"frames"`            // each sample of a frame is counted
	Members      int                 `json:"members,omitempty"` // of the ensembles whose means these are
	SquaredError Series              `json:"squared_error"`     // of each field
	Power        []Series            `json:"power"`             // P(k) of each field, summed over frames
	Lost         Series              `json:"lost"`              // power of each field in the modes that averaging loses
	Sums         map[string][]Series `json:"sums,omitempty"`    // of metrics that have sums of their own, by name: of each field

	LogRatio  []Series `json:"log_ratio"`  // ln of P(k) over the truth's in the same frame, of each field, summed over frames
	LogRatio2 []Series `json:"log_ratio2"` // and its square
}

func newResults(fields []string, grid field.Grid, factor int) Results {
	return Results{
		Fields: fields, Grid: grid, Factor: factor,
		Truth: Truth{
			Moments: make([]field.Welford, len(fields)), Power: make([]Series, len(fields)), Low: make([]Series, len(fields)),
			Lost: make(Series, len(fields)), LogPower: make([]Series, len(fields)), LogPower2: make([]Series, len(fields)),
		},
	}
}

// made returns the sums of a source, which are empty at first.
func (r *Results) made(src Source) *Made {
	m := r.Made[src]
	if m == nil {
		if r.Made == nil {
			r.Made = map[Source]*Made{}
		}
		n := len(r.Fields)
		m = &Made{
			SquaredError: make(Series, n), Power: make([]Series, n), Lost: make(Series, n), LogRatio: make([]Series, n), LogRatio2: make([]Series, n),
		}
		r.Made[src] = m
	}
	return m
}

// sums returns the own sums of a metric, of each field.
func (m *Made) sums(name string, fields int) []Series {
	s := m.Sums[name]
	if s == nil {
		if m.Sums == nil {
			m.Sums = map[string][]Series{}
		}
		s = make([]Series, fields)
		m.Sums[name] = s
	}
	return s
}

// Merge adds the results of other frames. Their fields, grid and factor must be the
// same. The first results that are merged stay as they are, to the last bit.
func (r *Results) Merge(o *Results) error {
	if !slices.Equal(r.Fields, o.Fields) || r.Grid != o.Grid || r.Factor != o.Factor {
		return fmt.Errorf("results of %v on %+v, factor %d, and of %v on %+v, factor %d, cannot be merged", r.Fields, r.Grid, r.Factor, o.Fields, o.Grid, o.Factor)
	}
	if r.Truth.Frames == 0 && len(r.Made) == 0 {
		*r = o.clone()
		return nil
	}
	r.Truth.Frames += o.Truth.Frames
	for i := range r.Fields {
		r.Truth.Moments[i].Merge(o.Truth.Moments[i])
	}
	addEach(r.Truth.Power, o.Truth.Power)
	addEach(r.Truth.Low, o.Truth.Low)
	r.Truth.Lost = r.Truth.Lost.plus(o.Truth.Lost)
	addEach(r.Truth.LogPower, o.Truth.LogPower)
	addEach(r.Truth.LogPower2, o.Truth.LogPower2)
	for src, from := range o.Made {
		into := r.made(src)
		into.Frames += from.Frames
		into.Members = max(into.Members, from.Members)
		into.SquaredError = into.SquaredError.plus(from.SquaredError)
		addEach(into.Power, from.Power)
		into.Lost = into.Lost.plus(from.Lost)
		addEach(into.LogRatio, from.LogRatio)
		addEach(into.LogRatio2, from.LogRatio2)
		for name, sums := range from.Sums {
			addEach(into.sums(name, len(r.Fields)), sums)
		}
	}
	return nil
}

// clone returns a copy that shares no memory.
func (r *Results) clone() Results {
	c := *r
	c.Truth.Moments = slices.Clone(r.Truth.Moments)
	c.Truth.Power, c.Truth.Low, c.Truth.Lost = cloneEach(r.Truth.Power), cloneEach(r.Truth.Low), slices.Clone(r.Truth.Lost)
	c.Truth.LogPower, c.Truth.LogPower2 = cloneEach(r.Truth.LogPower), cloneEach(r.Truth.LogPower2)
	c.Made = map[Source]*Made{}
	for src, m := range r.Made {
		made := *m
		made.SquaredError, made.Power, made.Lost = slices.Clone(m.SquaredError), cloneEach(m.Power), slices.Clone(m.Lost)
		made.LogRatio, made.LogRatio2 = cloneEach(m.LogRatio), cloneEach(m.LogRatio2)
		if made.Sums = nil; m.Sums != nil {
			made.Sums = map[string][]Series{}
			for name, sums := range m.Sums {
				made.Sums[name] = cloneEach(sums)
			}
		}
		c.Made[src] = &made
	}
	return c
}

func cloneEach[T ~[]float64](series []T) []T {
	out := slices.Clone(series)
	for i := range out {
		out[i] = slices.Clone(out[i])
	}
	return out
}

// addEach adds each series of from to the series of into.
func addEach(into, from []Series) {
	for i, s := range from {
		into[i] = into[i].plus(s)
	}
}

// Spectrum returns the mean P(k) of a source's field.
func (r *Results) Spectrum(src Source, field int) []float64 {
	return over(r.Made[src].Power[field], r.Made[src].Frames)
}

// TrueSpectrum returns the mean P(k) of a true field.
func (r *Results) TrueSpectrum(field int) []float64 {
	return over(r.Truth.Power[field], r.Truth.Frames)
}

// LowSpectrum returns the mean P(k) of a true field averaged over factor x factor
// cells, on its own grid.
func (r *Results) LowSpectrum(field int) []float64 { return over(r.Truth.Low[field], r.Truth.Frames) }

// over returns the mean of a sum over frames.
func over(sum Series, frames int) []float64 {
	p := slices.Clone(sum)
	for k := range p {
		p[k] /= float64(frames)
	}
	return p
}

// totals returns the totals of each field of a source, with no metric's own sums.
func (r *Results) totals(src Source) []Totals {
	m := r.Made[src]
	out := make([]Totals, len(r.Fields))
	for i := range out {
		out[i] = Totals{
			Grid: r.Grid, Factor: r.Factor, Frames: m.Frames, Members: m.Members, SquaredError: m.SquaredError[i], Moments: r.Truth.Moments[i],
			Power: r.Spectrum(src, i), Truth: r.TrueSpectrum(i),
			Lost: m.Lost[i] / float64(m.Frames), TrueLost: r.Truth.Lost[i] / float64(r.Truth.Frames),
		}
	}
	return out
}

// Figures returns the values of a suite for every source.
func (r *Results) Figures(suite Suite) Figures {
	f := Figures{Fields: r.Fields}
	var bilinear []Totals
	if r.Made[Bilinear] != nil {
		bilinear = r.totals(Bilinear)
	}
	for _, src := range inOrder(r.Made) {
		totals := r.totals(src)
		for i := range bilinear {
			totals[i].Bilinear = &bilinear[i]
		}
		s := SourceFigures{Source: src}
		for i := range suite {
			m := &suite[i]
			sums := r.Made[src].Sums[m.Name]
			if (m.EnsembleOnly && r.Made[src].Members == 0) || (m.Add != nil && sums == nil) {
				continue
			}
			for k := range totals {
				if totals[k].Sums = nil; sums != nil {
					totals[k].Sums = sums[k]
				}
			}
			s.Values = append(s.Values, m.of(totals))
		}
		f.Sources = append(f.Sources, s)
	}
	return f
}

// of returns the metric's value of these fields.
func (m *Metric) of(fields []Totals) Value {
	v := Value{Metric: m, All: Figure(math.NaN())}
	var having []Totals
	for _, f := range fields {
		has, figure := m.Exists == nil || m.Exists(f), math.NaN()
		if has {
			having = append(having, f)
			figure = m.Value([]Totals{f})
		}
		v.Has, v.Fields = append(v.Has, has), append(v.Fields, Figure(figure))
	}
	if len(having) > 0 {
		v.All = Figure(m.Value(having))
	}
	return v
}
