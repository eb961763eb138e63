package stages_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"fmsr.example/fmsr/internal/format/npy"
	"fmsr.example/fmsr/pipeline"
	"fmsr.example/fmsr/stages"
)

// The real layout: 256 x 256 cells, eight fields, three seeds of 160 frames.
const (
	benchSize, benchFields  = 256, 8
	benchSeeds, benchFrames = 3, 40
)

// benchData writes the frames; they are in the page cache from then on.
func benchData(b *testing.B) string {
	b.Helper()
	root := b.TempDir()
	values := make([]float32, benchFrames*benchSize*benchSize*benchFields)
	for i := range values {
		values[i] = float32(i*2654435761>>7&0xffff)/0x8000 - 1
	}
	for seed := range benchSeeds {
		dir := filepath.Join(root, "set", fmt.Sprintf("seed_%04d", seed), "npy")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			b.Fatal(err)
		}
		if err := npy.WriteFile(filepath.Join(dir, "f.npy"), []int{benchFrames, benchSize, benchSize, benchFields}, values); err != nil {
			b.Fatal(err)
		}
	}
	return root
}

// BenchmarkNpyToBatch is whole runs: opened, read from npy files in the page
// cache, prepared and batched by 4; the statistics are fitted before. GB/s counts
// the bytes read and those written.
func BenchmarkNpyToBatch(b *testing.B) {
	for _, channels := range []string{"all", "Bx"} {
		b.Run(channels, func(b *testing.B) {
			root, cache := benchData(b), b.TempDir()
			total, written := 0, 0
			pass := func() {
				total, written = 0, 0
				runFlow(b, root, cache, func(e pipeline.Element) {
					f := e.(*pipeline.Frames)
					total += f.N()
					written += 4 * (len(f.XHi()) + len(f.XLo()))
				},
					pipeline.With(func(c *stages.NpyLoad) { c.Root, c.Set = root, "set" }),
					pipeline.With(func(c *stages.ChannelSelect) { c.Channels = []string{channels} }),
					pipeline.With[stages.PoolUpsample](nil),
					pipeline.With[stages.Normalize](nil),
					pipeline.With[stages.Batch](nil))
			}
			pass() // fits
			for b.Loop() {
				pass()
			}
			moved := written + total*4*benchSize*benchSize*benchFields
			b.ReportMetric(float64(total)*float64(b.N)/b.Elapsed().Seconds(), "frames/s")
			b.ReportMetric(float64(moved)*float64(b.N)/1e9/b.Elapsed().Seconds(), "GB/s")
		})
	}
}

func runFlow(b *testing.B, root, cache string, receive func(pipeline.Element), parts ...pipeline.Part) {
	b.Helper()
	spec, err := pipeline.Compose(func(r *pipeline.Run) { r.Overfit, r.Dir = false, filepath.Join(root, "run") }, parts...)
	if err != nil {
		b.Fatal(err)
	}
	err = pipeline.Execute(context.Background(), spec, pipeline.Options{Cache: cache, Receive: func(e pipeline.Element) error {
		receive(e)
		return nil
	}})
	if err != nil {
		b.Fatal(err)
	}
}
