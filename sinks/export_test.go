package sinks_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr.example/fmsr/internal/dataset/exportset"
	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/format/arrowtensor"
	"fmsr.example/fmsr/internal/format/npy"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/store/parts"
	"fmsr.example/fmsr/internal/store/runfolder"
	"fmsr.example/fmsr/internal/testkit/golden"
	"fmsr.example/fmsr/pipeline"
)

const exportSpec = `
version: 1
run: {name: export, overfit: false}
flow:
  - npy_load: {set: set, fields: [a, b]}
  - channel_select: {channels: [b, a]}
  - pool_upsample:
  - export:
`

// exportData writes seeds of 3 frames (3,8,8,2), each different.
func exportData(t *testing.T, seeds int) string {
	t.Helper()
	root := t.TempDir()
	for seed := range seeds {
		dir := filepath.Join(root, "set", fmt.Sprintf("seed_%04d", seed), "npy")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		values := make([]float32, 3*8*8*2)
		for i := range values {
			values[i] = float32(math.Sin(float64(i+1000*seed) / 7))
		}
		if err := npy.WriteFile(filepath.Join(dir, "f.npy"), []int{3, 8, 8, 2}, values); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

type exportRun struct {
	root, dir string
	spec      string // exportSpec, unless set
	options   pipeline.Options
	sets      []pipeline.Override
}

// do exports and fails on any buffer that is left.
func (r exportRun) do(t *testing.T, ctx context.Context) (string, error) {
	t.Helper()
	pool := frames.NewPool()
	mem := memory.NewCheckedAllocator(pool)
	yaml := r.spec
	if yaml == "" {
		yaml = exportSpec
	}
	overrides := append([]pipeline.Override{
		{Path: "npy_load.root", Value: r.root, Flag: "--data-root"}, {Path: "run.dir", Value: r.dir, Flag: "--out"},
	}, r.sets...)
	spec, err := pipeline.Parse("export.yaml", []byte(yaml), overrides)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	r.options.Out, r.options.Mem, r.options.Cache = &out, mem, t.TempDir()
	err = pipeline.Execute(ctx, spec, r.options)
	mem.AssertSize(t, 0)
	if e := pool.Close(); e != nil {
		t.Error(e)
	}
	return out.String(), err
}

func (r exportRun) must(t *testing.T) string {
	t.Helper()
	out, err := r.do(t, context.Background())
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return out
}

// contents are the files of an export, those of shards and records left out.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.Contains(path, parts.Folder) || strings.Contains(path, "-of-") || d.Name() == "spec.yaml" || d.Name() == runfolder.Record {
			return err
		}
		data, err := os.ReadFile(path)
		files[d.Name()] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func sameContents(t *testing.T, what string, got, want map[string]string) {
	t.Helper()
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("%s: %s is not the same (%d bytes, want %d)", what, name, len(got[name]), len(want[name]))
		}
	}
	for name := range got {
		if _, ok := want[name]; !ok {
			t.Errorf("%s: %s is there besides", what, name)
		}
	}
}

// TestExportValues: the file has the values that the stages make of the input.
func TestExportValues(t *testing.T) {
	r := exportRun{root: exportData(t, 4), dir: t.TempDir()}
	r.must(t)
	m, err := exportset.Read(filepath.Join(r.dir, exportset.ManifestName))
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Files) != 4 || m.Factor != 2 || m.Boundary != "clamp" || m.Normalized || strings.Join(m.ChannelNames, " ") != "b a" {
		t.Errorf("manifest %+v", m)
	}
	value := func(seed, frame, cell, channel int) float64 {
		return float64(float32(math.Sin(float64((frame*64+cell)*2+channel+1000*seed) / 7)))
	}
	var splits []string
	for seed, listed := range m.Files {
		f, err := arrowtensor.Open(filepath.Join(r.dir, listed.Path))
		if err != nil {
			t.Fatal(err)
		}
		splits = append(splits, listed.Split)
		if len(f.Rows) != 3 || strings.Join(f.Columns, " ") != "x_hi x_lo" {
			t.Fatalf("%d rows of %v", len(f.Rows), f.Columns)
		}
		for i, row := range f.Rows {
			if row.Seed != seed || row.Frame != i || row.Split.String() != listed.Split {
				t.Errorf("row %d of seed %d is %v", i, seed, row)
			}
			hi, lo := make([]float32, 128), make([]float32, 128)
			if err := errors.Join(f.Read(frames.Bytes(hi), i, 0), f.Read(frames.Bytes(lo), i, 1)); err != nil {
				t.Fatal(err)
			}
			for c := range 2 {
				for cell := range 64 {
					golden.Near(t, "x_hi", float64(hi[c*64+cell]), value(seed, i, cell, 1-c), 0)
				}
				corner := (value(seed, i, 0, 1-c) + value(seed, i, 1, 1-c) + value(seed, i, 8, 1-c) + value(seed, i, 9, 1-c)) / 4
				golden.Near(t, "x_lo at the corner", float64(lo[c*64]), corner, 1e-6)
			}
		}
		f.Close()
	}
	if strings.Join(splits, " ") != "train train val test" {
		t.Errorf("splits %v", splits)
	}
	for c := range 2 { // seeds 0 and 1 train
		sum, squares := 0.0, 0.0
		for i := range 2 * 3 * 64 {
			v := value(i/192, i/64%3, i%64, 1-c)
			sum += v
			squares += v * v
		}
		mean := sum / 384
		golden.Near(t, "mean", m.Mean[c], mean, 1e-12)
		golden.Near(t, "std", m.Std[c], math.Sqrt(squares/384-mean*mean), 1e-12)
	}
}

// TestStoppedWorkGoesOn: whichever seed a run is stopped after, the next run
// makes the rest, and nothing differs from a run in one go.
func TestStoppedWorkGoesOn(t *testing.T) {
	root := exportData(t, 5)
	for _, format := range []string{"arrow", "parquet", "npy"} {
		sets := []pipeline.Override{{Path: "export.format", Value: format, Flag: "--format"}}
		whole := exportRun{root: root, dir: t.TempDir(), sets: sets}
		whole.must(t)
		want := contents(t, whole.dir)
		for after := range 5 {
			r := exportRun{root: root, dir: t.TempDir(), sets: sets}
			stopAfter(t, r, after)
			made := r.finished()
			out := r.must(t)
			if made > 0 && !strings.Contains(out, fmt.Sprintf("export: %d of 5 simulations are finished already", made)) {
				t.Errorf("%s, stopped after %d seeds: the next run says\n%s", format, made, out)
			}
			sameContents(t, fmt.Sprintf("%s, stopped after %d seeds", format, after), contents(t, r.dir), want)
		}
	}
}

// stopAfter stops an export once that many seeds are finished.
func stopAfter(t *testing.T, r exportRun, seeds int) {
	t.Helper()
	stopped := errors.New("stopped")
	ctx, stop := context.WithCancelCause(context.Background())
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		for ctx.Err() == nil && r.finished() < seeds {
			time.Sleep(50 * time.Microsecond)
		}
		stop(stopped)
	}()
	_, err := r.do(t, ctx)
	stop(nil)
	<-watched
	if err != nil && !errors.Is(err, stopped) {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(r.dir, ".*tmp*")); len(left) != 0 {
		t.Errorf("left half-written: %v", left)
	}
}

// finished returns the number of finished seeds.
func (r exportRun) finished() int {
	records, _ := filepath.Glob(filepath.Join(r.dir, parts.Folder, "seed_*.json"))
	return len(records)
}

// TestSharedWork: three shares make what one run makes, and leave manifests that
// merge to the whole's.
func TestSharedWork(t *testing.T) {
	root := exportData(t, 8)
	whole := exportRun{root: root, dir: t.TempDir()}
	whole.must(t)
	want := contents(t, whole.dir)
	dir := t.TempDir()
	var outs [3]string
	errs := make(chan error, 3) // one a share
	for i := range 3 {
		go func() {
			r := exportRun{root: root, dir: dir, options: pipeline.Options{Shard: pipeline.Shard{I: i + 1, N: 3}}}
			var err error
			outs[i], err = r.do(t, context.Background())
			errs <- err
		}()
	}
	for range 3 {
		if err := <-errs; err != nil {
			t.Fatal(err)
		}
	}
	sameContents(t, "three shares", contents(t, dir), want)
	all, err := exportset.Read(filepath.Join(dir, exportset.ManifestName))
	if err != nil {
		t.Fatal(err)
	}
	merged, files := make([]field.Welford, 2), map[string]bool{}
	for i := range 3 {
		data, err := os.ReadFile(filepath.Join(dir, fmt.Sprintf("manifest.%d-of-3.json", i+1)))
		if err != nil {
			t.Fatal(err)
		}
		m, err := exportset.Parse(data)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range m.Files {
			if files[f.Path] {
				t.Errorf("%s is in two shares", f.Path)
			}
			files[f.Path] = true
		}
		for c := range m.Mean {
			merged[c].Merge(field.Welford{Count: m.Count, Mean: m.Mean[c], M2: m.Std[c] * m.Std[c] * m.Count})
		}
	}
	if len(files) != len(all.Files) {
		t.Errorf("the shares have %d files, the whole %d", len(files), len(all.Files))
	}
	for c := range merged {
		golden.Near(t, "mean of the shares", merged[c].Mean, all.Mean[c], 1e-14)
		golden.Near(t, "std of the shares", merged[c].Std(), all.Std[c], 1e-14)
	}
}

// TestExportRefuses what would mix two data sets, or lose frames.
func TestExportRefuses(t *testing.T) {
	root := exportData(t, 3)
	first := exportRun{root: root, dir: t.TempDir()}
	first.must(t)
	want := contents(t, first.dir)
	other := first
	other.sets = []pipeline.Override{{Path: "pool_upsample.boundary", Value: "periodic", Flag: "--set"}}
	_, err := other.do(t, context.Background())
	if !errors.Is(err, parts.ErrOther) || !errors.As(err, new(*pipeline.InputError)) || !strings.Contains(err.Error(), first.dir) {
		t.Errorf("another spec into the same folder: %v", err)
	}
	sameContents(t, "refused", contents(t, first.dir), want)
	other.options.Fresh = true
	other.must(t)
	if got := contents(t, first.dir); got["seed_0000.arrow"] == want["seed_0000.arrow"] {
		t.Error("after starting over, the old file is still there")
	}
	cached := exportRun{root: root, dir: t.TempDir(), spec: strings.Replace(exportSpec, "  - pool_upsample:", "  - arrow_cache:\n  - pool_upsample:", 1)}
	if _, err := cached.do(t, context.Background()); err == nil || !strings.Contains(err.Error(), "no arrow_cache") {
		t.Errorf("below a cache: %v", err)
	}
}

// TestExportNormalized: with normalize above, its figures are the manifest's.
func TestExportNormalized(t *testing.T) {
	root := exportData(t, 4)
	plain := exportRun{root: root, dir: t.TempDir()}
	plain.must(t)
	r := exportRun{root: root, dir: t.TempDir(), spec: strings.Replace(exportSpec, "  - export:", "  - normalize:\n  - export:", 1)}
	r.must(t)
	var ms [2]exportset.Manifest
	for i, dir := range []string{plain.dir, r.dir} {
		var err error
		if ms[i], err = exportset.Read(filepath.Join(dir, exportset.ManifestName)); err != nil {
			t.Fatal(err)
		}
	}
	if ms[0].Normalized || !ms[1].Normalized {
		t.Error("the manifests do not say which is normalized")
	}
	for c := range 2 {
		golden.Near(t, "mean", ms[1].Mean[c], ms[0].Mean[c], 1e-12)
		golden.Near(t, "std", ms[1].Std[c], ms[0].Std[c], 1e-12)
	}
	f, err := arrowtensor.Open(filepath.Join(r.dir, "seed_0000.arrow"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	hi := make([]float32, 128)
	if err := f.Read(frames.Bytes(hi), 0, 0); err != nil {
		t.Fatal(err)
	}
	b := float64(float32(math.Sin(1.0 / 7)))
	golden.Near(t, "a normalized value", float64(hi[0]), (b-ms[1].Mean[0])/ms[1].Std[0], 1e-5)
}
