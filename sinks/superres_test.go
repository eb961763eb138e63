package sinks_test

import (
	"bytes"
	"context"
	"encoding/json"
	"image/gif"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/array"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/apache/arrow/go/v15/parquet/file"
	"github.com/apache/arrow/go/v15/parquet/pqarrow"

	"fmsr.example/fmsr/internal/format/npy"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/testkit/golden"
	"fmsr.example/fmsr/internal/torchx"
	"fmsr.example/fmsr/pipeline"
	"fmsr.example/fmsr/specs"
)

// trained is a small model's checkpoint.
func trained(t *testing.T, sets ...pipeline.Override) string {
	t.Helper()
	dir := t.TempDir()
	var out strings.Builder
	if err := run(t, context.Background(), data(t, 0), &out, append(sets, pipeline.Override{Path: "run.dir", Value: dir, Flag: "--out"})...); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "checkpoint.pt")
}

// apply runs the shipped spec and fails on what it leaves.
func apply(t *testing.T, checkpoint, input string, sets map[string]string) (dir, out string) {
	t.Helper()
	return applyWith(t, "", checkpoint, input, sets)
}

// applyWith is apply with one more stage right below superres.
func applyWith(t *testing.T, stage, checkpoint, input string, sets map[string]string) (dir, out string) {
	t.Helper()
	src, err := specs.FS.ReadFile("superres.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if stage != "" {
		src = bytes.Replace(src, []byte("  - superres:\n"), []byte("  - superres:\n  - "+stage+":\n"), 1)
	}
	dir = t.TempDir()
	overrides := []pipeline.Override{
		{Path: "superres.checkpoint", Value: checkpoint, Flag: "--checkpoint"}, {Path: "files_load.input", Value: input, Flag: "--input"},
		{Path: "run.dir", Value: dir, Flag: "--out"}, {Path: "superres.sample_steps", Value: "2", Flag: "--sample-steps"},
	}
	for path, value := range sets {
		overrides = append(overrides, pipeline.Override{Path: path, Value: value, Flag: path})
	}
	spec, err := pipeline.Parse("superres.yaml", src, overrides)
	if err != nil {
		t.Fatal(err)
	}
	before, pool, text := torchx.Live(), frames.NewPool(), &strings.Builder{}
	mem := memory.NewCheckedAllocator(pool)
	err = pipeline.Execute(context.Background(), spec, pipeline.Options{Out: text, Cache: t.TempDir(), Mem: mem})
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	mem.AssertSize(t, 0)
	if n := torchx.Live() - before; n != 0 {
		t.Errorf("%d tensors left", n)
	}
	if err := pool.Close(); err != nil {
		t.Error(err)
	}
	return dir, text.String()
}

// coarse writes two frames of the same values, (2,4,8,2).
func coarse(t *testing.T) string {
	t.Helper()
	values := make([]float32, 2*4*8*2)
	for i := range values {
		values[i] = float32(golden.N(5, uint64(i%(len(values)/2))))
	}
	path := filepath.Join(t.TempDir(), "x.npy")
	if err := npy.WriteFile(path, []int{2, 4, 8, 2}, values); err != nil {
		t.Fatal(err)
	}
	return path
}

// values reads an array of that shape.
func values(t *testing.T, path string, shape ...int) []float32 {
	t.Helper()
	found, values, err := npy.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(found, shape) {
		t.Fatalf("%s: shape %v, want %v", path, found, shape)
	}
	return values
}

func TestEnsemble(t *testing.T) {
	ofNumbers(t)
	checkpoint, input := trained(t), coarse(t)
	const frame = 8 * 16 * 2
	dir, _ := apply(t, checkpoint, input, map[string]string{"superres.samples": "3"})
	samples := values(t, filepath.Join(dir, "x.samples.npy"), 2, 3, 8, 16, 2)
	first := values(t, filepath.Join(dir, "x.npy"), 2, 8, 16, 2)
	mean := values(t, filepath.Join(dir, "x.mean.npy"), 2, 8, 16, 2)
	spread := values(t, filepath.Join(dir, "x.spread.npy"), 2, 8, 16, 2)
	for i := range first {
		at := i/frame*3*frame + i%frame
		a, b, c := float64(samples[at]), float64(samples[at+frame]), float64(samples[at+2*frame])
		m := (a + b + c) / 3
		golden.Near(t, "the first sample", float64(first[i]), a, 0)
		golden.Near(t, "mean", float64(mean[i]), m, 1e-6)
		golden.Near(t, "spread", float64(spread[i]), math.Sqrt(((a-m)*(a-m)+(b-m)*(b-m)+(c-m)*(c-m))/2), 1e-5)
	}
	if slices.Equal(samples[:frame], samples[frame:2*frame]) || slices.Equal(samples[frame:2*frame], samples[2*frame:3*frame]) {
		t.Error("two samples of a frame are the same")
	}
	if slices.Equal(first[:frame], first[frame:]) {
		t.Error("noise per_frame: two frames of the same input have the same noise")
	}

	fixed, _ := apply(t, checkpoint, input, map[string]string{"superres.noise": "fixed", "superres.samples": "2"})
	same := values(t, filepath.Join(fixed, "x.samples.npy"), 2, 2, 8, 16, 2)
	if !slices.Equal(same[:2*frame], same[2*frame:]) {
		t.Error("noise fixed: two frames of the same input differ")
	}
	if slices.Equal(same[:frame], same[frame:2*frame]) || !slices.Equal(same[:frame], first[:frame]) {
		t.Error("noise fixed: want frame 0's noise, another for each sample")
	}
}

// TestBatches: the same files, up to round-off, whatever the batch: its samples are of
// one frame, of several, or cut across them.
func TestBatches(t *testing.T) {
	ofNumbers(t)
	checkpoint, input := trained(t), coarse(t)
	all := func(batch string) (each [][]float32) {
		dir, _ := apply(t, checkpoint, input, map[string]string{"superres.samples": "3", "superres.batch": batch})
		for _, kind := range []string{"", ".mean", ".spread"} {
			each = append(each, values(t, filepath.Join(dir, "x"+kind+".npy"), 2, 8, 16, 2))
		}
		return append(each, values(t, filepath.Join(dir, "x.samples.npy"), 2, 3, 8, 16, 2))
	}
	want := all("1")
	for _, batch := range []string{"0", "2", "3", "4", "6", "7"} {
		for k, got := range all(batch) {
			for i, x := range got {
				golden.Near(t, "batch "+batch, float64(x), float64(want[k][i]), 1e-4)
			}
		}
	}
}

// TestFormats: Arrow and Parquet hold the values of the npy files, channels first.
func TestFormats(t *testing.T) {
	ofNumbers(t)
	checkpoint, input := trained(t), coarse(t)
	dir, _ := apply(t, checkpoint, input, map[string]string{"superres.samples": "2"})
	samples := values(t, filepath.Join(dir, "x.samples.npy"), 2, 2, 8, 16, 2)
	mean := values(t, filepath.Join(dir, "x.mean.npy"), 2, 8, 16, 2)
	for format, read := range map[string]func(*testing.T, string) (*arrow.Schema, []arrow.Record){"arrow": readArrow, "parquet": readParquet} {
		dir, _ := apply(t, checkpoint, input, map[string]string{"superres.samples": "2", "files_save.format": format})
		schema, rows := read(t, filepath.Join(dir, "x."+format))
		if names, _ := schema.Metadata().GetValue("channel_names"); names != `["a","b"]` {
			t.Errorf("%s: channel_names %q", format, names)
		}
		checkRows(t, rows, []string{"frame", "sample"}, [][]int32{{0, 0}, {0, 1}, {1, 0}, {1, 1}}, samples)
		_, rows = read(t, filepath.Join(dir, "x.mean."+format))
		checkRows(t, rows, []string{"frame"}, [][]int32{{0}, {1}}, mean)
		if left, _ := filepath.Glob(filepath.Join(dir, ".*.tmp-*")); left != nil {
			t.Errorf("left: %v", left)
		}
	}
}

func checkRows(t *testing.T, records []arrow.Record, integers []string, want [][]int32, last []float32) {
	t.Helper()
	row := 0
	for _, r := range records {
		f := r.Schema().Field(len(integers))
		if shape, _ := f.Metadata.GetValue("ARROW:extension:metadata"); f.Name != "x" || shape != `{"shape":[2,8,16],"dim_names":["C","H","W"]}` {
			t.Fatalf("%s: %s", f.Name, shape)
		}
		lists := r.Column(len(integers)).(*array.FixedSizeList)
		x := lists.ListValues().(*array.Float32).Float32Values()
		const cells = 8 * 16
		for i := range int(r.NumRows()) {
			for k, name := range integers {
				if got := r.Column(k).(*array.Int32).Value(i); r.Schema().Field(k).Name != name || got != want[row][k] {
					t.Errorf("row %d: %s is %d, want %s %d", row, r.Schema().Field(k).Name, got, name, want[row][k])
				}
			}
			if lists.IsNull(i) {
				t.Errorf("row %d is null", row)
			}
			for j := range 2 * cells {
				if got, want := x[i*2*cells+j], last[row*2*cells+j%cells*2+j/cells]; got != want {
					t.Fatalf("row %d, value %d: %g, want %g", row, j, got, want)
				}
			}
			row++
		}
		r.Release()
	}
	if row != len(want) {
		t.Errorf("%d rows, want %d", row, len(want))
	}
}

func readArrow(t *testing.T, path string) (*arrow.Schema, []arrow.Record) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := ipc.NewFileReader(f)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var all []arrow.Record
	for i := range r.NumRecords() {
		record, err := r.RecordAt(i)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, record)
	}
	return r.Schema(), all
}

func readParquet(t *testing.T, path string) (*arrow.Schema, []arrow.Record) {
	t.Helper()
	f, err := file.OpenParquetFile(path, false)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := pqarrow.NewFileReader(f, pqarrow.ArrowReadProperties{BatchSize: 1}, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	records, err := r.GetRecordReader(context.Background(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer records.Release()
	var all []arrow.Record
	for records.Next() {
		records.Record().Retain()
		all = append(all, records.Record())
	}
	schema, err := r.Schema()
	if err != nil {
		t.Fatal(err)
	}
	return schema, all
}

// TestCompare: the figures are those of the formulas, from the files.
func TestCompare(t *testing.T) {
	checkpoint, input := trained(t), coarse(t)
	const frame = 8 * 16 * 2
	truth := make([]float32, 2*frame)
	for i := range truth {
		truth[i] = float32(golden.N(6, uint64(i)))
	}
	path := filepath.Join(t.TempDir(), "x.npy")
	if err := npy.WriteFile(path, []int{2, 8, 16, 2}, truth); err != nil {
		t.Fatal(err)
	}
	dir, out := apply(t, checkpoint, input, map[string]string{"superres.samples": "2", "compare.truth": path})
	samples := values(t, filepath.Join(dir, "x.samples.npy"), 2, 2, 8, 16, 2)
	var mse, meanMSE, variance [2]float64
	for i, want := range truth {
		a, b := float64(samples[i/frame*2*frame+i%frame]), float64(samples[i/frame*2*frame+frame+i%frame])
		m := (a + b) / 2
		mse[i%2] += ((a-float64(want))*(a-float64(want)) + (b-float64(want))*(b-float64(want))) / 2 / frame
		meanMSE[i%2] += (m - float64(want)) * (m - float64(want)) / frame
		variance[i%2] += ((a-m)*(a-m) + (b-m)*(b-m)) / frame
	}
	var got struct {
		Samples int
		Grids   []struct {
			H, W, Frames int
			Sources      map[string]struct {
				MSE    float64
				Fields map[string]struct {
					MSE    float64
					Spread float64 `json:"spread_over_error"`
				}
			}
			Spectra map[string]map[string][]float64
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "comparison.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if got.Samples != 2 || len(got.Grids) != 1 || got.Grids[0].Frames != 2 {
		t.Fatalf("%s", text)
	}
	g := got.Grids[0]
	for c, name := range []string{"a", "b"} {
		golden.Near(t, "MSE of samples", g.Sources["sample"].Fields[name].MSE, mse[c], 1e-5)
		golden.Near(t, "MSE of the mean", g.Sources["mean"].Fields[name].MSE, meanMSE[c], 1e-5)
		golden.Near(t, "spread over error", g.Sources["mean"].Fields[name].Spread, math.Sqrt(1.5*variance[c]/meanMSE[c]), 1e-5)
		sum, square := 0.0, 0.0
		for _, p := range g.Spectra["truth"][name] {
			sum += p
		}
		for i := c; i < len(truth); i += 2 {
			square += float64(truth[i]) * float64(truth[i]) / frame
		}
		golden.Near(t, "Parseval of the truth", sum, square, 1e-5)
	}
	golden.Near(t, "MSE", g.Sources["sample"].MSE, (mse[0]+mse[1])/2, 1e-5)
	if !strings.Contains(out, "ensemble mean") {
		t.Errorf("no table:\n%s", out)
	}
}

// TestCoarseConstraint checks that pooling the output gives the input, to round-off,
// if the stage project follows or the sampler projects at each step, and that it does
// not otherwise, whatever the objective was. With one evaluation, the two are the same.
// eval's samples are projected by the same key.
func TestCoarseConstraint(t *testing.T) {
	ofNumbers(t)
	input := coarse(t)
	given := values(t, input, 2, 4, 8, 2)
	residual := func(dir string) (largest float64) {
		fine := values(t, filepath.Join(dir, "x.npy"), 2, 8, 16, 2)
		at := func(f, y, x, c int) float64 { return float64(fine[((f*8+y)*16+x)*2+c]) }
		for i, want := range given {
			f, y, x, c := i/64, i/16%4, i/2%8, i%2
			pooled := (at(f, 2*y, 2*x, c) + at(f, 2*y, 2*x+1, c) + at(f, 2*y+1, 2*x, c) + at(f, 2*y+1, 2*x+1, c)) / 4
			largest = max(largest, math.Abs(pooled-float64(want)))
		}
		return largest
	}
	for _, objective := range []string{"flow", "regression", "crps"} {
		checkpoint := trained(t, pipeline.Override{Path: "train.objective", Value: objective, Flag: "--objective"},
			pipeline.Override{Path: "train.base_noise", Value: "constrained", Flag: "--set"}, pipeline.Override{Path: "train.constraints", Value: "[coarse]", Flag: "--set"})
		free, _ := apply(t, checkpoint, input, nil)
		if r := residual(free); r < 1e-2 {
			t.Errorf("%s, without a constraint: pooling residual %g: want one to take away", objective, r)
		}
		after, _ := applyWith(t, "project", checkpoint, input, nil)
		if r := residual(after); r > 2e-6 {
			t.Errorf("%s, project below superres: pooling residual %g", objective, r)
		}
		within, _ := apply(t, checkpoint, input, map[string]string{"superres.constraints": "[coarse]"})
		if r := residual(within); r > 2e-6 {
			t.Errorf("%s, superres.constraints: pooling residual %g", objective, r)
		}
		if objective != "flow" {
			want := values(t, filepath.Join(after, "x.npy"), 2, 8, 16, 2)
			for i, v := range values(t, filepath.Join(within, "x.npy"), 2, 8, 16, 2) {
				golden.Near(t, objective+", projected within", float64(v), float64(want[i]), 2e-6)
			}
		}
	}

	root := data(t, 0)
	metrics := func(sets ...pipeline.Override) string {
		var out strings.Builder
		dir := t.TempDir()
		sets = append(sets, pipeline.Override{Path: "run.dir", Value: dir, Flag: "--out"})
		if err := run(t, context.Background(), root, &out, sets...); err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
		data, err := os.ReadFile(filepath.Join(dir, "metrics.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	if metrics() == metrics(pipeline.Override{Path: "eval.constraints", Value: "[coarse]", Flag: "--set"}) {
		t.Error("eval.constraints changes no metric")
	}
}

// TestDivBConstraint checks that the output has no divergence at the corners of cells, and
// the input's averages, if the stage project follows or the sampler projects, also for a model
// that was trained with noise without divergence; and that coarse fields without such fine
// fields are named.
func TestDivBConstraint(t *testing.T) {
	ofNumbers(t)
	keys := func(stage string, more map[string]string) map[string]string {
		sets := map[string]string{stage + ".constraints": "[coarse, divb]", stage + ".magnetic": "[a, b, none]"}
		maps.Copy(sets, more)
		return sets
	}
	var trainKeys []pipeline.Override
	for path, value := range keys("train", map[string]string{"train.base_noise": "constrained"}) {
		trainKeys = append(trainKeys, pipeline.Override{Path: path, Value: value, Flag: "--set"})
	}
	dir := t.TempDir()
	var out strings.Builder
	if err := run(t, context.Background(), data(t, 0), &out, append(trainKeys, pipeline.Override{Path: "run.dir", Value: dir, Flag: "--out"})...); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	limited := filepath.Join(dir, "checkpoint.pt")

	// averages of a field without divergence, from a potential
	potential := func(y, x int) float64 { return golden.N(7, uint64((y+8)%8*16+(x+16)%16)) }
	field := func(y, x, c int) float64 {
		if c == 0 {
			return potential(y+1, x) - potential(y, x) + potential(y+1, x+1) - potential(y, x+1)
		}
		return potential(y, x) - potential(y, x+1) + potential(y+1, x) - potential(y+1, x+1)
	}
	given := make([]float32, 4*8*2)
	for i := range given {
		y, x, c := i/16, i/2%8, i%2
		given[i] = float32((field(2*y, 2*x, c) + field(2*y, 2*x+1, c) + field(2*y+1, 2*x, c) + field(2*y+1, 2*x+1, c)) / 4)
	}
	input := filepath.Join(t.TempDir(), "x.npy")
	if err := npy.WriteFile(input, []int{1, 4, 8, 2}, given); err != nil {
		t.Fatal(err)
	}
	residual := func(dir string) (divergence, averages float64) {
		fine := values(t, filepath.Join(dir, "x.npy"), 1, 8, 16, 2)
		at := func(y, x, c int) float64 { return float64(fine[((y%8)*16+x%16)*2+c]) }
		for i := range 8 * 16 {
			y, x := i/16, i%16
			divergence = max(divergence, math.Abs(at(y, x+1, 0)-at(y, x, 0)+at(y+1, x+1, 0)-at(y+1, x, 0)+at(y+1, x, 1)-at(y, x, 1)+at(y+1, x+1, 1)-at(y, x+1, 1)))
		}
		for i, want := range given {
			y, x, c := i/16*2, i/2%8*2, i%2
			averages = max(averages, math.Abs((at(y, x, c)+at(y, x+1, c)+at(y+1, x, c)+at(y+1, x+1, c))/4-float64(want)))
		}
		return divergence, averages
	}
	for _, c := range []struct {
		name, stage, checkpoint string
		sets                    map[string]string
		holds                   bool
	}{
		{"free", "", limited, nil, false},
		{"after", "project", limited, keys("project", nil), true},
		{"within", "", limited, keys("superres", nil), true},
		{"within the SDE, an ensemble in one batch", "", limited, keys("superres", map[string]string{"superres.sde_delta": "0.5", "superres.samples": "2", "superres.batch": "2"}), true},
	} {
		dir, out := applyWith(t, c.stage, c.checkpoint, input, c.sets)
		divergence, averages := residual(dir)
		if c.holds != (divergence < 1e-5 && averages < 1e-5) {
			t.Errorf("%s: divergence %g, averages off by %g", c.name, divergence, averages)
		}
		if strings.Contains(out, "contradicts") {
			t.Errorf("%s: a coarse field that is the average of a field without divergence contradicts:\n%s", c.name, out)
		}
	}
	for stage, key := range map[string]string{"project": "project", "": "superres"} {
		if _, out := applyWith(t, stage, limited, coarse(t), keys(key, nil)); strings.Count(out, "the coarse input contradicts the constraints") != 1 {
			t.Errorf("%s: random averages: want a warning that they contradict div B = 0:\n%s", key, out)
		}
	}
}

// TestLogarithm: a positive field that is normalized by its logarithm gives the same metrics of
// the bilinear input, which are in physical units; its samples are positive, whatever the
// model makes, and keep the input's averages, if asked to.
func TestLogarithm(t *testing.T) {
	ofNumbers(t)
	root := t.TempDir()
	for _, seed := range []string{"seed_0000", "seed_0001"} {
		dir := filepath.Join(root, "set", seed, "npy")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		fields := make([]float32, 4*8*8*2)
		for i := range fields {
			fields[i] = float32(math.Exp(2 * golden.N(3, uint64(i))))
		}
		if err := npy.WriteFile(filepath.Join(dir, "f.npy"), []int{4, 8, 8, 2}, fields); err != nil {
			t.Fatal(err)
		}
	}
	train := func(log string) (dir string, bilinear float64) {
		dir = t.TempDir()
		var out strings.Builder
		if err := run(t, context.Background(), root, &out, pipeline.Override{Path: "run.dir", Value: dir, Flag: "--out"},
			pipeline.Override{Path: "normalize.log", Value: log, Flag: "--set"}); err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
		lines, err := os.ReadFile(filepath.Join(dir, "metrics.jsonl"))
		if err != nil {
			t.Fatal(err)
		}
		var last map[string]float64
		for line := range strings.Lines(string(lines)) {
			if err := json.Unmarshal([]byte(line), &last); err != nil {
				t.Fatal(err)
			}
		}
		return dir, last["val/mse_lo"]
	}
	_, plain := train("[]")
	dir, logged := train("[a]")
	golden.Near(t, "the bilinear input's error over that without logarithms", logged/plain, 1, 1e-5)

	input := filepath.Join(t.TempDir(), "x.npy")
	given := make([]float32, 4*8*2)
	for i := range given {
		given[i] = float32(math.Exp(2 * golden.N(5, uint64(i))))
	}
	if err := npy.WriteFile(input, []int{1, 4, 8, 2}, given); err != nil {
		t.Fatal(err)
	}
	for stage, sets := range map[string]map[string]string{"": {"superres.constraints": "[coarse]"}, "project": nil} {
		noisy := map[string]string{"superres.base_noise_scale": "2"}
		maps.Copy(noisy, sets)
		out, _ := applyWith(t, stage, filepath.Join(dir, "checkpoint.pt"), input, noisy)
		fine := values(t, filepath.Join(out, "x.npy"), 1, 8, 16, 2)
		at := func(y, x, c int) float64 { return float64(fine[(y*16+x)*2+c]) }
		negative := false
		for i, want := range given {
			y, x, c := i/16*2, i/2%8*2, i%2
			pooled := (at(y, x, c) + at(y, x+1, c) + at(y+1, x, c) + at(y+1, x+1, c)) / 4
			golden.Near(t, stage+": average", pooled, float64(want), 1e-4*float64(1+want))
			for _, v := range []float64{at(y, x, c), at(y, x+1, c), at(y+1, x, c), at(y+1, x+1, c)} {
				if c == 0 && !(v > 0) {
					t.Errorf("%q: a positive field is %g", stage, v)
				}
				negative = negative || v < 0
			}
		}
		if !negative {
			t.Errorf("%q: no value of the field without a logarithm is negative: the test tests nothing", stage)
		}
	}
}

// TestFilm: a film has a picture of the start and of each step, of the frame and field that
// it names, whether there is a truth or not, and changes no output.
func TestFilm(t *testing.T) {
	checkpoint, input := trained(t), coarse(t)
	plain, _ := apply(t, checkpoint, input, map[string]string{"superres.samples": "2", "superres.batch": "3", "superres.solver": "heun"})
	for _, truth := range []string{"", filepath.Join(t.TempDir(), "x.npy")} {
		file := filepath.Join(t.TempDir(), "film.gif")
		sets := map[string]string{
			"superres.samples": "2", "superres.batch": "3", "superres.solver": "heun", "film.file": file, "film.frame": "1", "film.field": "b",
		}
		if truth != "" {
			if err := npy.WriteFile(truth, []int{2, 8, 16, 2}, make([]float32, 2*8*16*2)); err != nil {
				t.Fatal(err)
			}
			sets["film.truth"] = truth
		}
		dir, out := apply(t, checkpoint, input, sets)
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		film, err := gif.DecodeAll(bytes.NewReader(data))
		if err != nil || len(film.Image) != 3 || !strings.Contains(out, "3 pictures") {
			t.Errorf("a film of %d pictures, want 3: %v\n%s", len(film.Image), err, out)
		}
		want := values(t, filepath.Join(plain, "x.samples.npy"), 2, 2, 8, 16, 2)
		if got := values(t, filepath.Join(dir, "x.samples.npy"), 2, 2, 8, 16, 2); !slices.Equal(got, want) {
			t.Error("samples differ for being filmed")
		}
	}
}
