package physics

import (
	"cmp"
	"fmt"
	"slices"

	"fmsr.example/fmsr/internal/evaluate"
	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/parallel"
)

// Results are sums over frames, by simulation, and a row for every value of every frame.
//
//	Add(frame) ...      one frame with its samples at a time
//	Part, Join          the results of one simulation, and of several
//	Rows, Summary       at the end
type Results struct {
	*Layout
	Fields   []string
	metrics  []Metric
	subjects []subject
	variance []float64 // of each field in the training set; nil: not known
	sums     map[key][]float64
	rows     []Row
}

// Frame is a frame of a simulation in physical units: planes (C,H,W) of its truth, of
// the baselines and of K samples, and the input itself, (C,H/factor,W/factor).
type Frame struct {
	Run, Frame    int
	Moment        frames.Moment
	Truth, Coarse []float32
	Baselines     []evaluate.Fields
	Members       [][]float32
}

// Row is one value. Frame and Member are -1 where a value is of all of them together.
type Row struct {
	Run, Frame, Member int
	Fields             string
	Metric             string
	Source             Source
	Point
	Moment frames.Moment // of the frame
}

// key says which sums.
type key struct {
	run    int
	tally  string
	fields string
	source Source
}

// subject is a tally and the fields that it is of, as indices.
type subject struct {
	*Tally
	of    []int
	names []string
}

func (s subject) key(run int, src Source) key { return key{run, s.Name, FieldsName(s.names), src} }

// New returns empty results of frames with these fields. variance is each field's in the
// training set, nil if it is not known.
func New(l *Layout, metrics []Metric, fields []string, variance []float64) *Results {
	r := &Results{Layout: l, Fields: fields, metrics: metrics, variance: variance, sums: map[key][]float64{}}
	for _, t := range tallies(metrics) {
		if t.AddEnsemble != nil && l.Members < 2 {
			continue
		}
		r.subjects = append(r.subjects, r.subjectsOf(t)...)
	}
	return r
}

// subjectsOf returns a tally of each field, or of the fields that it needs together.
func (r *Results) subjectsOf(t *Tally) (out []subject) {
	if t.Of == nil {
		for i, name := range r.Fields {
			out = append(out, subject{t, []int{i}, []string{name}})
		}
		return out
	}
	find := func(names []string) (of []int) {
		for _, name := range names {
			if i := slices.Index(r.Fields, name); i >= 0 {
				of = append(of, i)
			}
		}
		return of
	}
	s := subject{Tally: t, of: find(t.Of)}
	if len(s.of) < len(t.Of) {
		return nil
	}
	if also := find(t.Also); len(also) == len(t.Also) {
		s.of = append(s.of, also...)
	}
	for _, i := range s.of {
		s.names = append(s.names, r.Fields[i])
	}
	return []subject{s}
}

// made is the fields of a source, (C,H,W).
type made struct {
	source Source
	member int
	values []float32
}

// tallied is a tally's sums of a frame, of one source.
type tallied struct {
	subject
	source Source
	member int
	sums   []float64
}

// Add measures a frame, on all cores.
func (r *Results) Add(f Frame) error {
	if len(f.Members) != r.Layout.Members {
		return fmt.Errorf("physics: frame %d has %d samples, want %d", f.Frame, len(f.Members), r.Layout.Members)
	}
	all := []made{{Truth, -1, f.Truth}}
	for _, b := range f.Baselines {
		all = append(all, made{b.Source, -1, b.Values})
	}
	for i, m := range f.Members {
		all = append(all, made{evaluate.Sample, i, m})
	}
	if len(f.Members) > 1 {
		var e evaluate.Ensemble
		for _, m := range f.Members {
			e.Add(m)
		}
		all = append(all, made{evaluate.Mean, -1, e.Mean()})
	}
	for _, m := range all {
		if want := len(r.Fields) * r.Grid.Cells(); len(m.values) != want {
			return fmt.Errorf("physics: %s of %d values, want %d", m.source, len(m.values), want)
		}
	}
	jobs := r.jobs()
	done := make([][]tallied, len(jobs))
	err := parallel.Each(len(jobs), func(i int) error {
		done[i] = r.run(jobs[i], f, all)
		return nil
	})
	if err != nil {
		return err
	}
	for _, job := range done {
		r.keep(f, job)
	}
	return nil
}

// jobs groups the subjects: those of one field share its modes.
func (r *Results) jobs() [][]subject {
	jobs := make([][]subject, len(r.Fields))
	for _, s := range r.subjects {
		if s.Of == nil {
			jobs[s.of[0]] = append(jobs[s.of[0]], s)
		} else {
			jobs = append(jobs, []subject{s})
		}
	}
	return jobs
}

// run tallies subjects of the same fields, for every source.
func (r *Results) run(job []subject, f Frame, all []made) (out []tallied) {
	if len(job) == 0 {
		return nil
	}
	of, planes := job[0].of, make([][]*Plane, len(all))
	for i, m := range all {
		for _, c := range of {
			planes[i] = append(planes[i], r.plane(m.values[c*r.Grid.Cells():][:r.Grid.Cells()]))
		}
	}
	for _, s := range job {
		if s.AddEnsemble != nil {
			sums, members := make([]float64, s.Size(r.Layout)), []*Plane(nil)
			for i, m := range all {
				if m.source == evaluate.Sample {
					members = append(members, planes[i][0])
				}
			}
			s.AddEnsemble(sums, r.Layout, planes[0][0], members)
			out = append(out, tallied{s, Ensemble, -1, sums})
			continue
		}
		sample := Sample{Layout: r.Layout, Truth: planes[0]}
		if s.Prepare != nil {
			sample.Prepared = s.Prepare(r.Layout, planes[0])
		}
		if r.variance != nil {
			sample.Variance = r.variance[of[0]]
		}
		if coarse := r.Grid.Coarser(r.Factor).Cells(); f.Coarse != nil {
			sample.Coarse = f.Coarse[of[0]*coarse:][:coarse]
		}
		for i, m := range all {
			sums := make([]float64, s.Size(r.Layout))
			sample.Made = planes[i]
			s.Add(sums, &sample)
			out = append(out, tallied{s, m.source, m.member, sums})
		}
	}
	return out
}

// keep adds the rows of a frame, and its sums to the simulation's. The truth is first among
// the sources of a tally.
func (r *Results) keep(f Frame, all []tallied) {
	var truth []float64
	for _, t := range all {
		if t.source == Truth {
			truth = t.sums
		}
		totals := Totals{Layout: r.Layout, Fields: t.names, Source: t.source, Sums: t.sums, Truth: truth}
		r.eachValue(t.Tally, totals, false, func(m *Metric, v Point) {
			r.rows = append(r.rows, Row{f.Run, f.Frame, t.member, FieldsName(t.names), m.NameFor(t.source), t.source, v, f.Moment})
		})
		r.add(t.key(f.Run, t.source), t.sums)
	}
}

func (r *Results) add(k key, sums []float64) {
	into := r.sums[k]
	if into == nil {
		into = make([]float64, len(sums))
		r.sums[k] = into
	}
	for i, v := range sums {
		into[i] += v
	}
}

// eachValue calls do with the values of the metrics that read a tally; curves only if they
// are asked for.
func (r *Results) eachValue(tally *Tally, t Totals, curves bool, do func(*Metric, Point)) {
	for i := range r.metrics {
		m := &r.metrics[i]
		if m.Tally != tally || !m.has(t.Source) || m.Curve && !curves {
			continue
		}
		for _, v := range m.Values(t) {
			if evaluate.Figure(v.Value).Finite() {
				do(m, v)
			}
		}
	}
}

// Part is the results of one simulation's frames, to be kept in a file and joined with
// others'.
type Part struct {
	Grid field.Grid
	Rows []Row
	Sums []PartSums
}

// PartSums is the sums of a tally over a part's frames.
type PartSums struct {
	Tally, Fields string
	Source        Source
	Values        []float64
}

// Part returns the results, which are of one simulation.
func (r *Results) Part() Part {
	p := Part{Grid: r.Grid, Rows: r.rows}
	for _, run := range r.Runs() {
		r.eachSource(func(s subject, src Source) {
			if k := s.key(run, src); r.sums[k] != nil {
				p.Sums = append(p.Sums, PartSums{k.tally, k.fields, src, r.sums[k]})
			}
		})
	}
	return p
}

// Join adds a part as the results of a simulation.
func (r *Results) Join(run int, p Part) error {
	for _, s := range p.Sums {
		i := slices.IndexFunc(r.subjects, func(own subject) bool { return own.Name == s.Tally && FieldsName(own.names) == s.Fields })
		if p.Grid != r.Grid || i < 0 || len(s.Values) != r.subjects[i].Size(r.Layout) {
			return fmt.Errorf("physics: %d sums %s of %s on %s do not belong to results of %v on %s, factor %d, %d samples",
				len(s.Values), s.Tally, s.Fields, p.Grid, r.Fields, r.Grid, r.Factor, r.Layout.Members)
		}
		r.add(key{run, s.Tally, s.Fields, s.Source}, s.Values)
	}
	for _, row := range p.Rows {
		row.Run = run
		r.rows = append(r.rows, row)
	}
	return nil
}

// Runs returns the simulations that frames are of, in order.
func (r *Results) Runs() (runs []int) {
	for k := range r.sums {
		if !slices.Contains(runs, k.run) {
			runs = append(runs, k.run)
		}
	}
	slices.Sort(runs)
	return runs
}

// Rows returns the values of every frame, then those of each simulation's frames
// together.
func (r *Results) Rows() []Row {
	rows := slices.Clone(r.rows)
	for _, run := range r.Runs() {
		r.eachSource(func(s subject, src Source) {
			totals, ok := r.totals(s, src, []int{run}, []float64{1})
			if !ok {
				return
			}
			r.eachValue(s.Tally, totals, true, func(m *Metric, v Point) {
				rows = append(rows, Row{run, -1, -1, FieldsName(s.names), m.NameFor(src), src, v, frames.Moment{}})
			})
		})
	}
	return rows
}

// order is the sources in the order of tables.
var order = []Source{
	Truth, evaluate.Bilinear, evaluate.Linear, evaluate.BilinearProjected, evaluate.LinearProjected, evaluate.Sample, evaluate.Mean, Ensemble,
}

// eachSource calls do with every subject and source that may have sums.
func (r *Results) eachSource(do func(subject, Source)) {
	for _, s := range r.subjects {
		for _, src := range order {
			do(s, src)
		}
	}
}

// totals returns the sums over simulations, each with its weight. ok is false if the
// source has none.
func (r *Results) totals(s subject, src Source, runs []int, weights []float64) (t Totals, ok bool) {
	sum := func(src Source) (all []float64) {
		for i, run := range runs {
			sums := r.sums[s.key(run, src)]
			if sums != nil && all == nil {
				all = make([]float64, len(sums))
			}
			for j, v := range sums {
				all[j] += weights[i] * v
			}
		}
		return all
	}
	t = Totals{Layout: r.Layout, Fields: s.names, Source: src, Sums: sum(src), Truth: sum(Truth)}
	return t, t.Sums != nil
}

// SummaryRow is a value over all simulations. Low and High bound it as if other
// simulations had been drawn; without an interval, Resamples is 0 and both are the value.
type SummaryRow struct {
	Fields string
	Metric string
	Source Source
	Point
	Low, High float64
	Resamples int
}

// Summary returns the values over all simulations, with the intervals of a bootstrap over
// them, if there are several: resamples draws, a function of the stream.
func (r *Results) Summary(resamples int, stream uint64) []SummaryRow {
	runs := r.Runs()
	if len(runs) < 2 {
		resamples = 0
	}
	draws := Draws(len(runs), resamples, stream)
	type part struct {
		subject
		source Source
	}
	var parts []part
	r.eachSource(func(s subject, src Source) { parts = append(parts, part{s, src}) })
	done := make([][]SummaryRow, len(parts))
	_ = parallel.Each(len(parts), func(i int) error { // of which none fails
		done[i] = r.summary(parts[i].subject, parts[i].source, runs, draws)
		return nil
	})
	return slices.Concat(done...)
}

// summary returns the values of one subject and source.
func (r *Results) summary(s subject, src Source, runs []int, draws [][]float64) []SummaryRow {
	totals, ok := r.totals(s, src, runs, slices.Repeat([]float64{1}, len(runs)))
	if !ok {
		return nil
	}
	var out []SummaryRow
	at := map[string]int{} // of a value in out
	name := func(m *Metric, v Point) string { return fmt.Sprint(m.Name, v.Band, v.Lag, v.X) }
	r.eachValue(s.Tally, totals, true, func(m *Metric, v Point) {
		at[name(m, v)] = len(out)
		out = append(out, SummaryRow{FieldsName(s.names), m.NameFor(src), src, v, v.Value, v.Value, 0})
	})
	drawn := make([][]float64, len(out))
	for _, weights := range draws {
		totals, _ := r.totals(s, src, runs, weights)
		r.eachValue(s.Tally, totals, false, func(m *Metric, v Point) {
			if i, ok := at[name(m, v)]; ok {
				drawn[i] = append(drawn[i], v.Value)
			}
		})
	}
	for i, values := range drawn {
		if len(values) > 0 {
			out[i].Low, out[i].High = Interval(values)
			out[i].Resamples = len(values)
		}
	}
	return out
}

// Find returns the summary's value, and whether there is one.
func Find(rows []SummaryRow, fields, metric string, src Source, band string, x float64) (SummaryRow, bool) {
	i := slices.IndexFunc(rows, func(r SummaryRow) bool {
		return r.Fields == fields && r.Metric == metric && r.Source == src && r.Band == band && r.X == x && r.Lag <= 1
	})
	if i < 0 {
		return SummaryRow{}, false
	}
	return rows[i], true
}

// Curve returns the places and values of a curve, in order.
func Curve(rows []SummaryRow, fields, metric string, src Source, band string, lag int) (x, y []float64) {
	var found []SummaryRow
	for _, r := range rows {
		if r.Fields == fields && r.Metric == metric && r.Source == src && r.Band == band && r.Lag == lag {
			found = append(found, r)
		}
	}
	slices.SortFunc(found, func(a, b SummaryRow) int { return cmp.Compare(a.X, b.X) })
	for _, r := range found {
		x, y = append(x, r.X), append(y, r.Value)
	}
	return x, y
}
