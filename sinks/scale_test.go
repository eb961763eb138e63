package sinks_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fmsr.example/fmsr/internal/format/npy"
	"fmsr.example/fmsr/internal/rng"
	"fmsr.example/fmsr/pipeline"
)

// TestScaleSweep: a field in any unit, from 1e-30 to 1e30, gives the spectra and the
// training of the same field at 1.
func TestScaleSweep(t *testing.T) {
	ofNumbers(t)
	unit := sweep(t, 1)
	for _, scale := range []float64{1e-30, 1e-20, 1e15, 1e20, 1e30} {
		got := sweep(t, scale)
		if len(got) != len(unit) {
			t.Errorf("scale %g: %d figures, want %d", scale, len(got), len(unit))
		}
		for name, want := range unit {
			tol := 1e-6
			if strings.HasPrefix(name, "power") || strings.Contains(name, "/mse") {
				want *= scale * scale
			}
			if strings.HasPrefix(name, "train/") || strings.HasPrefix(name, "val/") || strings.HasPrefix(name, "sample") {
				tol = 1e-4 // of a training whose frames are rounded otherwise
			}
			if value, ok := got[name]; !ok || math.Abs(value-want) > tol*math.Abs(want) {
				t.Errorf("scale %g: %s is %g, want %g", scale, name, value, want)
			}
		}
	}
}

// sweep returns figures of a field with that scale: of a report, of an export, of two
// training steps and of the model's samples.
func sweep(t *testing.T, scale float64) map[string]float64 {
	t.Helper()
	const h, w = 16, 16
	root, out, figures := t.TempDir(), t.TempDir(), map[string]float64{}
	field := func(i int) float64 { return 1 + 0.3*math.Sin(float64(i%512)/7) + 0.2*rng.Normal(3, uint64(i)) }
	for seed := range 2 {
		values := make([]float32, 2*h*w*2)
		for i := range values {
			values[i] = float32(field(seed*len(values)+i) * scale)
		}
		write(t, filepath.Join(root, "set", fmt.Sprintf("seed_%04d", seed), "npy", "f.npy"), []int{2, h, w, 2}, values)
	}
	report(t, fmt.Sprintf(spectraSpec, "a, b", "all", ""), root, out)
	table := readTable(t, filepath.Join(out, "spectra.parquet"))
	defer table.Release()
	for i, power := range columnOf[float64](t, table, "power") {
		figures[fmt.Sprintf("power %d", i/4)] += power // a few shells together: one alone is of rounding
	}
	model := filepath.Join(out, "model")
	var text strings.Builder
	err := run(t, context.Background(), root, &text, pipeline.Override{Path: "run.dir", Value: model, Flag: "--out"},
		pipeline.Override{Path: "train.total_steps", Value: "2", Flag: "--total-steps"}, pipeline.Override{Path: "eval.sde_delta", Value: "0", Flag: "--sde-delta"}, pipeline.Override{Path: "train.use_bf16", Value: "false", Flag: "--no-bf16"})
	if err != nil || strings.Contains(text.String(), "left out") {
		t.Fatalf("scale %g: %v\n%s", scale, err, &text)
	}
	lines, err := os.ReadFile(filepath.Join(model, "metrics.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(lines) { // of the evaluation last
		if err := json.Unmarshal(line, &figures); err != nil {
			t.Fatalf("scale %g: %v in %s", scale, err, line)
		}
	}
	coarse, truth := make([]float32, h*w*2), make([]float32, 4*h*w*2)
	for i := range truth {
		truth[i] = float32(field(i) * scale)
	}
	for i := range coarse {
		coarse[i] = float32(field(7*i) * scale)
	}
	write(t, filepath.Join(out, "coarse", "x.npy"), []int{1, h, w, 2}, coarse)
	write(t, filepath.Join(out, "truth", "x.npy"), []int{1, 2 * h, 2 * w, 2}, truth)
	dir, said := apply(t, filepath.Join(model, "checkpoint.pt"), filepath.Join(out, "coarse"), map[string]string{"compare.truth": filepath.Join(out, "truth")})
	if !strings.Contains(said, "is not like what the model was trained on: a: deviation") {
		t.Errorf("scale %g: white noise passes for the training inputs:\n%s", scale, said)
	}
	var compared struct {
		Grids []struct {
			Sources map[string]struct{ NMSE, Band float64 }
		}
	}
	data, err := os.ReadFile(filepath.Join(dir, "comparison.json"))
	if err == nil {
		err = json.Unmarshal(data, &compared)
	}
	if err != nil {
		t.Fatal(err)
	}
	for source, f := range compared.Grids[0].Sources {
		figures["sample nmse "+source], figures["sample band "+source] = f.NMSE, f.Band
	}
	return figures
}

func write(t *testing.T, path string, shape []int, values []float32) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := npy.WriteFile(path, shape, values); err != nil {
		t.Fatal(err)
	}
}
