package stages

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/field/plan"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/parallel"
	"fmsr.example/fmsr/internal/testkit/golden"
	"fmsr.example/fmsr/pipeline"
)

// BenchmarkCacheReplay is arrow_cache to batches of 4 at full size, 8 fields of
// 256 x 256, from the page cache: bytes read and written. copy is the same by one
// thread a core, and nothing else; the metric is what of it is reached.
func BenchmarkCacheReplay(b *testing.B) {
	pool := frames.NewPool()
	defer pool.Close()
	env := &pipeline.Env{Run: &pipeline.Run{Seed: 1}, Mem: pool, Cache: b.TempDir(), Progress: pipeline.NewProgress(b.Output())}
	const count, channels, n = 48, 8, 256
	c := &arrowCache{}
	names := []string{"a", "b", "c", "d", "e", "f", "g", "h"}
	meta := pipeline.Meta{Channels: names, Grid: field.Grid{H: n, W: n}, Frames: map[frames.Split]int{frames.Train: count}}
	if _, err := c.Open(context.Background(), env, meta); err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Ready(context.Background(), "bench"); err != nil {
		b.Fatal(err)
	}
	for i := range count {
		buffer := frames.NewBuffer(pool, channels*n*n)
		for j := range frames.Floats(buffer) {
			frames.Floats(buffer)[j] = float32(golden.N(uint64(i), uint64(j)))
		}
		f := frames.New(names, field.Grid{H: n, W: n}, []frames.Origin{{Frame: i}}, buffer, nil)
		err := c.Write(context.Background(), f)
		f.Release()
		if err != nil {
			b.Fatal(err)
		}
	}
	if err := c.Commit(context.Background()); err != nil {
		b.Fatal(err)
	}
	bytes := 2 * 4 * channels * n * n // a frame, read and written
	b.Run("replay", func(b *testing.B) {
		b.SetBytes(int64(bytes))
		joined := &batch{Batch: Batch{Size: 4}, own: 4, mem: pool, plan: &plan.Plan{}}
		sent := 0
		err := c.Emit(context.Background(), pipeline.Endless, func(e pipeline.Element) error {
			defer e.Release()
			out, err := joined.Process(context.Background(), e)
			for _, o := range out {
				o.Release()
			}
			if sent++; sent == b.N {
				return errors.Join(err, errEnough)
			}
			return err
		})
		joined.drop()
		if !errors.Is(err, errEnough) {
			b.Fatal(err)
		}
	})
	b.Run("copy", func(b *testing.B) {
		b.SetBytes(int64(bytes))
		size := bytes / 2
		out, whole := frames.NewBuffer(pool, size/4*runtime.GOMAXPROCS(0)), frames.NewBuffer(pool, size/4*count)
		defer out.Release()
		defer whole.Release()
		for i := range frames.Floats(whole) {
			frames.Floats(whole)[i] = 1 // else every page is the one page of zeros
		}
		err := parallel.Each(runtime.GOMAXPROCS(0), func(w int) error {
			for i := w; i < b.N; i += runtime.GOMAXPROCS(0) {
				copy(out.Bytes()[w*size:][:size], whole.Bytes()[i%count*size:][:size])
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	})
}
