package model

import (
	"math"
	"slices"
	"strings"
	"testing"

	"fmsr/internal/field"
	"fmsr/internal/testkit/golden"
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

func gathered(t *testing.T, n int, fields ...[]float32) Inputs {
	t.Helper()
	m := NewInputMeter(len(fields))
	for range 3 {
		if err := m.Add(slices.Concat(fields...), field.Grid{H: n, W: n}); err != nil {
			t.Fatal(err)
		}
		if err := m.Add(make([]float32, len(fields)*4*4), field.Grid{H: 4, W: 4}); err != nil { // another grid
			t.Fatal(err)
		}
	}
	return m.Inputs()
}

// TestInputs: spread, spectrum and what is said of them, for waves of known power.
func TestInputs(t *testing.T) {
	const n = 64
	trained := gathered(t, n, add(wave(n, 4, 3), wave(n, 16, 4)), wave(n, 8, 1))
	if trained.H != n || trained.W != n || trained.Frames != 3 {
		t.Errorf("%d x %d, %d frames", trained.H, trained.W, trained.Frames)
	}
	golden.Near(t, "spread", trained.Std[0], 5, 1e-5)
	golden.Near(t, "P(n/4)", trained.Power[0][n/4], 9, 1e-4)
	golden.Near(t, "P(n/16)", trained.Power[0][n/16], 16, 1e-4)
	if d := trained.Differences([]string{"a", "b"}, trained); d != nil {
		t.Errorf("not like itself: %v", d)
	}
	// half the power in waves of 4 cells, on a grid twice as large: a wave of 4
	// cells is one of 4 to 8, and 16 to 32 is as it was
	given := gathered(t, 2*n, add(wave(2*n, 4, 3/math.Sqrt2), wave(2*n, 16, 4)), wave(2*n, 8, 1.1))
	want := "a: power in waves of 4 to 8 cells 4.5 (0.50 times training's 9)"
	if d := trained.Differences([]string{"a", "b"}, given); len(d) != 1 || d[0] != want {
		t.Errorf("%q, want %q alone", d, want)
	}
	given = gathered(t, n, add(wave(n, 4, 3), wave(n, 16, 4)), wave(n, 8, 2))
	want = "b: spread 2 (2.00 times training's 1), power in waves of 8 to 16 cells 4 (4.00 times 1)"
	if d := trained.Differences([]string{"a", "b"}, given); len(d) != 1 || !strings.HasPrefix(d[0], want) {
		t.Errorf("%q, want %q", d, want)
	}
}

func TestInputsCheck(t *testing.T) {
	good := func() Inputs { return Inputs{H: 4, W: 4, Std: []float64{1}, Power: [][]float64{{0, 1}}} }
	if err := good().Check(1); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*Inputs){
		"grid":   func(in *Inputs) { in.W = 0 },
		"fields": func(in *Inputs) { in.Std = nil },
		"NaN":    func(in *Inputs) { in.Power[0][1] = math.NaN() },
		"Inf":    func(in *Inputs) { in.Std[0] = math.Inf(1) },
	} {
		in := good()
		spoil(&in)
		if in.Check(1) == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
