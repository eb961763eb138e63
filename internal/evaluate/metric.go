package evaluate

import (
	"bytes"
	"fmt"
	"text/tabwriter"

	"fmsr.example/fmsr/internal/field"
)

// Metric is one way to compare fields with the truth.
type Metric struct {
	Name  string // val/NAME in logs, NAME in comparison.json
	Unit  string // "1": a ratio
	Doc   string // one sentence: its meaning, and which direction is good
	Title string // head of its column in tables; empty: its name
	Brief string // its head in the table of means, which has many columns; empty: Title
	Cell  string // format of its cells in tables; empty: %.4g

	In           Outlets // where it is shown; zero: everywhere
	LogFields    bool    // logs also have val/NAME/FIELD
	EnsembleOnly bool    // only the mean of an ensemble has it

	// Add adds a plane to the metric's own sums: Sums numbers for each field, zero at
	// first. A metric that needs only the other members of Totals has no Add.
	Sums int
	Add  func(sums []float64, p Pair)
	// Exists reports whether a field has the metric; nil: every field has. Of a constant
	// field there is no power to compare with.
	Exists func(Totals) bool
	// Value returns one figure for all these fields. It is called with all fields that have
	// the metric, and with each alone.
	Value func(fields []Totals) float64
}

// Outlets is a set of places where a metric is shown.
type Outlets uint8

const (
	Logs   Outlets = 1 << iota // metrics.jsonl, TensorBoard, W&B, the report's list of all figures
	Tables                     // printed, and in the report
	Files                      // comparison.json
)

// ShownIn reports whether the outlet shows the metric.
func (m *Metric) ShownIn(o Outlets) bool { return m.In == 0 || m.In&o == o }

// Head returns the head of the metric's column in tables.
func (m *Metric) Head() string {
	if m.Title == "" {
		return m.Name
	}
	return m.Title
}

// Suite is a list of metrics, in the order in which outlets show them.
type Suite []Metric

// Help returns a line for each metric that the outlet shows: its name and its
// sentence.
func (s Suite) Help(where Outlets) string {
	var text bytes.Buffer
	tw := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	for i := range s {
		if m := &s[i]; m.ShownIn(where) {
			fmt.Fprintf(tw, "  %s\t%s\n", m.Name, m.Doc)
		}
	}
	tw.Flush()
	return text.String()
}

// Pair is a plane of a field, (H,W), and the true plane, in physical units.
type Pair struct {
	Grid        field.Grid
	Made, Truth []float32
	Variance    []float64 // if Made is the mean of an ensemble, its variance (H,W), else nil
}

// Totals is one field of a source, summed up over all frames.
type Totals struct {
	Grid         field.Grid
	Factor       int // fine cells that pooling averaged, along an axis
	Frames       int // each sample of a frame counts
	Members      int // samples of an ensemble, if the source is its mean
	SquaredError float64
	Moments      field.Welford // of the truth
	Power, Truth []float64     // mean P(k), and that of the truth
	Lost         float64       // mean power in the modes that pooling lost
	TrueLost     float64       // mean power of the truth in these modes
	Sums         []float64     // own sums of the metric
	Bilinear     *Totals       // the same field of the bilinear input, without Sums; nil if it was not added
}

// Values returns how many values of the field were compared.
func (t Totals) Values() int { return t.Frames * t.Grid.Cells() }
