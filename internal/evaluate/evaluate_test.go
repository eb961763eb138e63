package evaluate

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/testkit/golden"
)

const h, w = 4, 4

// power stands in for Fourier transforms: shell 1, which pooling loses, has the mean
// square of each plane.
func power(fine, low [][]float64, lost []float64, planes []float32) error {
	for i, v := range planes {
		fine[i/(h*w)][1] += float64(v) * float64(v) / (h * w)
		lost[i/(h*w)] += float64(v) * float64(v) / (h * w)
	}
	for i := range low {
		low[i][0]++
	}
	return nil
}

func moments(plane []float32) (w field.Welford) {
	for _, v := range plane {
		w.Merge(field.Welford{Count: 1, Mean: float64(v)})
	}
	return w
}

// noise returns a frame of two fields.
func noise(seed uint64) []float32 {
	x := make([]float32, 2*h*w)
	for i := range x {
		x[i] = float32(golden.N(seed, uint64(i)))
	}
	return x
}

// compared returns the comparison of these frames, with two samples of each.
func compared(t *testing.T, suite Suite, frames ...uint64) *Comparison {
	t.Helper()
	c := New(suite, []string{"a", "b"}, field.Grid{H: h, W: w}, 2, Kernels{power, moments})
	var e Ensemble
	for _, n := range frames {
		must(t, c.Start([]string{"frame"}, noise(n)))
		must(t, c.Add(Bilinear, noise(100+n)))
		e.Reset()
		for k := range uint64(2) {
			sample := noise(200 + 10*n + k)
			must(t, c.Add(Sample, sample))
			e.Add(sample)
		}
		must(t, c.AddEnsemble(&e))
	}
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// value returns a figure of a source.
func value(t *testing.T, f Figures, src Source, name string) Value {
	t.Helper()
	for _, s := range f.Sources {
		for _, v := range s.Values {
			if s.Source == src && v.Name == name {
				return v
			}
		}
	}
	t.Fatalf("no %s of %s", name, src)
	return Value{}
}

// TestStandard checks each metric against its formula.
func TestStandard(t *testing.T) {
	f := compared(t, Standard, 1).Figures()
	x, lo, a, b := noise(1), noise(101), noise(210), noise(211)
	var mse, loMSE, meanMSE, spread, mean, square, sampled [2]float64
	const n = h * w
	for i, v := range x {
		p, q, u := float64(a[i]), float64(b[i]), float64(v)
		m := (p + q) / 2
		mse[i/n] += ((p-u)*(p-u) + (q-u)*(q-u)) / 2 / n
		loMSE[i/n] += (float64(lo[i]) - u) * (float64(lo[i]) - u) / n
		meanMSE[i/n] += (m - u) * (m - u) / n
		spread[i/n] += ((p-m)*(p-m) + (q-m)*(q-m)) / n
		sampled[i/n] += (p*p + q*q) / 2 / n
		mean[i/n] += u / n
		square[i/n] += u * u / n
	}
	for field := range 2 {
		variance := square[field] - mean[field]*mean[field]
		near := func(src Source, name string, want float64) {
			golden.Near(t, name, float64(value(t, f, src, name).Fields[field]), want, 1e-6)
		}
		near(Sample, "mse", mse[field])
		near(Bilinear, "mse", loMSE[field])
		near(Sample, "of_bilinear", mse[field]/loMSE[field])
		near(Sample, "nmse", mse[field]/variance)
		near(Sample, "band", sampled[field]/square[field])
		near(Mean, "mse", meanMSE[field])
		near(Mean, "spread_over_error", math.Sqrt(1.5*spread[field]/meanMSE[field]))
	}
	golden.Near(t, "mse of all", float64(value(t, f, Sample, "mse").All), (mse[0]+mse[1])/2, 1e-6)
	golden.Near(t, "of_bilinear of all: a mean of ratios", float64(value(t, f, Sample, "of_bilinear").All), (mse[0]/loMSE[0]+mse[1]/loMSE[1])/2, 1e-6)
	for _, s := range f.Sources {
		for _, v := range s.Values {
			if v.EnsembleOnly && s.Source != Mean {
				t.Errorf("%s has %s", s.Source, v.Name)
			}
		}
	}
}

// TestMergeComparisons: the comparison of a part stays as it is to the last bit when others
// follow, and pictures show the first frames of all.
func TestMergeComparisons(t *testing.T) {
	left, right := compared(t, Standard, 1, 2, 3), compared(t, Standard, 4, 5)
	merged := New(Standard, []string{"a", "b"}, left.Grid, 2, Kernels{})
	must(t, merged.Merge(&left.Results, left.Shown(ShownFrames)))
	want, err := json.Marshal(left.Results)
	must(t, err)
	got, err := json.Marshal(merged.Results)
	must(t, err)
	if string(got) != string(want) {
		t.Errorf("the first part became %s, want %s", got, want)
	}
	must(t, merged.Merge(&right.Results, right.Shown(1)))
	if again, err := json.Marshal(left.Results); err != nil || string(again) != string(want) {
		t.Error("merging changed what was merged first")
	}
	if shown := merged.Shown(9); len(shown.Columns) != 4 || len(shown.Truth) != 4*2*h*w || len(shown.Made[Sample]) != 4*2*h*w || shown.Truth[3*2*h*w] != noise(4)[0] {
		t.Errorf("%d frames are shown, of %d values, want the first 4", len(shown.Columns), len(shown.Truth))
	}
	golden.Near(t, "mse", float64(value(t, merged.Figures(), Sample, "mse").All), float64(value(t, compared(t, Standard, 1, 2, 3, 4, 5).Figures(), Sample, "mse").All), 1e-14)
}

// TestMerge checks that results of parts, sent as JSON, merge to those of the whole.
func TestMerge(t *testing.T) {
	whole, left, right := compared(t, Standard, 1, 2, 3), compared(t, Standard, 1), compared(t, Standard, 2, 3)
	data, err := json.Marshal(right.Results)
	must(t, err)
	var sent Results
	must(t, json.Unmarshal(data, &sent))
	all := newResults(sent.Fields, sent.Grid, sent.Factor)
	must(t, all.Merge(&left.Results))
	must(t, all.Merge(&sent))
	want, got := whole.Figures(), all.Figures(Standard)
	count := 0
	for _, s := range want.Sources {
		for _, v := range s.Values {
			g := value(t, got, s.Source, v.Name)
			golden.Near(t, string(s.Source)+" "+v.Name, float64(g.All), float64(v.All), 1e-12)
			count++
		}
	}
	if count != 4+4+5 {
		t.Errorf("%d figures", count)
	}
	if all.Truth.Frames != 3 || all.Made[Sample].Frames != 6 {
		t.Errorf("%d frames, %d samples: want 3 and 6", all.Truth.Frames, all.Made[Sample].Frames)
	}
	var other Results
	must(t, json.Unmarshal(data, &other))
	other.Factor = 4
	if err := all.Merge(&other); err == nil || !strings.Contains(err.Error(), "factor 4") {
		t.Errorf("another factor: %v", err)
	}
}

// TestNotFinite checks that no NaN or Inf stops results or figures from being written.
func TestNotFinite(t *testing.T) {
	c := compared(t, Standard, 1)
	bad := noise(5)
	bad[3] = float32(math.NaN())
	must(t, c.Add(ODE, bad))
	data, err := json.Marshal(c.Results)
	must(t, err)
	var back Results
	must(t, json.Unmarshal(data, &back))
	if e := back.Made[ODE].SquaredError; !math.IsNaN(e[0]) || math.IsNaN(e[1]) {
		t.Errorf("squared errors %v, want NaN and a number", e)
	}
	finite, others := Finite(c.Figures().Scalars())
	if got := strings.Join(others, " "); got != "val/mse val/nmse val/band val/mse/a" {
		t.Errorf("not finite: %s", got)
	}
	for _, s := range finite {
		if !s.Value.Finite() {
			t.Errorf("%s is %g", s.Name, float64(s.Value))
		}
	}
}

// TestScalars checks the names that logs have, in their order.
func TestScalars(t *testing.T) {
	var names []string
	for _, s := range compared(t, Standard, 1).Figures().Scalars() {
		names = append(names, s.Name)
	}
	want := "val/mse_lo val/nmse_lo val/band_lo val/mse_lo/a val/mse_lo/b " +
		"val/mse val/nmse val/band val/mse/a val/mse/b " +
		"val/mse_mean val/nmse_mean val/band_mean val/spread_over_error_mean val/mse_mean/a val/mse_mean/b"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("names\n%s\nwant\n%s", got, want)
	}
}

// TestTables: the first table has the means over the fields of metrics without a unit, the
// others have each metric by field.
func TestTables(t *testing.T) {
	f := compared(t, Standard, 1).Figures()
	var titles []string
	for i, table := range f.Tables("one frame") {
		titles = append(titles, table.Title)
		lines := strings.Split(strings.TrimSuffix(table.String(), "\n"), "\n")
		words := []int{2 + 3, 1 + 3, 2 + 4} // of the label, figures
		switch {
		case i == 0:
			if heads := strings.Join(table.Heads, ", "); heads != "of bilinear, NMSE, lost band, spread over error" {
				t.Errorf("heads: %s", heads)
			}
		case i == 5:
			words = []int{2 + 2}
		default:
			words = []int{2 + 2, 1 + 2, 2 + 2}
		}
		if lines[0] == table.Title { // a wide table's
			lines = lines[1:]
		}
		if len(lines) != 1+len(words) {
			t.Fatalf("%s", table)
		}
		for i, n := range words {
			if got := len(strings.Fields(lines[i+1])); got != n {
				t.Errorf("row %q has %d words, want %d", lines[i+1], got, n)
			}
		}
	}
	want := "one frame, mean over 2 fields|MSE, by field|error, of bilinear's, by field|NMSE, by field|power in the lost band, of truth's, by field|spread over error, by field"
	if got := strings.Join(titles, "|"); got != want {
		t.Errorf("tables %s, want %s", got, want)
	}
	f = of(t, []string{"a"}, noise(1)[:h*w], noise(2)[:h*w], noise(3)[:h*w])
	if all := f.Tables("alone"); len(all) != 1 || all[0].Title != "alone" || all[0].Heads[0] != "MSE" {
		t.Errorf("tables of one field: %v", all)
	}
}

// TestWideTable: a title that makes a table wider than a terminal has a line of its own.
func TestWideTable(t *testing.T) {
	table := Table{Title: "short", Heads: []string{"NMSE"}, Rows: []Row{{Label: "sample", Cells: []string{"0.1"}}}}
	if got, want := table.String(), "short    NMSE\nsample   0.1\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	table.Title = strings.Repeat("long ", 15)
	if got, want := table.String(), table.Title+"\n         NMSE\nsample   0.1\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// of returns the figures of a frame: its truth, bilinear input and sample.
func of(t *testing.T, fields []string, truth, lo, sample []float32) Figures {
	t.Helper()
	c := New(Standard, fields, field.Grid{H: h, W: w}, 2, Kernels{power, moments})
	must(t, c.Start([]string{"frame"}, truth))
	must(t, c.Add(Bilinear, lo))
	must(t, c.Add(Sample, sample))
	return c.Figures()
}

// TestNoFieldOwnsTheMean: a field in units a thousand times smaller has the same say.
func TestNoFieldOwnsTheMean(t *testing.T) {
	large := func(x []float32) []float32 {
		for i := range h * w {
			x[i] *= 1000
		}
		return x
	}
	names := []string{"a", "b"}
	f, g := of(t, names, noise(1), noise(2), noise(3)), of(t, names, large(noise(1)), large(noise(2)), large(noise(3)))
	for _, v := range f.Sources[1].Values {
		if v.ShownIn(Tables) && f.averages(v.Metric) {
			golden.Near(t, v.Name, float64(value(t, g, Sample, v.Name).All), float64(v.All), 1e-5*math.Abs(float64(v.All)))
		}
	}
	for _, s := range g.Headline() {
		if !strings.HasPrefix(s.Name, "val/nmse") {
			t.Errorf("headline %s", s.Name)
		}
	}
}

// TestWrongSizes checks that values of another size than the truth are refused.
func TestWrongSizes(t *testing.T) {
	c := compared(t, Standard, 1)
	if err := c.Add(Sample, noise(1)[1:]); err == nil {
		t.Error("a sample of another size was compared")
	}
	if err := c.Start([]string{"x", "y"}, noise(1)); err == nil {
		t.Error("a truth of another size was taken")
	}
}

// TestFiguresThatDoNotExist: of a field that is constant in the truth only errors exist.
// Other figures are of the other fields, and of none they are dashes, and not in logs.
func TestFiguresThatDoNotExist(t *testing.T) {
	frame := func(seed uint64, constant ...int) []float32 {
		x := noise(seed)
		for _, k := range constant {
			for i := range h * w {
				x[k*h*w+i] = 0.1
			}
		}
		return x
	}
	of := func(constant ...int) Figures {
		return of(t, []string{"a", "b"}, frame(1, constant...), frame(2, constant...), frame(3))
	}
	one := of(1)
	for _, name := range []string{"of_bilinear", "nmse", "band"} {
		v := value(t, one, Sample, name)
		if v.All != v.Fields[0] || !v.All.Finite() || v.Has[1] || v.Fields[1].Finite() {
			t.Errorf("%s: %g of %g, has %t", name, float64(v.All), v.Fields, v.Has)
		}
	}
	if v := value(t, one, Sample, "mse"); float64(v.All) != (float64(v.Fields[0])+float64(v.Fields[1]))/2 {
		t.Errorf("mse %g of %g", float64(v.All), v.Fields)
	}
	none := of(0, 1)
	var names []string
	for _, s := range none.Scalars() {
		names = append(names, s.Name)
	}
	if got, want := strings.Join(names, " "), "val/mse_lo val/mse_lo/a val/mse_lo/b val/mse val/mse/a val/mse/b"; got != want {
		t.Errorf("logged %s, want %s", got, want)
	}
	if text := none.Tables("")[0].String(); strings.Count(text, " -") != 6 || strings.Contains(text, "NaN") {
		t.Errorf("not six dashes:\n%s", text)
	}
}
