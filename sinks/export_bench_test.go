package sinks_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"fmsr.example/fmsr/internal/format/npy"
	"fmsr.example/fmsr/pipeline"
)

const exportBenchSpec = `
version: 1
run: {name: export, overfit: false}
flow:
  - npy_load: {set: set}
  - channel_select: {channels: all}
  - pool_upsample:
  - export:
`

// BenchmarkExport is specs/export.yaml on 3 seeds of 32 frames at full size, in
// bytes of the export; cp is a copy of what it has made, synced as it is.
func BenchmarkExport(b *testing.B) {
	root, dir := b.TempDir(), b.TempDir()
	values := make([]float32, 32*256*256*8)
	for i := range values {
		values[i] = float32(i%10007) / 7
	}
	for seed := range 3 {
		path := filepath.Join(root, "set", fmt.Sprintf("seed_%04d", seed), "npy", "f.npy")
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), npy.WriteFile(path, []int{32, 256, 256, 8}, values)); err != nil {
			b.Fatal(err)
		}
	}
	bytes := int64(3 * len(values) * 4 * 2)
	b.Run("export", func(b *testing.B) {
		b.SetBytes(bytes)
		for range b.N {
			spec, err := pipeline.Parse("export.yaml", []byte(exportBenchSpec), []pipeline.Override{
				{Path: "npy_load.root", Value: root, Flag: "--data-root"}, {Path: "run.dir", Value: dir, Flag: "--out"}})
			if err != nil {
				b.Fatal(err)
			}
			if err := pipeline.Execute(context.Background(), spec, pipeline.Options{Out: io.Discard, Cache: b.TempDir(), Fresh: true}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("cp", func(b *testing.B) {
		b.SetBytes(bytes)
		to := b.TempDir()
		for range b.N {
			for seed := range 3 {
				name := fmt.Sprintf("seed_%04d.arrow", seed)
				if err := copyFile(filepath.Join(to, name), filepath.Join(dir, name)); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}

// copyFile copies as cp does, within the kernel, and syncs.
func copyFile(to, from string) error {
	_ = os.Remove(to)
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer out.Close()
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return out.Sync()
}
