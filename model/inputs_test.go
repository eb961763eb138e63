package model

import (
	"math"
	"slices"
	"strings"
	"testing"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/testkit/golden"
)

// wave is a field of one wave of that many cells along x, of deviation 1.
func wave(n int, length, amplitude float64) []float32 {
	f := make([]float32, n*n)
	for i := range f {
		f[i] = float32(amplitude * math.Sqrt2 * math.Sin(2*math.Pi*float64(i%n)/length))
	}
	return f
}

func add(a, b []float32) []float32 {
	sum := slices.Clone(a)
	for i, v := range b {
		sum[i] += v
	}
	return sum
}

// looked returns the looks of a frame of n x n cells.
func looked(t *testing.T, n int, fields ...[]float32) []Look {
	t.Helper()
	looks, err := new(InputMeter).Look(slices.Concat(fields...), field.Grid{H: n, W: n})
	if err != nil {
		t.Fatal(err)
	}
	return looks
}

// trainedOn returns the Inputs of frames of one field, n x n cells.
func trainedOn(t *testing.T, n int, frames ...[]float32) *Inputs {
	t.Helper()
	var m InputMeter
	for _, f := range frames {
		if err := m.Add(f, field.Grid{H: n, W: n}); err != nil {
			t.Fatal(err)
		}
	}
	in := m.Inputs()
	if err := in.Check(1); err != nil {
		t.Fatal(err)
	}
	return &in
}

// constant is a field of n x n cells of that value.
func constant(n int, value float32) []float32 {
	f := make([]float32, n*n)
	for i := range f {
		f[i] = value
	}
	return f
}

// TestLook: mean, deviation and shares of waves of known power, at any scale.
func TestLook(t *testing.T) {
	const n = 64
	for _, scale := range []float64{1, 1e-30, 1e30} {
		f := add(add(wave(n, n/21.0, 3*scale), wave(n, 8, 4*scale)), constant(n, float32(2*scale)))
		l := looked(t, n, f)[0]
		golden.Near(t, "mean", l.Mean/scale, 2, 1e-5)
		golden.Near(t, "deviation", l.Std/scale, 5, 1e-5)
		for i, want := range []float64{0.36, 0, 0.64} {
			if i < len(l.Shares) {
				golden.Near(t, "share", l.Shares[i], want, 1e-5)
			}
		}
		if len(l.Shares) != 3 {
			t.Errorf("%d octaves", len(l.Shares))
		}
	}
	if l := looked(t, n, constant(n, 0.1))[0]; l.Std != 0 || l.Shares[0] != 0 {
		t.Errorf("a constant field: %+v", l)
	}
	mean := AverageLooks([][]Look{{{Mean: 1, Std: 1, Shares: []float64{0.1}}}, {{Mean: 2, Std: 2, Shares: []float64{0.1}}}, {{Mean: 6, Std: 4, Shares: []float64{0.8}}}})[0]
	golden.Near(t, "mean of means", mean.Mean, 3, 1e-12)
	golden.Near(t, "mean of deviations", mean.Std, 2, 1e-12)
	golden.Near(t, "mean of shares", mean.Shares[0], 0.2, 1e-12)
}

// TestDifferences: what is said of fields, of other grids too.
func TestDifferences(t *testing.T) {
	const n = 64
	base := func(n int, amplitude, small float64) []float32 {
		return add(wave(n, 16, amplitude), wave(n, 4, small))
	}
	trained := trainedOn(t, n, base(n, 1, 0.1), base(n, 2, 0.2), base(n, 4, 0.8), base(n, 4, 0.4))
	for _, c := range []struct {
		name  string
		n     int
		field []float32
		want  string
	}{
		{"as trained", n, base(n, 2, 0.3), ""},
		{"a little beyond the range", n, base(n, 4.6, 0.5), ""},
		{"twice as large", 2 * n, add(wave(2*n, 16, 2), wave(2*n, 4, 0.3)), ""},
		{"another mean", n, add(base(n, 2, 0.3), constant(n, -3)), "a: mean -3 (training's "},
		{"other units", n, base(n, 16, 2), "a: deviation 16.1 (training's 1 to 4.08)"},
		{"too smooth", n, base(n, 2, 0.02), "a: 0.01% of the variance in waves of 4 to 8 cells (training's 0.99% to 3.8%)"},
		{"constant", n, constant(n, 0), "a: deviation 0 (training's 1 to 4.08)"},
	} {
		got := strings.Join(trained.Differences([]string{"a"}, looked(t, c.n, c.field)), "; ")
		if got != c.want && (c.want == "" || !strings.HasPrefix(got, c.want)) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	still := trainedOn(t, n, constant(n, 1))
	if d := still.Differences([]string{"a"}, looked(t, n, constant(n, 1))); d != nil {
		t.Errorf("constant as trained: %v", d)
	}
	rough := RoughInputs(&field.Stats{Mean: []float64{1}, Std: []float64{0.1}})
	if d := rough.Differences([]string{"a"}, []Look{{Mean: 1.05, Std: 0.05}}); d != nil {
		t.Errorf("like the fine fields: %v", d)
	}
	if d := rough.Differences([]string{"a"}, []Look{{Mean: 0, Std: 1}}); len(d) != 1 || !strings.Contains(d[0], "mean 0 ") || !strings.Contains(d[0], "deviation 1 ") {
		t.Errorf("unlike the fine fields: %v", d)
	}
}

func TestInputsCheck(t *testing.T) {
	good := func() *Inputs {
		look := func() []Look { return []Look{{Mean: -1, Std: 1, Shares: []float64{0, 1}}} }
		return &Inputs{Frames: 1, Std: []float64{1}, Low: look(), High: look()}
	}
	if err := good().Check(1); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*Inputs){
		"frames": func(in *Inputs) { in.Frames = 0 },
		"fields": func(in *Inputs) { in.Low = nil },
		"NaN":    func(in *Inputs) { in.High[0].Shares[1] = math.NaN() },
		"Inf":    func(in *Inputs) { in.Low[0].Std = math.Inf(1) },
	} {
		in := good()
		spoil(in)
		if in.Check(1) == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestAverageLooksConstant: a frame in which a field is constant does not hide the others'
// deviation and spectrum.
func TestAverageLooksConstant(t *testing.T) {
	still := Look{Mean: 4, Shares: []float64{0, 0}}
	frames := [][]Look{{still, still}, {{Mean: 1, Std: 2, Shares: []float64{0.1, 0.4}}, still}, {{Mean: 1, Std: 8, Shares: []float64{0.4, 0.1}}, still}}
	got := AverageLooks(frames)
	if a := got[0]; math.Abs(a.Mean-2) > 1e-12 || math.Abs(a.Std-4) > 1e-12 || math.Abs(a.Shares[0]-0.2) > 1e-12 || math.Abs(a.Shares[1]-0.2) > 1e-12 {
		t.Errorf("%+v, want mean 2, deviation 4, shares of 0.2", a)
	}
	if a := got[1]; a.Mean != 4 || a.Std != 0 || a.Shares[0] != 0 || a.Shares[1] != 0 {
		t.Errorf("constant in all frames: %+v", a)
	}
}
