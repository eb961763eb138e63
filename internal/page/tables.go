package page

import (
	"fmt"
	"math"

	"fmsr.example/fmsr/internal/evaluate"
)

// Table is figures with their meaning.
type Table struct {
	Title string
	Doc   string
	Unit  string
	Heads []string
	Rows  []evaluate.Row
}

// Bars is a metric's values as bars, a value of 1 marked.
type Bars struct {
	Title string
	Doc   string
	One   float64 // where 1 is, in percent of the width
	Bars  []Bar
}

// Bar is one value.
type Bar struct {
	Label, Color, Text string
	Width              float64 // percent
}

// row is a source of a subject.
type row struct {
	subject *Subject
	source  *evaluate.RecordSource
}

func (r row) label(alone bool) string {
	if alone {
		return r.source.Row
	}
	return r.subject.Name + ": " + r.source.Row
}

// rows returns every source of every subject.
func (v *View) rows() (all []row) {
	for _, s := range v.Subjects {
		if s.Record == nil {
			continue
		}
		for i := range s.Record.Sources {
			all = append(all, row{s, &s.Record.Sources[i]})
		}
	}
	return all
}

// metrics returns the metrics of all subjects that tables show.
func (v *View) metrics() (all []evaluate.RecordMetric) {
	seen := map[string]bool{}
	for _, s := range v.Subjects {
		if s.Record == nil {
			continue
		}
		for _, m := range s.Record.Metrics {
			if m.InTables && !seen[m.Name] {
				seen[m.Name] = true
				all = append(all, m)
			}
		}
	}
	return all
}

// value returns a metric of a source, over all fields or of the one with that name.
func (r row) value(metric, field string) float64 {
	for i, m := range r.subject.Record.Metrics {
		if m.Name != metric {
			continue
		}
		if field == "" {
			return r.source.All[i]
		}
		if f := r.subject.field(field); f >= 0 {
			return float64(r.source.Fields[i][f])
		}
	}
	return math.NaN()
}

// tables returns the means over the fields and, with several fields, a table by field for
// each metric.
func (v *View) tables() (all []Table) {
	rows, fields := v.rows(), fieldNames(v.Subjects)
	if len(rows) == 0 {
		return nil
	}
	means := Table{Title: fields[0]}
	if len(fields) > 1 {
		means.Title = "Means over the fields"
	}
	for _, r := range rows {
		means.Rows = append(means.Rows, evaluate.Row{Label: r.label(len(v.Subjects) == 1)})
	}
	for _, m := range v.metrics() {
		byField := Table{Title: m.Head, Doc: m.Doc, Unit: m.Unit, Heads: fields}
		if m.Averages {
			means.Heads = append(means.Heads, m.Head)
		}
		for i, r := range rows {
			line := evaluate.Row{Label: means.Rows[i].Label}
			for _, f := range fields {
				line.Cells = append(line.Cells, cell(m, r.value(m.Name, f)))
			}
			byField.Rows = append(byField.Rows, line)
			if m.Averages {
				means.Rows[i].Cells = append(means.Rows[i].Cells, cell(m, r.value(m.Name, "")))
			}
		}
		all = append(all, byField)
	}
	if len(fields) == 1 {
		return []Table{means}
	}
	return append([]Table{means}, all...)
}

func cell(m evaluate.RecordMetric, v float64) string {
	if !evaluate.Figure(v).Finite() {
		return "–"
	}
	return fmt.Sprintf(m.Cell, v)
}

// bars returns the figures of the verdict as bars: every source of the only subject; of
// several the baselines of the first, and each one's model.
func (v *View) bars() (all []Bars) {
	for _, name := range []string{"of_bilinear", "band", "spread_over_error"} {
		b := Bars{}
		most := 1.0
		for _, m := range v.metrics() {
			if m.Name != name {
				continue
			}
			b.Title, b.Doc = m.Head, m.Doc
			for _, r := range v.rows() {
				if alone := len(v.Subjects) == 1; !alone && (r.source.Model && r.source != r.subject.model() || !r.source.Model && r.subject != v.Subjects[0]) {
					continue
				}
				value := r.value(name, "")
				if !evaluate.Figure(value).Finite() || value < 0 {
					continue
				}
				most = max(most, value)
				label, color := r.source.Row, colorOf(string(r.source.Key))
				if len(v.Subjects) > 1 && r.source.Model {
					label, color = r.subject.Name, r.subject.Color
				}
				b.Bars = append(b.Bars, Bar{Label: label, Color: color, Text: fmt.Sprintf("%.2f", value), Width: value})
			}
		}
		if len(b.Bars) == 0 {
			continue
		}
		for i := range b.Bars {
			b.Bars[i].Width *= 100 / most
		}
		b.One = 100 / most
		all = append(all, b)
	}
	return all
}
