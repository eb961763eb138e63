package sinks_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fmsr.example/fmsr/internal/format/npy"
	"fmsr.example/fmsr/internal/store/parts"
	"fmsr.example/fmsr/internal/testkit/golden"
	"fmsr.example/fmsr/pipeline"
	"fmsr.example/fmsr/sinks"
	"fmsr.example/fmsr/specs"
)

func mergeTo(dir string) error { return sinks.Merge(context.Background(), dir, io.Discard) }

// TestMerge: shards in any order, one of them twice and one stopped in the middle, leave
// what one run makes. Merge makes the summary, names what is missing, and changes nothing
// when it runs again.
func TestMerge(t *testing.T) {
	root := exportData(t, 7)
	normal := strings.Replace(exportSpec, "  - export:", "  - normalize:\n  - export:", 1)
	for name, c := range map[string]struct {
		spec    string
		summary string
	}{
		"export":     {exportSpec, "manifest.json"},
		"normalized": {normal, "manifest.json"},
		"spectra":    {strings.Replace(exportSpec, "export:\n", "spectra:\n", 1), "spectra.parquet"},
	} {
		t.Run(name, func(t *testing.T) {
			one := exportRun{root: root, dir: t.TempDir(), spec: c.spec}
			one.must(t)
			want := contents(t, one.dir)
			shard := func(dir string, i int) exportRun {
				return exportRun{root: root, dir: dir, spec: c.spec, options: pipeline.Options{Shard: pipeline.Shard{I: i, N: 3}}}
			}
			for _, order := range [][]int{{1, 2, 3}, {3, 1, 2}, {2, 2, 3, 1, 3}} {
				dir := t.TempDir()
				stopAfter(t, shard(dir, order[0]), 1)
				ran := map[int]bool{}
				for _, i := range order {
					if err := mergeTo(dir); len(ran) < 3 && (err == nil || !strings.Contains(err.Error(), "/3 is ")) {
						t.Errorf("after shards %v: %v, want the missing ones", ran, err)
					}
					shard(dir, i).must(t)
					ran[i] = true
				}
				sameContents(t, fmt.Sprint("shards ", order), contents(t, dir), want)
				if err := os.Remove(filepath.Join(dir, c.summary)); err != nil {
					t.Fatal(err)
				}
				if err := mergeTo(dir); err != nil {
					t.Fatal(err)
				}
				sameContents(t, fmt.Sprint("merged ", order), contents(t, dir), want)
				before := times(t, dir)
				if err := mergeTo(dir); err != nil {
					t.Fatal(err)
				}
				if !maps.Equal(times(t, dir), before) {
					t.Error("merging again wrote files")
				}
			}
			dir := t.TempDir()
			shard(dir, 3).must(t)
			if err := mergeTo(dir); err == nil || !strings.Contains(err.Error(), "shard 1/3 is missing (seed 0, seed 3, seed 6); shard 2/3 is missing (seed 1, seed 4)") {
				t.Errorf("two shards are missing: %v", err)
			}
			if _, err := os.Stat(filepath.Join(dir, c.summary)); err == nil {
				t.Error("a summary without two shards")
			}
		})
	}
	if err := mergeTo(t.TempDir()); !errors.As(err, new(*pipeline.InputError)) {
		t.Errorf("an empty folder: %v", err)
	}
}

// times returns when each file was written, the lock aside.
func times(t *testing.T, dir string) map[string]time.Time {
	t.Helper()
	all := map[string]time.Time{}
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() {
			all[path] = info.ModTime()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestSharedStatistics: three runs at once, and one after the other, have each frame's
// moments computed once where they can, and get the statistics of one run.
func TestSharedStatistics(t *testing.T) {
	root := exportData(t, 7)
	spec := strings.Replace(exportSpec, "  - export:", "  - normalize:\n  - export:", 1)
	one := exportRun{root: root, dir: t.TempDir(), spec: spec}
	one.must(t)
	want, dir := contents(t, one.dir), t.TempDir()
	errs := make(chan error, 3) // one a share
	for i := range 3 {
		go func() {
			r := exportRun{root: root, dir: dir, spec: spec, options: pipeline.Options{Shard: pipeline.Shard{I: i + 1, N: 3}}}
			_, err := r.do(t, context.Background())
			errs <- err
		}()
	}
	for range 3 {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	sameContents(t, "three at once", contents(t, dir), want)
	fits, err := filepath.Glob(filepath.Join(dir, parts.Folder, "fits", "*.json"))
	if err != nil || len(fits) != 5 { // of seven seeds, one is for validation and one for tests
		t.Errorf("moments of %d seeds, want 5: %v", len(fits), err)
	}
	// damaged moments are computed again
	for _, path := range fits[1:3] {
		if err := os.WriteFile(path, []byte("{}"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	r := exportRun{root: root, dir: dir, spec: spec, options: pipeline.Options{Shard: pipeline.Shard{I: 2, N: 3}, Fresh: true}}
	if out := r.must(t); strings.Count(out, "computing statistics again") != 2 {
		t.Errorf("of damaged moments it says:\n%s", out)
	}
	sameContents(t, "after damage", contents(t, dir), want)
}

// superresShare is a run of superres over some of the input.
func superresShare(t *testing.T, checkpoint, input, truth, dir string, shard pipeline.Shard, ctx context.Context) (string, error) {
	t.Helper()
	src, err := specs.FS.ReadFile("superres.yaml")
	if err != nil {
		t.Fatal(err)
	}
	spec, err := pipeline.Parse("superres.yaml", src, []pipeline.Override{
		{Path: "superres.checkpoint", Value: checkpoint, Flag: "--checkpoint"}, {Path: "files_load.input", Value: input, Flag: "--input"},
		{Path: "compare.truth", Value: truth, Flag: "--truth"}, {Path: "physics.truth", Value: truth, Flag: "--truth"}, {Path: "run.dir", Value: dir, Flag: "--out"},
		{Path: "superres.sample_steps", Value: "1", Flag: "--sample-steps"}, {Path: "superres.samples", Value: "2", Flag: "--samples"},
	})
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	err = pipeline.Execute(ctx, spec, pipeline.Options{Out: &out, Cache: t.TempDir(), Shard: shard})
	return out.String(), err
}

// TestSharedSuperres: shards of the input files, in any order and one stopped within a file,
// leave the outputs, the comparison and the pictures of one run.
func TestSharedSuperres(t *testing.T) {
	checkpoint, input, truth := trained(t), t.TempDir(), t.TempDir()
	for i, shape := range [][]int{{2, 4, 8, 2}, {1, 8, 8, 2}, {3, 4, 8, 2}, {1, 4, 8, 2}} {
		fine := []int{shape[0], 2 * shape[1], 2 * shape[2], 2}
		for path, shape := range map[string][]int{input: shape, truth: fine} {
			values := make([]float32, shape[0]*shape[1]*shape[2]*2)
			for k := range values {
				values[k] = float32(golden.N(uint64(5+i), uint64(k)))
			}
			if err := npy.WriteFile(filepath.Join(path, fmt.Sprintf("%c.npy", 'a'+i)), shape, values); err != nil {
				t.Fatal(err)
			}
		}
	}
	one := t.TempDir()
	table, err := superresShare(t, checkpoint, input, truth, one, pipeline.Shard{}, context.Background())
	if err != nil {
		t.Fatal(err)
	}
	want := tree(t, one)
	for _, name := range []string{"c.npy", "c.spread.npy", "comparison.json", "images/8x16/samples_mean/a.png", "images/16x16/spectra.png", "physics.parquet", "physics_summary.parquet", "report.html"} {
		if want[name] == "" {
			t.Errorf("one run makes no %s", name)
		}
	}
	for _, order := range [][]int{{1, 2, 3}, {3, 2, 1, 2}} {
		dir := t.TempDir()
		ctx, stop := context.WithCancel(context.Background())
		stopped := make(chan struct{})
		go func() { // within a file, or before or after it: all must do
			defer close(stopped)
			for ctx.Err() == nil {
				if left, _ := filepath.Glob(filepath.Join(dir, ".*tmp*")); left != nil {
					stop()
				}
				time.Sleep(50 * time.Microsecond)
			}
		}()
		_, _ = superresShare(t, checkpoint, input, truth, dir, pipeline.Shard{I: order[0], N: 3}, ctx)
		stop()
		<-stopped
		var out string
		for _, i := range order {
			if out, err = superresShare(t, checkpoint, input, truth, dir, pipeline.Shard{I: i, N: 3}, context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		sameContents(t, fmt.Sprint("shards ", order), tree(t, dir), want)
		for _, line := range strings.Split(table, "\n") {
			if (strings.HasPrefix(line, "sample") || strings.HasPrefix(line, "ensemble mean")) && !strings.Contains(out, line) {
				t.Errorf("the last shard's table lacks %q:\n%s", line, out)
			}
		}
		if err := errors.Join(os.Remove(filepath.Join(dir, "comparison.json")), os.Remove(filepath.Join(dir, "report.html")), os.RemoveAll(filepath.Join(dir, "images")), mergeTo(dir)); err != nil {
			t.Fatal(err)
		}
		sameContents(t, fmt.Sprint("merged ", order), tree(t, dir), want)
		if err := os.Remove(filepath.Join(dir, "b.mean.npy")); err != nil {
			t.Fatal(err)
		}
		if err := mergeTo(dir); err == nil || !strings.Contains(err.Error(), "shard 2/3 is missing (b.npy)") {
			t.Errorf("an output is missing: %v", err)
		}
	}
}

// tree is the files of a superres run by their paths, without those of shards and records.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		name, _ := filepath.Rel(dir, path)
		if err != nil || info.IsDir() || strings.HasPrefix(name, ".") || name == "spec.yaml" {
			return err
		}
		data, err := os.ReadFile(path)
		files[name] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
