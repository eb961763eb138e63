package stages

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/pipeline"
)

func TestSynth(t *testing.T) {
	env := testEnv(t)
	source := func(c Synth) *synthSource {
		c.Grid, c.Slope = []int{8, 12}, 2
		return &synthSource{Synth: c}
	}
	origin := func(f *frames.Frames) any { return fmt.Sprint(len(f.Channels), f.H, f.W) }
	for want, c := range map[string]Synth{
		"0/0 train,0/1 train,1/0 train,1/1 train,2/0 val,2/1 val,3/0 test,3/1 test": {Seeds: 4, Frames: 2},
		"2/0 val":           {Seeds: 4, Frames: 1, Splitting: Splitting{Splits: []string{"val"}}},
		"1/0 train,3/0 val": {Seeds: 4, Frames: 1, Splitting: Splitting{Split: map[string][]int{"val": {3}, "train": {1}}}},
	} {
		meta, got, err := emitted(t, env, source(c), origin)
		if err != nil {
			t.Fatal(err)
		}
		if s := strings.ReplaceAll(strings.Join(got, ","), " 8 8 12", ""); s != want {
			t.Errorf("emitted %s\nwant    %s", s, want)
		}
		if n := meta.Frames[frames.Train] + meta.Frames[frames.Val] + meta.Frames[frames.Test]; n != len(got) {
			t.Errorf("meta tells of %d frames, %d came", n, len(got))
		}
	}
	cut := Synth{Seeds: 2, Frames: 6, Splitting: Splitting{SplitTime: &SplitTime{Train: 0.5, Val: 0.5, Gap: 2}}}
	if _, got, err := emitted(t, env, source(cut), origin); err != nil ||
		strings.ReplaceAll(strings.Join(got, ","), " 8 8 12", "") != "0/0 train,0/1 train,0/4 val,0/5 val,1/0 train,1/1 train,1/4 val,1/5 val" {
		t.Errorf("cut in time: %v, %v", got, err)
	}
	picked := source(Synth{Seeds: 4, Frames: 1})
	picked.Pick(func(p frames.Part) bool { return p.Seed == 1 })
	if _, got, err := emitted(t, env, picked, origin); err != nil || len(got) != 1 || !strings.HasPrefix(got[0], "1/0 ") {
		t.Errorf("of seed 1 came %v, %v", got, err)
	}
	_, _, err := emitted(t, env, source(Synth{Seeds: 2, Frames: 1, Splitting: Splitting{Split: map[string][]int{"val": {3}}}}), origin)
	if err == nil || !strings.Contains(err.Error(), "seed 3 is not in seeds: it has 2 seeds, 0 to 1") {
		t.Errorf("a split of a seed that is not made: %v", err)
	}
}

// TestSynthStops: it makes nothing more once the run has ended.
func TestSynthStops(t *testing.T) {
	env := testEnv(t)
	s := &synthSource{Synth: Synth{Seeds: 1000, Frames: 1000, Grid: []int{8, 8}}}
	if _, err := s.Open(context.Background(), env, pipeline.Meta{}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	n := 0
	err := s.Emit(ctx, pipeline.Once, func(e pipeline.Element) error {
		e.Release()
		if n++; n == 3 {
			cancel(errEnough)
		}
		return nil
	})
	if !errors.Is(err, errEnough) || n != 3 {
		t.Errorf("%d frames, then %v", n, err)
	}
}

// BenchmarkSynth makes frames as a run of 200 a seed does.
func BenchmarkSynth(b *testing.B) {
	pool := frames.NewPool()
	defer pool.Close()
	s := &synthSource{Synth: Synth{Seeds: b.N/200 + 1, Frames: min(200, b.N), Grid: []int{256, 256}, Slope: 5. / 3}}
	env := &pipeline.Env{Run: &pipeline.Run{}, Mem: pool}
	if _, err := s.Open(context.Background(), env, pipeline.Meta{}); err != nil {
		b.Fatal(err)
	}
	n := 0
	b.ResetTimer()
	err := s.Emit(context.Background(), pipeline.Once, func(e pipeline.Element) error {
		e.Release()
		if n++; n == b.N {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) {
		b.Fatal(err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "frames/s")
}
