package stages_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"fmsr.example/fmsr/internal/format/npy"
	"fmsr.example/fmsr/pipeline"
	"fmsr.example/fmsr/stages"
)

// The stages without YAML: from npy files to normalized batches in Go code.
func Example() {
	root := exampleFrames()
	defer os.RemoveAll(root)

	spec, err := pipeline.Compose(
		func(r *pipeline.Run) { r.Overfit, r.Dir = false, filepath.Join(root, "run") },
		pipeline.With(func(c *stages.NpyLoad) { c.Root, c.Set, c.Fields = root, "runs", []string{"density", "Bx"} }),
		pipeline.With(func(c *stages.ChannelSelect) { c.Channels = []string{"Bx"} }),
		pipeline.With[stages.PoolUpsample](nil),
		pipeline.With[stages.Normalize](nil),
		pipeline.With(func(c *stages.Batch) { c.Size = 4 }),
	)
	if err != nil {
		log.Fatal(err)
	}
	err = pipeline.Execute(context.Background(), spec, pipeline.Options{
		Cache: filepath.Join(root, "cache"),
		Receive: func(e pipeline.Element) error {
			b := e.(*pipeline.Frames)
			fmt.Println(b.Origin(), b.Split(), b.N(), b.Channels, b.H, b.W, len(b.XHi()), len(b.XLo()))
			return nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// seed 0, frame 0 train 4 [Bx] 8 8 256 256
	// seed 0, frame 4 train 2 [Bx] 8 8 128 128
	// seed 1, frame 0 val 4 [Bx] 8 8 256 256
	// seed 1, frame 4 val 2 [Bx] 8 8 128 128
}

// exampleFrames makes two seeds of six frames 8 x 8 of two fields.
func exampleFrames() string {
	root, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	for seed := range 2 {
		dir := filepath.Join(root, "runs", fmt.Sprintf("seed_%04d", seed), "npy")
		values := make([]float32, 6*8*8*2)
		for i := range values {
			values[i] = float32(i%7 + seed)
		}
		if err := os.MkdirAll(dir, 0o755); err != nil {
			log.Fatal(err)
		}
		if err := npy.WriteFile(filepath.Join(dir, "fields.npy"), []int{6, 8, 8, 2}, values); err != nil {
			log.Fatal(err)
		}
	}
	return root
}
