package physics

import (
	"strings"

	"fmsr.example/fmsr/internal/evaluate"
)

// Source is the origin of fields: evaluate's, and these two.
type Source = evaluate.Source

const (
	Truth    Source = "truth"    // the true fields, beside which the others are read
	Ensemble Source = "ensemble" // the samples of a frame together
)

// Tally is what is summed over the cells of a frame. Several metrics may read the same
// sums.
type Tally struct {
	Name string
	Of   []string // the fields that it needs together; nil: each field by itself
	Also []string // more fields, used if all of them are there

	Size    func(l *Layout) int                 // how many sums
	Prepare func(l *Layout, truth []*Plane) any // what all sources of a frame share, from its truth; nil: nothing

	// Add adds a frame of one source to the sums.
	Add func(sums []float64, s *Sample)
	// AddEnsemble adds a frame's samples together, in place of Add.
	AddEnsemble func(sums []float64, l *Layout, truth *Plane, members []*Plane)
}

// Sample is fields of a frame that a source made, beside the true ones.
type Sample struct {
	*Layout
	Made, Truth []*Plane  // of the tally's fields, in its order; of the truth both are the same
	Coarse      []float32 // (H/factor,W/factor): the input that the first field was made from; nil: there is none
	Variance    float64   // of the first field in the training set; 0: not known
	Prepared    any
}

// Metric is values that are read from a tally's sums.
type Metric struct {
	Name  string
	Unit  string // "1": a ratio
	Doc   string // one sentence: its meaning, and which direction is good
	Tally *Tally

	Truth bool // the truth has it too
	Curve bool // many values: only the frames of a run together have rows

	// Pointwise marks an error against the truth cell by cell, which is least for the mean of
	// all samples. The mean's is called mean_NAME, so that no table compares it with a
	// sample's by accident.
	Pointwise bool

	Values func(t Totals) []Point
}

// Totals is a tally's sums over some frames.
type Totals struct {
	*Layout
	Fields []string
	Source Source
	Sums   []float64
	Truth  []float64 // the truth's sums over the same frames
}

// Point is one value of a metric. Band, Lag and X say which, where there are several.
type Point struct {
	Band  string  // of wavenumbers; empty: none
	Lag   int     // of increments, in cells; 0: none
	X     float64 // place on a curve: wavenumber, order, rank, increment or interval; 0: none
	Value float64
}

// one returns a metric's only value.
func one(v float64) []Point { return []Point{{Value: v}} }

// FieldsName is the fields of a tally in a table: "Bx", or "Bx+By" together.
func FieldsName(fields []string) string { return strings.Join(fields, "+") }

// NameFor returns the metric's name for a source.
func (m *Metric) NameFor(src Source) string {
	if m.Pointwise && src == evaluate.Mean {
		return "mean_" + m.Name
	}
	return m.Name
}

// has reports whether a source has the metric.
func (m *Metric) has(src Source) bool { return src != Truth || m.Truth }

// ofTruth returns a metric that is this one's value over the truth's. of returns the
// value of sums.
func (m Metric) ofTruth(of func(t Totals, sums []float64) float64) Metric {
	m.Name, m.Unit, m.Truth = m.Name+"_of_truth", "1", false
	m.Doc = "The same over the truth's. 1 is right."
	m.Values = func(t Totals) []Point { return one(of(t, t.Sums) / of(t, t.Truth)) }
	return m
}

// quantity returns two metrics: a value that the truth has too, and its ratio to the
// truth's.
func quantity(m Metric, of func(t Totals, sums []float64) float64) []Metric {
	m.Truth = true
	m.Values = func(t Totals) []Point { return one(of(t, t.Sums)) }
	return []Metric{m, m.ofTruth(of)}
}
