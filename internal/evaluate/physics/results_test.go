package physics

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"fmsr.example/fmsr/internal/evaluate"
	"fmsr.example/fmsr/internal/field"
)

// someFrames returns results of frames of two fields with two samples each.
func someFrames(t *testing.T, runs ...int) *Results {
	t.Helper()
	const n = 16
	r := New(NewLayout(field.Grid{H: n, W: n}, 2, 2), Suite, []string{"Bx", "By"}, []float64{1, 1})
	for _, run := range runs {
		seed := uint64(100 * run)
		two := func(s uint64) []float32 { return stack(noise(n, seed+s), noise(n, seed+s+1)) }
		add(t, r, Frame{Run: run, Frame: run, Truth: two(1), Baselines: bilinear(two(3)), Members: [][]float32{two(5), two(7)}})
	}
	return r
}

// TestJoin: the parts of simulations, in any place, join to the results of all.
func TestJoin(t *testing.T) {
	whole := someFrames(t, 1, 2, 3)
	joined := New(whole.Layout, Suite, whole.Fields, nil)
	for _, run := range []int{1, 2, 3} {
		var file bytes.Buffer
		var part Part
		if err := gob.NewEncoder(&file).Encode(someFrames(t, run).Part()); err != nil {
			t.Fatal(err)
		}
		if err := gob.NewDecoder(&file).Decode(&part); err != nil {
			t.Fatal(err)
		}
		for i := range part.Rows {
			part.Rows[i].Run = 77 // its place among other files
		}
		if err := joined.Join(run, part); err != nil {
			t.Fatal(err)
		}
	}
	a, b := whole.Rows(), joined.Rows()
	if !slices.Equal(a, b) || len(a) == 0 {
		t.Errorf("%d and %d rows differ", len(a), len(b))
	}
	if !slices.Equal(whole.Summary(50, 1), joined.Summary(50, 1)) {
		t.Error("the summaries differ")
	}
	// two frames of a simulation at once, or in two parts
	if err := joined.Join(1, someFrames(t, 2).Part()); err != nil {
		t.Fatal(err)
	}
	if got := joined.sums[key{1, "pointwise", "Bx", Truth}][cellCount]; got != 2*256 {
		t.Errorf("sums of %g cells", got)
	}
	if err := New(NewLayout(whole.Grid, 2, 3), Suite, whole.Fields, nil).Join(1, someFrames(t, 1).Part()); err == nil {
		t.Error("results of ensembles of other sizes were joined")
	}
}

// TestRows: every value has one row for each frame and member, and one for the run.
func TestRows(t *testing.T) {
	r := someFrames(t, 4, 9)
	seen := map[string]int{}
	for _, row := range r.Rows() {
		if math.IsNaN(row.Value) || math.IsInf(row.Value, 0) {
			t.Errorf("%+v", row)
		}
		row.Value = 0
		seen[fmt.Sprint(row)]++
	}
	for row, n := range seen {
		if n != 1 {
			t.Errorf("%d rows %s", n, row)
		}
	}
	find := func(metric string, src Source, member, frame int) (values []float64) {
		for _, row := range r.Rows() {
			if row.Metric == metric && row.Source == src && row.Member == member && row.Frame == frame && row.Run == 9 && row.Fields == "Bx" {
				values = append(values, row.Value)
			}
		}
		return values
	}
	first, second, both := find("mse", evaluate.Sample, 0, 9), find("mse", evaluate.Sample, 1, 9), find("mse", evaluate.Sample, -1, -1)
	if len(first) != 1 || len(second) != 1 || len(both) != 1 || math.Abs(both[0]-(first[0]+second[0])/2) > 1e-12 {
		t.Errorf("mse of samples %g, %g, and of both %g", first, second, both)
	}
	if n := len(find("structure_longitudinal", Truth, -1, 9)); n != 0 {
		t.Errorf("%d rows of a curve of a frame", n)
	}
}

// TestInterval: the percentiles of 0..100 and of a bootstrap, whose draws are a function of
// its stream.
func TestInterval(t *testing.T) {
	var values []float64
	for i := range 101 {
		values = append(values, float64((i*37)%101))
	}
	if low, high := Interval(values); math.Abs(low-5) > 1e-9 || math.Abs(high-95) > 1e-9 {
		t.Errorf("interval %g to %g", low, high)
	}
	const n, resamples = 50, 4000
	draws := Draws(n, resamples, 7)
	values = values[:0]
	for _, weights := range draws {
		sum, mean := 0.0, 0.0
		for i, w := range weights {
			sum += w
			mean += w * float64(i) / n
		}
		if sum != n {
			t.Fatalf("a resample of %g draws", sum)
		}
		values = append(values, mean)
	}
	low, high := Interval(values) // of a normal mean: +- 1.645 of its error
	half := 1.645 * math.Sqrt((n*n-1)/12.0/n)
	if math.Abs(low-(24.5-half)) > 0.3 || math.Abs(high-(24.5+half)) > 0.3 {
		t.Errorf("interval %g to %g, want %g to %g", low, high, 24.5-half, 24.5+half)
	}
	if again := Draws(n, resamples, 7); !slices.EqualFunc(draws, again, slices.Equal) {
		t.Error("draws differ from themselves")
	}
	if other := Draws(n, resamples, 8); slices.EqualFunc(draws, other, slices.Equal) {
		t.Error("draws of two streams are alike")
	}
}

// TestSummary: an interval needs two runs, is around the value, and is of the ratio of sums
// and not the mean of ratios.
func TestSummary(t *testing.T) {
	const n = 16
	r := New(NewLayout(field.Grid{H: n, W: n}, 2, 1), Suite, []string{"jz"}, nil)
	for run, scale := range []float32{1, 3} {
		f := times(wave(n, 1, 0, 2, 0), scale)
		add(t, r, Frame{Run: run, Truth: f, Baselines: bilinear(f), Members: [][]float32{times(f, 2-float32(run))}}) // 4 and 1 of truth's
		if run == 0 {
			if row, _ := Find(r.Summary(100, 1), "jz", "dissipation_of_truth", sample, "", 0); row.Resamples != 0 {
				t.Errorf("an interval of one run: %+v", row)
			}
		}
	}
	row, _ := Find(r.Summary(200, 1), "jz", "dissipation_of_truth", sample, "", 0)
	if math.Abs(row.Value-13./10) > 1e-5 || math.Abs(row.Low-1) > 1e-5 || math.Abs(row.High-4) > 1e-5 || row.Resamples != 200 {
		t.Errorf("%+v", row)
	}
}

// TestTables: rows have the field's words, one each, and every row has its meaning and its
// name in physics.parquet.
func TestTables(t *testing.T) {
	r := someFrames(t, 1, 2)
	summary := r.Summary(20, 1)
	tables := r.Tables(summary, "16 x 16")
	if len(tables) != 3 || tables[2].Title != "Bx, By: 16 x 16" {
		t.Fatalf("%d tables, the last %+v", len(tables), tables[len(tables)-1])
	}
	meanings := Meanings(tables)
	rows := map[string]bool{}
	for _, table := range tables {
		for _, row := range table.Rows {
			rows[row.Label] = true
			if !slices.ContainsFunc(meanings, func(m Meaning) bool { return m.Label == row.Label && m.Doc != "" }) {
				t.Errorf("%s has no meaning", row.Label)
			}
		}
	}
	if len(rows) != len(meanings) {
		t.Errorf("%d rows, %d meanings", len(rows), len(meanings))
	}
	at := slices.IndexFunc(tables[0].Rows, func(row evaluate.Row) bool { return row.Label == "power in the lost band, of the truth's" })
	v, _ := Find(summary, "Bx", "power_ratio", evaluate.Sample, Lost, 0)
	column := slices.Index(tables[0].Heads, "sample")
	if got, want := tables[0].Rows[at].Cells[column], fmt.Sprintf("%.4g\n[", v.Value); !strings.HasPrefix(got, want) {
		t.Errorf("cell %q, want %q", got, want)
	}
	if got := meanings[slices.IndexFunc(meanings, func(m Meaning) bool { return m.Label == "truths in the 50% interval" })].Key; got != "coverage, band all, x 0.5" {
		t.Errorf("key %q", got)
	}
	for i, h := range headlines {
		if slices.ContainsFunc(headlines[:i], func(o headline) bool { return o.label == h.label }) {
			t.Errorf("two rows are called %s", h.label)
		}
	}
}
