package model

import (
	"context"
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/torchx"
)

// TestCheckData: a run resumes only with the frames that it was trained with and judged by,
// though others have the same statistics.
func TestCheckData(t *testing.T) {
	ctx := context.Background()
	thread, err := torchx.StartThread(1)
	if err != nil {
		t.Fatal(err)
	}
	trainer, err := NewTrainer(ctx, thread, Config{Fields: 1, Channels: 4, Mult: []int{1}}, Hyper{Flow: Flow{Base: Gaussian}})
	if err != nil {
		t.Fatal(err)
	}
	defer trainer.Close()
	stats := &field.Stats{Mean: []float64{1}, Std: []float64{2}}
	digests := map[frames.Split]string{frames.Train: "aa", frames.Val: "bb", frames.Test: "cc"}
	saved := func(digests map[frames.Split]string) *Loaded {
		path := filepath.Join(t.TempDir(), "checkpoint.pt")
		c := Checkpoint{Channels: []string{"a"}, Stats: stats, Input: Input{Factor: 2}, Frames: 3, Digests: digests}
		if err := save(ctx, trainer, path, c); err != nil {
			t.Fatal(err)
		}
		l, err := OpenCheckpoint(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { l.Close() })
		return l
	}
	with, without := saved(digests), saved(nil)
	for name, c := range map[string]struct {
		change func(d *Data)
		want   string
	}{
		"the same":     {func(*Data) {}, ""},
		"test frames":  {func(d *Data) { d.Digests[frames.Test] = "dd" }, ""},
		"training":     {func(d *Data) { d.Digests[frames.Train] = "dd" }, "the training frames have changed"},
		"validation":   {func(d *Data) { d.Digests[frames.Val] = "dd" }, "the validation frames have changed"},
		"no digests":   {func(d *Data) { d.Digests = nil }, "the training frames have changed"},
		"more frames":  {func(d *Data) { d.Frames = 4 }, "trained on 3 frames, and there are 4 now"},
		"another mean": {func(d *Data) { d.Stats = &field.Stats{Mean: []float64{3}, Std: []float64{2}} }, "a has mean 3 and deviation 2, and had mean 1"},
	} {
		now := Data{Stats: stats, Frames: 3, Digests: maps.Clone(digests)}
		c.change(&now)
		if err := with.CheckData(now); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		if err := without.CheckData(now); (err == nil) != (c.want == "" || strings.Contains(c.want, "frames have changed")) {
			t.Errorf("%s, of a checkpoint without digests: %v", name, err)
		}
	}
}
