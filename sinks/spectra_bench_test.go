package sinks_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

// BenchmarkSpectraReport is the whole report of 1000 frames of 8 fields
// 256 x 256: files in the system's cache, tables and picture included.
func BenchmarkSpectraReport(b *testing.B) {
	const seeds, n = 25, 40
	root := b.TempDir()
	spectraInput(b, root, 1, n, 256, 256, 8)
	for seed := 1; seed < seeds; seed++ { // the same frames again
		if err := os.Symlink("seed_0000", filepath.Join(root, "set", fmt.Sprintf("seed_%04d", seed))); err != nil {
			b.Fatal(err)
		}
	}
	text := fmt.Sprintf(spectraSpec, "a, b, c, d, e, f, g, h", "all", "")
	for b.Loop() {
		report(b, text, root, b.TempDir())
	}
	b.ReportMetric(float64(seeds*n)*float64(b.N)/b.Elapsed().Seconds(), "frames/s")
}
