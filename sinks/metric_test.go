package sinks

import (
	"bytes"
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fmsr.example/fmsr/internal/evaluate"
	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/store/runfolder"
	"fmsr.example/fmsr/internal/testkit/golden"
	"fmsr.example/fmsr/model"
	"fmsr.example/fmsr/pipeline"
)

// correlation is a metric that does not ship: an entry of a suite is all it needs.
var correlation = evaluate.Metric{
	Name: "correlation", Unit: "1", Cell: "%.3f", LogFields: true,
	Doc:  "Pearson correlation with the truth. 1 is right.",
	Sums: 5,
	Add: func(sums []float64, p evaluate.Pair) {
		for i, v := range p.Made {
			x, y := float64(v), float64(p.Truth[i])
			sums[0] += x
			sums[1] += y
			sums[2] += x * x
			sums[3] += y * y
			sums[4] += x * y
		}
	},
	Value: func(fields []evaluate.Totals) float64 {
		mean := 0.0
		for _, f := range fields {
			n, s := float64(f.Values()), f.Sums
			mean += (n*s[4] - s[0]*s[1]) / math.Sqrt((n*s[2]-s[0]*s[0])*(n*s[3]-s[1]*s[1])) / float64(len(fields))
		}
		return mean
	},
}

// TestNewMetric checks that a metric added to a suite shows in every outlet.
func TestNewMetric(t *testing.T) {
	const cells = 64
	grid := field.Grid{H: 8, W: 8}
	k, err := kernels(grid, 2)
	must(t, err)
	c := evaluate.New(append(evaluate.Standard[:len(evaluate.Standard):len(evaluate.Standard)], correlation), []string{"velx", "Bx"}, grid, 2, k)
	truth := make([]float32, 2*cells)
	for i := range truth {
		truth[i] = float32(golden.N(1, uint64(i)))
	}
	scaled := make([]float32, len(truth))
	for i, v := range truth {
		scaled[i] = 3*v + 1
		if i < cells {
			scaled[i] = -v
		}
	}
	for _, err := range []error{c.Start([]string{"frame 0"}, truth), c.Add(evaluate.Bilinear, truth), c.Add(evaluate.ODEEMA, scaled)} {
		must(t, err)
	}
	figures := c.Figures()
	scalars, _ := evaluate.Finite(figures.Scalars())
	step := &model.Step{N: 7, Total: 7, Trainer: &model.Trainer{}, Eval: &evaluate.Evaluation{Scalars: scalars, Figures: figures, Record: c.Record(func(string) string { return "" })}}

	out := &bytes.Buffer{}
	env := &pipeline.Env{Run: &pipeline.Run{Name: "new", Dir: t.TempDir(), Device: "cpu"}, Out: out, Progress: pipeline.NewProgress(out)}
	env.Folder, err = runfolder.Use(env.Run.Dir, "training", false)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(env.Run.Dir, "spec.yaml"), []byte("run: {name: new}"), 0o666))
	for _, sink := range []pipeline.Stage{&metrics{}, &tensorboard{}, &wandb{}, &report{}} {
		show(t, env, sink, step)
	}
	read := func(path string) string {
		text, err := os.ReadFile(filepath.Join(env.Run.Dir, path))
		must(t, err)
		return string(text)
	}
	var line map[string]float64
	must(t, json.Unmarshal([]byte(read("metrics.jsonl")), &line))
	golden.Near(t, "velx", line["val/correlation_ema/velx"], -1, 1e-6)
	golden.Near(t, "Bx", line["val/correlation_ema/Bx"], 1, 1e-6)
	golden.Near(t, "of the bilinear input", line["val/correlation_lo"], 1, 1e-6)
	if v, ok := line["val/correlation_ema"]; !ok || math.Abs(v) > 1e-6 {
		t.Errorf("of both fields: %g, %v", v, ok)
	}
	logs, err := filepath.Glob(filepath.Join(env.Run.Dir, "wandb", "*", "run-*.wandb"))
	must(t, err)
	if len(logs) != 1 {
		t.Fatalf("logs of W&B: %v", logs)
	}
	wandbLog, err := filepath.Rel(env.Run.Dir, logs[0])
	must(t, err)
	comparison, err := json.Marshal(newGridResult(c))
	must(t, err)
	for where, text := range map[string][2]string{
		"TensorBoard":     {read(filepath.Join("tb", "new", tensorboardFile)), "val/correlation_ema/Bx"},
		"W&B":             {read(wandbLog), "val/correlation_ema/Bx"},
		"report's head":   {read("report.html"), `<th scope="col">correlation</th>`},
		"report's text":   {read("report.html"), correlation.Doc},
		"printed table":   {out.String(), " correlation\n"},
		"comparison.json": {string(comparison), `"correlation":1,`},
		"a step's record": {read("evaluations/7.json"), `"name":"correlation"`},
	} {
		if !strings.Contains(text[0], text[1]) {
			t.Errorf("%s has no %q", where, text[1])
		}
	}
}

// show runs a sink on one step.
func show(t *testing.T, env *pipeline.Env, sink pipeline.Stage, step *model.Step) {
	t.Helper()
	_, err := sink.Open(context.Background(), env, pipeline.Meta{Channels: []string{"velx", "Bx"}})
	must(t, err)
	if s, ok := sink.(interface{ Start() error }); ok {
		must(t, s.Start())
	}
	_, err = sink.(pipeline.Processor).Process(context.Background(), step)
	must(t, err)
	if s, ok := sink.(pipeline.Flusher); ok {
		_, err = s.Flush(context.Background())
		must(t, err)
	}
	must(t, sink.Close())
}
