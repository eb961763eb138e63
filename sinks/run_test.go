package sinks_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"go.uber.org/goleak"

	"fmsr.example/fmsr/internal/format/npy"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/testkit/golden"
	"fmsr.example/fmsr/internal/torchx"
	"fmsr.example/fmsr/pipeline"
	_ "fmsr.example/fmsr/sinks"
	_ "fmsr.example/fmsr/stages"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const smallSpec = `
version: 1
run: {name: small, overfit: false}
flow:
  - npy_load: {set: set, fields: [a, b], split: {train: [0], val: [1]}}
  - channel_select: {channels: all}
  - arrow_cache:
  - pool_upsample:
  - normalize:
  - batch: {size: 2}
  - train: {model_channels: 4, channel_mult: [1, 1, 1], total_steps: 4, print_every: 1}
  - ema:
  - eval: {log_every: 2, sample_steps: 2, sde_delta: 0.1, sde_schedule: matched}
  - metrics:
  - images:
  - report:
`

// data writes two seeds; value, if not zero, goes into one cell of the first.
func data(t *testing.T, value float32) string {
	t.Helper()
	root := t.TempDir()
	for _, seed := range []string{"seed_0000", "seed_0001"} {
		dir := filepath.Join(root, "set", seed, "npy")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		values := make([]float32, 4*8*8*2)
		for i := range values {
			values[i] = float32(math.Sin(float64(i) / 7))
		}
		if value != 0 {
			values[300] = value
		}
		if err := npy.WriteFile(filepath.Join(dir, "f.npy"), []int{4, 8, 8, 2}, values); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// run executes the small spec and fails on any tensor, buffer or, at the end
// of all tests, goroutine that is left.
func run(t *testing.T, ctx context.Context, root string, out *strings.Builder, sets ...pipeline.Override) error {
	t.Helper()
	before := torchx.Live()
	pool := frames.NewPool()
	mem := memory.NewCheckedAllocator(pool)
	overrides := append([]pipeline.Override{
		{Path: "npy_load.root", Value: root, Flag: "--data-root"}, {Path: "run.dir", Value: t.TempDir(), Flag: "--out"},
	}, sets...)
	spec, err := pipeline.Parse("small.yaml", []byte(smallSpec), overrides)
	if err != nil {
		t.Fatal(err)
	}
	err = pipeline.Execute(ctx, spec, pipeline.Options{Out: out, Cache: t.TempDir(), Mem: mem})
	mem.AssertSize(t, 0)
	if n := torchx.Live() - before; n != 0 {
		t.Errorf("%d tensors left", n)
	}
	if n := pool.InUse(); n != 0 {
		t.Errorf("%d bytes of frames left", n)
	}
	if e := pool.Close(); e != nil {
		t.Error(e)
	}
	return err
}

func TestRunLeavesNothing(t *testing.T) {
	var out strings.Builder
	if err := run(t, context.Background(), data(t, 0), &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if !strings.Contains(out.String(), "model, SDE EMA") {
		t.Errorf("no report:\n%s", out.String())
	}
}

func TestErrorLeavesNothing(t *testing.T) {
	err := run(t, context.Background(), data(t, float32(math.NaN())), &strings.Builder{})
	if err == nil || !strings.Contains(err.Error(), "flow[1].channel_select: seed 0, frame 2: field a: NaN at y=2, x=6") {
		t.Errorf("error %v, want the NaN's place", err)
	}
}

// TestBadNumbers: steps without a finite loss are skipped, said and counted, and
// end the run when they are too many; what was healthy stays.
func TestBadNumbers(t *testing.T) {
	ofNumbers(t)
	for _, c := range []struct {
		lr   string
		want []string // of the output and the error
	}{
		{"1e37", []string{ // weights so large that no loss is finite
			"step 2 was skipped: loss ", " of seed 0, frame",
			"eval at step 2: not finite, and left out: val/mse,",
			"step 5 was skipped", "that is 4 in a row (train.max_bad_steps)",
		}},
		{"1e39", []string{ // weights beyond float32
			"step 1 is not saved: ", "checkpoint.pt: model_state_dict.", ": not finite", "step 2 was skipped", "that is 4 in a row",
		}},
	} {
		dir := t.TempDir()
		var out strings.Builder
		err := run(t, context.Background(), data(t, 1e5), &out, // of a deviation that takes such samples out of float32
			pipeline.Override{Path: "train.lr", Value: c.lr, Flag: "--lr"},
			pipeline.Override{Path: "train.warmup_steps", Value: "0", Flag: "--warmup-steps"},
			pipeline.Override{Path: "train.max_bad_steps", Value: "4", Flag: "--max-bad-steps"},
			pipeline.Override{Path: "train.total_steps", Value: "100", Flag: "--total-steps"},
			pipeline.Override{Path: "run.checkpoint_every", Value: "1", Flag: "--checkpoint-every"},
			pipeline.Override{Path: "run.dir", Value: dir, Flag: "--out"})
		text := fmt.Sprint(out.String(), err)
		for _, want := range c.want {
			if !strings.Contains(text, want) {
				t.Errorf("lr %s: no %q in\n%s", c.lr, want, text)
			}
		}
		for _, name := range []string{"metrics.jsonl", "checkpoint.pt"} {
			_, err := os.Stat(filepath.Join(dir, name))
			if (err == nil) != (name == "metrics.jsonl" || c.lr == "1e37") {
				t.Errorf("lr %s: %s: %v", c.lr, name, err)
			}
		}
	}
}

// TestOverfitIsSaid: the table of an overfit run says what its figures are of.
func TestOverfitIsSaid(t *testing.T) {
	ofNumbers(t)
	var out strings.Builder
	err := run(t, context.Background(), data(t, 0), &out,
		pipeline.Override{Path: "run.overfit", Value: "true", Flag: "--overfit"},
		pipeline.Override{Path: "npy_load.split", Value: "{}", Flag: "--set"})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"4 training and 4 validation frames, the same ones (run.overfit)", "step 4, 4 training frames, ", "run.overfit: the model was trained on the frames that it is judged by"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}

// TestEvalFrames: the figures are of eval.frames validation frames, whatever the batch,
// and the table says how many.
func TestEvalFrames(t *testing.T) {
	ofNumbers(t)
	root := data(t, 0)
	var first map[string]float64
	for _, size := range []string{"1", "2", "4"} {
		dir := t.TempDir()
		var out strings.Builder
		err := run(t, context.Background(), root, &out,
			pipeline.Override{Path: "batch.size", Value: size, Flag: "--batch-size"},
			pipeline.Override{Path: "eval.frames", Value: "3", Flag: "--eval-frames"},
			pipeline.Override{Path: "train.lr", Value: "1e-30", Flag: "--lr"}, // the weights stay the initial ones
			pipeline.Override{Path: "run.dir", Value: dir, Flag: "--out"})
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"eval at step 2, 3 frames (", "step 4, 3 of 4 validation frames, "} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("batches of %s: no %q in\n%s", size, want, out.String())
			}
		}
		figures := jsonLines(t, dir, "metrics.jsonl")[1] // of step 2, the first that was evaluated
		if first == nil {
			first = figures
		}
		for name, v := range figures {
			if strings.HasPrefix(name, "val/") {
				golden.Near(t, "batches of "+size+": "+name, v, first[name], 1e-5*math.Abs(first[name]))
			}
		}
	}
}

// TestLearningCurve: every print_every steps the logs have the means of the steps since
// the last line, also where an evaluation comes between.
func TestLearningCurve(t *testing.T) {
	ofNumbers(t)
	root := data(t, 0)
	curve := func(every string) (lines, times []map[string]float64) {
		dir := t.TempDir()
		err := run(t, context.Background(), root, &strings.Builder{},
			pipeline.Override{Path: "train.total_steps", Value: "6", Flag: "--total-steps"},
			pipeline.Override{Path: "train.print_every", Value: every, Flag: "--print-every"},
			pipeline.Override{Path: "eval.log_every", Value: "3", Flag: "--log-every"},
			pipeline.Override{Path: "run.dir", Value: dir, Flag: "--out"})
		if err != nil {
			t.Fatal(err)
		}
		return jsonLines(t, dir, "metrics.jsonl"), jsonLines(t, dir, "timing.jsonl")
	}
	each, _ := curve("1")
	if len(each) != 6 {
		t.Fatalf("%d lines, want one a step", len(each))
	}
	lines, times := curve("2")
	if len(lines) != 4 || len(times) != 4 {
		t.Fatalf("%d lines, %d times: want steps 2, 3, 4, 6", len(lines), len(times))
	}
	first := 1
	for i, line := range lines {
		last := []int{2, 3, 4, 6}[i]
		if int(line["step"]) != last || line["train/lr"] != each[last-1]["train/lr"] {
			t.Errorf("line %d: %v, want step %d", i, line, last)
		}
		for _, name := range []string{"train/loss", "train/grad_norm", "train/clipped"} {
			mean := 0.0
			for n := first; n <= last; n++ {
				mean += each[n-1][name] / float64(last-first+1)
			}
			golden.Near(t, fmt.Sprintf("%s at step %d", name, last), line[name], mean, 1e-12*mean)
		}
		if _, evaluated := line["val/mse"]; evaluated != (last%3 == 0) {
			t.Errorf("step %d: evaluated %t", last, evaluated)
		}
		if times[i]["step"] != line["step"] || !(times[i]["frames_per_s"] > 0) {
			t.Errorf("times of step %d: %v", last, times[i])
		}
		busy := 0.0
		for name, share := range times[i] {
			if strings.HasPrefix(name, "busy/") {
				busy += share
			}
		}
		if m := times[i]["memory_gb"]; math.Abs(busy-1) > 0.01 || m <= 0 || times[i]["memory_limit_gb"] <= m {
			t.Errorf("step %d: stages were busy for %g of the time; %v", last, busy, times[i])
		}
		first = last + 1
	}
}

// jsonLines returns the objects of a log in a run's folder.
func jsonLines(t *testing.T, dir, name string) (lines []map[string]float64) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var figures map[string]float64
		if err := json.Unmarshal([]byte(line), &figures); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		lines = append(lines, figures)
	}
	return lines
}

// TestCancelLeavesNothing ends runs at moments spread over start-up, training
// and evaluation.
func TestCancelLeavesNothing(t *testing.T) {
	root := data(t, 0)
	for _, after := range []time.Duration{0, 5, 20, 60, 150, 300, 500} {
		ctx, cancel := context.WithCancelCause(context.Background())
		stop := time.AfterFunc(after*time.Millisecond, func() { cancel(errors.New("stopped by hand")) })
		err := run(t, ctx, root, &strings.Builder{}, pipeline.Override{Path: "train.total_steps", Value: "100000", Flag: "--total-steps"})
		stop.Stop()
		if err == nil || !strings.Contains(err.Error(), "stopped by hand") {
			t.Errorf("after %v ms: error %v, want the cause", int(after), err)
		}
	}
}

// ofNumbers skips a test of numbers with -short: the race detector, which takes long over
// it, sees the same stages at work in the other tests.
func ofNumbers(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("it is about numbers, not about concurrency")
	}
}
