package evaluate

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode/utf8"
)

// Figures is the values of a suite's metrics for every source.
type Figures struct {
	Fields  []string
	Sources []SourceFigures
}

// SourceFigures is a source's values, in the suite's order.
type SourceFigures struct {
	Source Source
	Values []Value
}

// Value is the value of a metric, for all fields together that have it, and for each
// field. A figure that does not exist is NaN here, a dash in tables, and absent elsewhere.
type Value struct {
	*Metric
	All    Figure
	Fields []Figure
	Has    []bool // whether each field has the metric
}

// Exists reports whether any field has the metric.
func (v Value) Exists() bool { return slices.Contains(v.Has, true) }

// Scalars returns the figures under their names in logs: val/mse_ema, val/mse_ema/velx.
func (f Figures) Scalars() []Scalar {
	var out []Scalar
	for _, s := range f.Sources {
		name := func(v Value) string { return "val/" + v.Name + s.Source.suffix() }
		for _, v := range s.Values {
			if v.ShownIn(Logs) && v.Exists() {
				out = append(out, Scalar{name(v), v.All})
			}
		}
		for _, v := range s.Values {
			for i, field := range f.Fields {
				if v.ShownIn(Logs) && v.LogFields && v.Has[i] {
					out = append(out, Scalar{name(v) + "/" + field, v.Fields[i]})
				}
			}
		}
	}
	return out
}

// Headline returns one figure a source under its name in logs, the model's before the
// baselines'. It is of the first metric in logs that may be averaged over the fields.
func (f Figures) Headline() []Scalar {
	var model, baselines []Scalar
	for _, s := range f.Sources {
		i := slices.IndexFunc(s.Values, func(v Value) bool { return v.ShownIn(Logs) && f.averages(v.Metric) })
		if i < 0 {
			continue
		}
		scalar := Scalar{"val/" + s.Values[i].Name + s.Source.suffix(), s.Values[i].All}
		if s.Source.model() {
			model = append(model, scalar)
		} else {
			baselines = append(baselines, scalar)
		}
	}
	return append(model, baselines...)
}

// averages reports whether the mean of a metric over the fields has a meaning for a
// person. Of errors in the fields' units it is the error of the field whose values are
// largest.
func (f Figures) averages(m *Metric) bool { return m.Unit == "1" || len(f.Fields) == 1 }

// Metrics returns the metrics that have a value, in the suite's order.
func (f Figures) Metrics() []*Metric {
	var all []*Metric
	for _, s := range f.Sources {
		at := 0 // a metric that is new goes behind the one before it
		for _, v := range s.Values {
			if i := slices.Index(all, v.Metric); i >= 0 {
				at = i + 1
			} else {
				all = slices.Insert(all, at, v.Metric)
				at++
			}
		}
	}
	return all
}

// Table is figures for a person: a row for each source, and a column for each metric or
// for each field.
type Table struct {
	Title string // of the first column
	Heads []string
	Rows  []Row
}

// Row is the row of a source. A cell is empty if its metric has no value.
type Row struct {
	Label string
	Cells []string
}

// Tables returns the metrics that are shown in tables: first their means over the
// fields, then, if there are several fields, a table by field for each metric.
func (f Figures) Tables(title string) []Table {
	means, tables := Table{Title: title}, []Table(nil)
	if len(f.Fields) > 1 {
		means.Title += fmt.Sprintf(", mean over %d fields", len(f.Fields))
	}
	for _, s := range f.Sources {
		means.Rows = append(means.Rows, Row{Label: s.Source.row()})
	}
	for _, m := range f.Metrics() {
		if !m.ShownIn(Tables) {
			continue
		}
		if f.averages(m) {
			means.Heads = append(means.Heads, cmp.Or(m.Brief, m.Head()))
		}
		byField := Table{Title: m.Head() + ", by field", Heads: f.Fields}
		for i, s := range f.Sources {
			at := slices.IndexFunc(s.Values, func(v Value) bool { return v.Metric == m })
			if f.averages(m) {
				cell := ""
				if at >= 0 {
					cell = m.cell(s.Values[at].All, s.Values[at].Exists())
				}
				means.Rows[i].Cells = append(means.Rows[i].Cells, cell)
			}
			if at >= 0 {
				byField.Rows = append(byField.Rows, s.Values[at].row(s.Source))
			}
		}
		tables = append(tables, byField)
	}
	if len(f.Fields) == 1 {
		return []Table{means}
	}
	return append([]Table{means}, tables...)
}

// row returns the figures of each field.
func (v Value) row(of Source) Row {
	row := Row{Label: of.row()}
	for i, figure := range v.Fields {
		row.Cells = append(row.Cells, v.cell(figure, v.Has[i]))
	}
	return row
}

func (m *Metric) cell(f Figure, exists bool) string {
	if !exists {
		return "-"
	}
	format := m.Cell
	if format == "" {
		format = "%.4g"
	}
	return fmt.Sprintf(format, float64(f))
}

// widest is the width that a terminal has at least.
const widest = 80

// String returns the table in aligned columns, a line a row. If the title makes the table wider
// than a terminal, it has a line of its own.
func (t Table) String() string {
	text := t.aligned(t.Title)
	if first, _, _ := strings.Cut(text, "\n"); utf8.RuneCountInString(first) > widest {
		return t.Title + "\n" + t.aligned("")
	}
	return text
}

func (t Table) aligned(title string) string {
	var text bytes.Buffer
	tw := tabwriter.NewWriter(&text, 0, 0, 3, ' ', 0)
	line := func(first string, cells []string) {
		fmt.Fprintln(tw, strings.TrimRight(first+"\t"+strings.Join(cells, "\t"), "\t"))
	}
	line(title, t.Heads)
	for _, row := range t.Rows {
		line(row.Label, row.Cells)
	}
	tw.Flush()
	return text.String()
}
