package sinks_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"fmsr.example/fmsr/model"
	"fmsr.example/fmsr/pipeline"
)

// lateConfig is a stage that makes the trainer read results late, as it does on a GPU.
type lateConfig struct {
	On bool `yaml:"on" doc:"whether it does" resume:"free"`
}

type late struct{ lateConfig }

func (l *late) Open(_ context.Context, _ *pipeline.Env, in pipeline.Meta) (pipeline.Meta, error) {
	return in, nil
}

func (l *late) Process(_ context.Context, in pipeline.Element) ([]pipeline.Element, error) {
	if step, ok := in.(*model.Step); ok {
		step.Trainer.Late = l.On
	}
	in.Retain()
	return []pipeline.Element{in}, nil
}

func (*late) Close() error { return nil }

func init() {
	pipeline.Register(pipeline.Declaration[lateConfig]{
		Name: "late", Doc: "Reads results late.", Link: pipeline.Link{Needs: pipeline.Steps},
		New: func(c *lateConfig) pipeline.Stage { return &late{*c} },
	})
}

// TestLateResults: a run whose results are read late logs the same lines, saves the same
// checkpoints, and ends after the same number of bad steps, which it names. (The error begins
// with the frame of the step that was next.)
func TestLateResults(t *testing.T) {
	ofNumbers(t)
	spec := strings.Replace(smallSpec, "  - ema:\n", "  - late: {on: false}\n  - ema:\n", 1)
	skipped := regexp.MustCompile(`step \d+ was skipped: .*`)
	train := func(lr string, late bool) (metrics, checkpoint []byte, said []string, failed string) {
		dir := t.TempDir()
		parsed, err := pipeline.Parse("small.yaml", []byte(spec), []pipeline.Override{
			{Path: "npy_load.root", Value: data(t, 1e5), Flag: "--data-root"}, {Path: "run.dir", Value: dir, Flag: "--out"},
			{Path: "train.lr", Value: lr, Flag: "--lr"}, {Path: "train.warmup_steps", Value: "0", Flag: "--warmup-steps"},
			{Path: "train.max_bad_steps", Value: "4", Flag: "--max-bad-steps"}, {Path: "train.total_steps", Value: "8", Flag: "--total-steps"},
			{Path: "train.print_every", Value: "3", Flag: "--print-every"}, {Path: "run.checkpoint_every", Value: "2", Flag: "--checkpoint-every"},
			{Path: "eval.log_every", Value: "4", Flag: "--log-every"}, {Path: "late.on", Value: fmt.Sprint(late), Flag: "--set"},
		})
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		if err := pipeline.Execute(context.Background(), parsed, pipeline.Options{Out: &out, Cache: t.TempDir()}); err != nil {
			failed = err.Error()
		}
		metrics, _ = os.ReadFile(filepath.Join(dir, "metrics.jsonl"))
		checkpoint, _ = os.ReadFile(filepath.Join(dir, "checkpoint.pt"))
		return metrics, checkpoint, skipped.FindAllString(out.String()+"\n"+failed, -1), failed
	}
	for _, lr := range []string{"1e-3", "1e37"} { // with the second, no loss is finite after the first step
		metrics, checkpoint, said, failed := train(lr, false)
		lateMetrics, lateCheckpoint, lateSaid, lateFailed := train(lr, true)
		if !bytes.Equal(lateMetrics, metrics) || len(metrics) == 0 {
			t.Errorf("lr %s: metrics.jsonl is\n%s, want\n%s", lr, lateMetrics, metrics)
		}
		if !bytes.Equal(lateCheckpoint, checkpoint) || len(checkpoint) == 0 && lr == "1e-3" {
			t.Errorf("lr %s: checkpoint.pt differs, %d and %d bytes", lr, len(lateCheckpoint), len(checkpoint))
		}
		if fmt.Sprint(lateSaid) != fmt.Sprint(said) || (lateFailed != "") != (failed != "") || (failed != "") != (lr == "1e37") {
			t.Errorf("lr %s: said %q and failed with %q, want %q and %q", lr, lateSaid, lateFailed, said, failed)
		}
	}
}
