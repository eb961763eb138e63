package stages

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/rng"
	"fmsr.example/fmsr/pipeline"
)

// TestFusedIsTheChain: a batch that prepares its frames itself holds the same
// bits as one whose frames went through the stages one by one.
func TestFusedIsTheChain(t *testing.T) {
	for _, c := range []struct {
		name       string
		h, w, c    int
		factor     int
		selects    []string
		boundary   string
		normalized bool
	}{
		{"all eight", 16, 16, 8, 2, []string{"all"}, "clamp", true},
		{"periodic", 8, 24, 8, 2, []string{"all"}, "periodic", true},
		{"some", 12, 10, 3, 2, []string{"c", "a"}, "periodic", true},
		{"one", 4, 6, 8, 2, []string{"d"}, "clamp", true},
		{"physical", 16, 16, 8, 2, []string{"all"}, "clamp", false},
		{"factor 3", 12, 9, 3, 3, []string{"b", "a"}, "clamp", true},
		{"factor 4", 8, 16, 8, 4, []string{"all"}, "periodic", true},
		{"smallest", 2, 2, 1, 2, []string{"a"}, "periodic", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			chain := func() []pipeline.Stage {
				stages := []pipeline.Stage{
					&channelSelect{ChannelSelect: ChannelSelect{Channels: slices.Clone(c.selects)}},
					&poolUpsample{PoolUpsample: PoolUpsample{Factor: c.factor, Boundary: c.boundary}},
				}
				if c.normalized {
					stages = append(stages, &normalize{})
				}
				return stages
			}
			want := runChain(t, chain(), 3, c.h, c.w, c.c, false)
			got := runChain(t, chain(), 3, c.h, c.w, c.c, true)
			if len(want) != len(got) {
				t.Fatalf("%d values, want %d", len(got), len(want))
			}
			for i := range want {
				if got[i] != want[i] {
					t.Fatalf("value %d of x_hi and x_lo: %g, the chain's is %g", i, got[i], want[i])
				}
			}
		})
	}
}

// runChain is x_hi and x_lo of a batch of frames that went through stages, which
// batch takes over when fused.
func runChain(t *testing.T, stages []pipeline.Stage, n, h, w, c int, fused bool) []float32 {
	t.Helper()
	env := testEnv(t)
	ctx := context.Background()
	meta := pipeline.Meta{Grid: field.Grid{H: h, W: w}, Frames: map[frames.Split]int{frames.Train: n}}
	for i := range c {
		meta.Channels = append(meta.Channels, string(rune('a'+i)))
	}
	names := meta.Channels
	b := &batch{Batch: Batch{Size: n}}
	for _, s := range append(slices.Clone(stages), b) {
		var err error
		if meta, err = s.Open(ctx, env, meta); err != nil {
			t.Fatal(err)
		}
		if z, ok := s.(*normalize); ok {
			for i := range z.channels {
				z.stats.Mean = append(z.stats.Mean, 0.1*float64(i)-0.3)
				z.stats.Std = append(z.stats.Std, 0.7+0.1*float64(i))
			}
		}
	}
	if fused {
		if k := b.Fuse(stages); k != len(stages) {
			t.Fatalf("batch took over %d stages of %d", k, len(stages))
		}
		stages = nil
	}
	var whole *frames.Frames
	for i := range n {
		f := frames.New(names, field.Grid{H: h, W: w}, []frames.Origin{{Frame: i}}, frames.NewBuffer(env.Mem, h*w*c), nil)
		for j := range frames.Floats(f.Hi) {
			frames.Floats(f.Hi)[j] = float32(rng.Normal(uint64(i), uint64(j)))
		}
		for _, s := range stages {
			out, err := s.(pipeline.Processor).Process(ctx, f)
			f.Release()
			if err != nil {
				t.Fatal(err)
			}
			f = out[0].(*frames.Frames)
		}
		out, err := b.Process(ctx, f)
		f.Release()
		if err != nil {
			t.Fatal(err)
		}
		if len(out) > 0 {
			whole = out[0].(*frames.Frames)
		}
	}
	defer whole.Release()
	if whole.N() != n {
		t.Fatalf("a batch of %d frames, want %d", whole.N(), n)
	}
	return append(slices.Clone(frames.Floats(whole.Hi)), frames.Floats(whole.Lo)...)
}

// TestFoldStopsAtTheUnknown: what a plan does not know stays a stage.
func TestFoldStopsAtTheUnknown(t *testing.T) {
	b := &batch{Batch: Batch{Size: 2}}
	selects := func() *channelSelect { return &channelSelect{ChannelSelect: ChannelSelect{Channels: []string{"a"}}} }
	pool := func(factor int) *poolUpsample { return &poolUpsample{PoolUpsample: PoolUpsample{Factor: factor}} }
	for _, c := range []struct {
		above []pipeline.Stage
		want  int
	}{
		{[]pipeline.Stage{selects(), pool(2), &normalize{}}, 3},
		{[]pipeline.Stage{selects(), pool(4), &normalize{}}, 3},
		{[]pipeline.Stage{selects(), &normalize{}, pool(2)}, 1}, // a plan normalizes last
		{[]pipeline.Stage{selects(), pool(2), pool(2)}, 1},
		{[]pipeline.Stage{selects(), pool(2), &ema{}, &normalize{}}, 1},
		{nil, 0},
	} {
		if got := b.Fuse(c.above); got != c.want {
			t.Errorf("%s: %d taken over, want %d", fmt.Sprint(c.above), got, c.want)
		}
	}
}
