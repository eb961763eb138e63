package evaluate

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
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

// Headline returns the figures of the first metric under their names in logs, the
// model's before the baselines'.
func (f Figures) Headline() []Scalar {
	var model, baselines []Scalar
	for _, s := range f.Sources {
		if len(s.Values) == 0 {
			continue
		}
		scalar := Scalar{"val/" + s.Values[0].Name + s.Source.suffix(), s.Values[0].All}
		if s.Source.model() {
			model = append(model, scalar)
		} else {
			baselines = append(baselines, scalar)
		}
	}
	return append(model, baselines...)
}

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

// Table is figures for a person: a row for each source, a column for each metric.
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

// Table returns the metrics that are shown in tables.
func (f Figures) Table(title string) Table {
	t := Table{Title: title}
	var columns []*Metric
	for _, m := range f.Metrics() {
		if m.ShownIn(Tables) {
			columns = append(columns, m)
			t.Heads = append(t.Heads, m.Head())
		}
	}
	for _, s := range f.Sources {
		row := Row{Label: s.Source.row(), Cells: make([]string, len(columns))}
		for _, v := range s.Values {
			if i := slices.Index(columns, v.Metric); i >= 0 {
				row.Cells[i] = v.cell()
			}
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

func (v Value) cell() string {
	if !v.Exists() {
		return "-"
	}
	format := v.Cell
	if format == "" {
		format = "%.4g"
	}
	return fmt.Sprintf(format, float64(v.All))
}

// String returns the table in aligned columns, a line a row.
func (t Table) String() string {
	var text bytes.Buffer
	tw := tabwriter.NewWriter(&text, 0, 0, 3, ' ', 0)
	line := func(first string, cells []string) {
		fmt.Fprintln(tw, strings.TrimRight(first+"\t"+strings.Join(cells, "\t"), "\t"))
	}
	line(t.Title, t.Heads)
	for _, row := range t.Rows {
		line(row.Label, row.Cells)
	}
	tw.Flush()
	return text.String()
}
