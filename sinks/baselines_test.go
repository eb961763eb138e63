package sinks_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/format/npy"
	"fmsr.example/fmsr/internal/testkit/golden"
	"fmsr.example/fmsr/model"
	"fmsr.example/fmsr/pipeline"
)

// TestBaselineRows: the tables of a regression name it and the constraints. They have every
// baseline, as the checkpoint's filter and the projection make it, and no ensemble, though
// samples asks for one.
func TestBaselineRows(t *testing.T) {
	ofNumbers(t)
	checkpoint := trained(t, pipeline.Override{Path: "train.objective", Value: "regression", Flag: "--objective"})
	input, path := coarse(t), filepath.Join(t.TempDir(), "x.npy")
	const cells, small = 8 * 16, 4 * 8
	truth := make([]float32, 2*cells*2)
	for i := range truth {
		truth[i] = float32(golden.N(6, uint64(i)))
	}
	if err := npy.WriteFile(path, []int{2, 8, 16, 2}, truth); err != nil {
		t.Fatal(err)
	}
	dir, out := apply(t, checkpoint, input, map[string]string{
		"superres.samples": "3", "superres.constraints": "[coarse]", "compare.truth": path, "physics.truth": path, "physics.resamples": "0",
	})

	l, err := model.OpenCheckpoint(checkpoint)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	given, grid := values(t, input, 2, 4, 8, 2), field.Grid{H: 8, W: 16}
	var linear, projected float64 // MSE of field b
	for f := range 2 {
		plane, averages, fine := make([]float32, small), make([]float32, small), make([]float32, cells)
		field.Gather(averages, given[f*2*small:][:2*small], 1, 2)
		l.Stats.Normalize(plane, averages, 1)
		l.Filters[1].Apply(fine, plane, grid)
		l.Stats.Physical(fine, fine, 1)
		wrong := func() (sum float64) {
			for i, v := range fine {
				d := float64(v) - float64(truth[(f*cells+i)*2+1])
				sum += d * d / (2 * cells)
			}
			return sum
		}
		linear += wrong()
		field.ProjectCoarse(fine, averages, grid, 2)
		projected += wrong()
	}

	var got struct {
		Objective, Constraints string
		Grids                  []struct {
			Sources map[string]struct {
				Fields map[string]struct{ MSE float64 }
			}
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "comparison.json"))
	if err == nil {
		err = json.Unmarshal(text, &got)
	}
	if err != nil || got.Objective != "regression" || got.Constraints != "coarse" || len(got.Grids[0].Sources) != 5 {
		t.Fatalf("%v\n%s", err, text)
	}
	golden.Near(t, "comparison.json: linear", got.Grids[0].Sources["linear"].Fields["b"].MSE/linear, 1, 1e-4)
	golden.Near(t, "comparison.json: linear_projected", got.Grids[0].Sources["linear_projected"].Fields["b"].MSE/projected, 1, 1e-4)
	if !strings.Contains(out, "objective regression; constraints: coarse\n") || !strings.Contains(out, "linear filter 9x9, projected") {
		t.Errorf("%s", out)
	}

	table := readTable(t, filepath.Join(dir, "physics_summary.parquet"))
	objective, constraints := columnOf[string](t, table, "objective"), columnOf[string](t, table, "constraints")
	metric, source, name, value := columnOf[string](t, table, "metric"), columnOf[string](t, table, "source"), columnOf[string](t, table, "field"), columnOf[float64](t, table, "value")
	mse := map[string]float64{}
	for i := range value {
		switch {
		case objective[i] != "regression" || constraints[i] != "coarse" || source[i] == "mean" || source[i] == "ensemble":
			t.Fatalf("row %d: %s of %s, constraints %q", i, source[i], objective[i], constraints[i])
		case name[i] == "b" && metric[i] == "mse":
			mse[source[i]] = value[i]
		case metric[i] == "pooling_residual" && strings.HasSuffix(source[i], "_projected") && value[i] > 1e-5:
			t.Errorf("pooling residual of %s: %g", source[i], value[i])
		}
	}
	golden.Near(t, "physics: linear", mse["linear"]/linear, 1, 1e-4)
	golden.Near(t, "physics: linear_projected", mse["linear_projected"]/projected, 1, 1e-4)
	if len(mse) != 5 {
		t.Errorf("errors of %v", mse)
	}
}
