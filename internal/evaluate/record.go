package evaluate

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"

	"fmsr.example/fmsr/internal/field"
)

// Record is an evaluation for later readers: all figures by field with their meaning, and
// the spectra. evaluations/STEP.json of a run's folder holds one, and pages are made of it.
// Slices by metric, by field and by k have the same order everywhere.
type Record struct {
	Step    int              `json:"step"`             // 0: of no training
	Frames  int              `json:"frames"`           // compared
	Of      int              `json:"of,omitempty"`     // frames of the split
	Split   string           `json:"split,omitempty"`  // "validation"; "training": the model has seen them
	Grid    field.Grid       `json:"grid"`             // of the fine fields
	Factor  int              `json:"factor"`           // fine cells that pooling averaged, along an axis
	Lost    float64          `json:"lost"`             // least k that pooling loses
	Fields  []RecordField    `json:"fields"`           //
	Metrics []RecordMetric   `json:"metrics"`          //
	Sources []RecordSource   `json:"sources"`          //
	Spectra []RecordSpectrum `json:"spectra"`          // the truth's first
	Shown   []string         `json:"shown,omitempty"`  // labels of the frames in tiles
	Scales  []TileScale      `json:"scales,omitempty"` // of the tiles, by field
}

// RecordField is a field's name and unit.
type RecordField struct {
	Name string `json:"name"`
	Unit string `json:"unit,omitempty"`
}

// RecordMetric is a metric without its arithmetic.
type RecordMetric struct {
	Name     string `json:"name"`
	Head     string `json:"head"`
	Unit     string `json:"unit"`
	Doc      string `json:"doc"`
	Cell     string `json:"cell"`               // format of a cell in tables
	InTables bool   `json:"tables,omitempty"`   //
	Averages bool   `json:"averages,omitempty"` // its mean over the fields has a meaning
}

// RecordSource is the values of a source by metric: for all fields together, and of each
// field. A value that does not exist is null.
type RecordSource struct {
	Key    Source     `json:"key"`
	Label  string     `json:"label"`            // in legends
	Row    string     `json:"row"`              // in tables
	Suffix string     `json:"suffix,omitempty"` // of its names in logs and of its tiles
	Model  bool       `json:"model,omitempty"`  // made by the model, not a baseline
	All    Series     `json:"all"`
	Fields [][]Figure `json:"fields"`
}

// RecordSpectrum is the mean P(k), k = 0, 1, ..., of each field of a source.
type RecordSpectrum struct {
	Key   string   `json:"key"` // "truth", "low" (the pooled truth on its own grid), or the source's
	Label string   `json:"label"`
	Power []Series `json:"power"`
	Low   []Series `json:"low,omitempty"` // with High: the spread over frames
	High  []Series `json:"high,omitempty"`
}

// Record returns the comparison so far. unit returns a field's unit.
func (c *Comparison) Record(unit func(field string) string) *Record {
	figures := c.Figures()
	r := &Record{
		Frames: c.Truth.Frames, Grid: c.Grid, Factor: c.Factor, Lost: c.Grid.LostFrom(c.Factor), Shown: c.shown.Columns, Scales: c.tileScales(),
		Spectra: []RecordSpectrum{c.spectrum("truth", "truth", c.TrueSpectrum), c.spectrum("low", "low-res", c.LowSpectrum)},
	}
	for _, name := range c.Fields {
		r.Fields = append(r.Fields, RecordField{name, unit(name)})
	}
	metrics := figures.Metrics()
	for _, m := range metrics {
		r.Metrics = append(r.Metrics, RecordMetric{m.Name, m.Head(), m.Unit, m.Doc, cmp.Or(m.Cell, "%.4g"), m.ShownIn(Tables), figures.averages(m)})
	}
	for _, s := range figures.Sources {
		r.Sources = append(r.Sources, recordSource(s, metrics, len(c.Fields)))
		r.Spectra = append(r.Spectra, c.spectrum(string(s.Source), s.Source.label(), func(field int) []float64 { return c.Spectrum(s.Source, field) }))
	}
	return r
}

func (c *Comparison) spectrum(key, label string, of func(field int) []float64) RecordSpectrum {
	s := RecordSpectrum{Key: key, Label: label}
	for i := range c.Fields {
		s.Power = append(s.Power, of(i))
	}
	return s
}

func recordSource(s SourceFigures, metrics []*Metric, fields int) RecordSource {
	r := RecordSource{Key: s.Source, Label: s.Source.label(), Row: s.Source.row(), Suffix: s.Source.suffix(), Model: s.Source.model()}
	nan := Figure(math.NaN())
	none := Value{All: nan, Fields: slices.Repeat([]Figure{nan}, fields)}
	for _, m := range metrics {
		v := none
		if i := slices.IndexFunc(s.Values, func(v Value) bool { return v.Metric == m }); i >= 0 {
			v = s.Values[i]
		}
		r.All, r.Fields = append(r.All, float64(v.All)), append(r.Fields, v.Fields)
	}
	return r
}

// cellFormat matches the formats that a table's cells may have.
var cellFormat = regexp.MustCompile(`^%\.[0-9][efg]$`)

// ReadRecord returns the record that JSON holds, checked: slices by metric and by field are
// as long as those lists.
func ReadRecord(data []byte) (*Record, error) {
	r := &Record{}
	if err := json.Unmarshal(data, r); err != nil {
		return nil, err
	}
	fields, metrics := len(r.Fields), len(r.Metrics)
	if len(r.Scales) != fields && len(r.Scales) != 0 {
		return nil, fmt.Errorf("%d scales of %d fields", len(r.Scales), fields)
	}
	for _, m := range r.Metrics {
		if !cellFormat.MatchString(m.Cell) {
			return nil, fmt.Errorf("metric %.100q: format %.20q of its cells", m.Name, m.Cell)
		}
	}
	for _, s := range r.Sources {
		short := len(s.All) != metrics || len(s.Fields) != metrics
		for _, values := range s.Fields {
			short = short || len(values) != fields
		}
		if short {
			return nil, fmt.Errorf("source %.100q: want values of %d metrics and %d fields", s.Key, metrics, fields)
		}
	}
	for _, s := range r.Spectra {
		if len(s.Power) != fields {
			return nil, fmt.Errorf("spectra of %.100q: %d of %d fields", s.Key, len(s.Power), fields)
		}
	}
	return r, nil
}

// Value returns a source's value of a metric for all fields together, and whether there is one.
func (r *Record) Value(s *RecordSource, metric string) (float64, bool) {
	i := slices.IndexFunc(r.Metrics, func(m RecordMetric) bool { return m.Name == metric })
	if i < 0 || i >= len(s.All) || !Figure(s.All[i]).Finite() {
		return 0, false
	}
	return s.All[i], true
}

// Best returns the source that a sentence about the model is of, the averaged model's
// ordinary samples if there are any, and the baseline that has the least error; nil: there
// is none.
func (r *Record) Best() (model, baseline *RecordSource) {
	least := 0.0
	for i := range r.Sources {
		s := &r.Sources[i]
		if s.Model {
			if model == nil || model.Suffix == "" && s.Suffix == "_ema" {
				model = s
			}
			continue
		}
		if v, ok := r.Value(s, "of_bilinear"); ok && s.Key != Bilinear && (baseline == nil || v < least) {
			baseline, least = s, v
		}
	}
	return model, baseline
}

// partOf writes a share in this format and unit, "84% of", and one of many times the whole as
// that: "17,875 times".
func partOf(share float64, format string, unit float64) string {
	const many, huge = 20, 1e9
	switch {
	case share >= huge:
		return fmt.Sprintf("%.3g times", share)
	case share >= many:
		text := fmt.Sprintf("%.0f", share)
		for at := len(text) - 3; at > 0; at -= 3 {
			text = text[:at] + "," + text[at:]
		}
		return text + " times"
	}
	return fmt.Sprintf(format, share*unit) + " of"
}

// Verdict says in a sentence what the model is worth, beside the best baseline; empty: the
// evaluation does not say.
func (r *Record) Verdict() string {
	model, baseline := r.Best()
	if model == nil {
		return ""
	}
	share, ok := r.Value(model, "of_bilinear")
	if !ok {
		return ""
	}
	at := ""
	if r.Step > 0 {
		at = fmt.Sprintf("at step %d ", r.Step)
	}
	text := at + "the model has " + partOf(share, "%.2f", 1) + " bilinear's error"
	name := ""
	if baseline != nil {
		v, _ := r.Value(baseline, "of_bilinear")
		name = "the " + baseline.Row
		text += fmt.Sprintf(", %s %.2f", name, v)
	}
	if band, ok := r.Value(model, "band"); ok {
		text += "; it keeps " + partOf(band, "%.0f%%", 100) + " the lost band's power"
		if baseline != nil {
			if of, ok := r.Value(baseline, "band"); ok {
				text += fmt.Sprintf(", %s %.0f%%", name, 100*of)
			}
		}
	}
	return text
}
