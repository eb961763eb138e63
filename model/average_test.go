package model

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"fmsr.example/fmsr/internal/field"
)

// TestNoAverage: a checkpoint of a flow without ema has no ema_state_dict, asking for it
// gives the raw weights and a notice, and training resumes from it. In one that an older
// fmsr wrote, the initial weights under ema_state_dict are no average.
func TestNoAverage(t *testing.T) {
	ctx := context.Background()
	for name, old := range map[string]bool{"left out": false, "initial weights": true} {
		t.Run(name, func(t *testing.T) {
			trainer := tinyTrainer(t)
			stepOn(t, trainer, 1)
			trainer.Passed, trainer.Averaged = true, false // as in a flow without ema
			path := filepath.Join(t.TempDir(), "checkpoint.pt")
			c := Checkpoint{Channels: []string{"a"}, Stats: &field.Stats{Mean: []float64{0}, Std: []float64{1}}, Input: Input{Factor: 2}, Averaged: old}
			if err := save(ctx, trainer, path, c); err != nil {
				t.Fatal(err)
			}
			l, err := OpenCheckpoint(path)
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			if there := l.file.Root.Get("ema_state_dict") != nil; there != old {
				t.Errorf("ema_state_dict is there: %v", there)
			}
			key, notice := l.StateKey("ema")
			if key != "model_state_dict" || !strings.Contains(notice, "no average") {
				t.Errorf("ema is %s, %q", key, notice)
			}
			if is, err := Verify(ctx, path); err != nil || !strings.Contains(is, "no average of the weights, all that a run needs") {
				t.Errorf("%q, %v", is, err)
			}
			again := tinyTrainer(t)
			if err := again.Restore(ctx, l); err != nil {
				t.Error(err)
			}
			if again.Step != 1 {
				t.Errorf("step %d", again.Step)
			}
		})
	}
}
