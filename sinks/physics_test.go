package sinks_test

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fmsr.example/fmsr/internal/format/npy"
	"fmsr.example/fmsr/internal/testkit/golden"
)

// TestPhysics: the tables have the errors of the files, a row for each member and none that is
// not a number; the page has its pictures. Without a truth there is no report.
func TestPhysics(t *testing.T) {
	ofNumbers(t)
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
	dir, out := apply(t, checkpoint, input, map[string]string{"superres.samples": "2", "physics.truth": path, "run.name": "one"})
	samples := values(t, filepath.Join(dir, "x.samples.npy"), 2, 2, 8, 16, 2)
	mse := func(frameIndex, member, field int) (sum float64) {
		for i := field; i < frame; i += 2 {
			d := float64(samples[(2*frameIndex+member)*frame+i]) - float64(truth[frameIndex*frame+i])
			sum += d * d * 2 / frame
		}
		return sum
	}
	table := readTable(t, filepath.Join(dir, "physics.parquet"))
	run, files, fields := columnOf[string](t, table, "run"), columnOf[string](t, table, "file"), columnOf[string](t, table, "field")
	metric, source := columnOf[string](t, table, "metric"), columnOf[string](t, table, "source")
	frames, members, value := columnOf[int32](t, table, "frame"), columnOf[int32](t, table, "member"), columnOf[float64](t, table, "value")
	found := 0
	for i, v := range value {
		if math.IsNaN(v) || math.IsInf(v, 0) || run[i] != "one" || files[i] != "x" {
			t.Fatalf("row %d: %s of %s of %s is %g", i, metric[i], files[i], run[i], v)
		}
		if metric[i] == "mse" && source[i] == "sample" && fields[i] == "b" && frames[i] >= 0 {
			found++
			golden.Near(t, "MSE of a sample", v, mse(int(frames[i]), int(members[i]), 1), 1e-6)
		}
		if metric[i] == "mse" && source[i] == "sample" && fields[i] == "a" && frames[i] < 0 {
			found++
			golden.Near(t, "MSE of all samples", v, (mse(0, 0, 0)+mse(0, 1, 0)+mse(1, 0, 0)+mse(1, 1, 0))/4, 1e-6)
		}
	}
	if found != 5 {
		t.Errorf("%d rows of mse, want 4 of frames and members, and one of all", found)
	}
	summary := readTable(t, filepath.Join(dir, "physics_summary.parquet"))
	for i, n := range columnOf[int32](t, summary, "resamples") {
		if n != 0 || columnOf[float64](t, summary, "low")[i] != columnOf[float64](t, summary, "value")[i] {
			t.Fatal("an interval of one file")
		}
	}
	page, err := os.ReadFile(filepath.Join(dir, "report.html"))
	if err != nil || strings.Count(string(page), `data:image/png`) != 7 || !strings.Contains(string(page), `<th scope="row">coherence in the lost band</th>`) || !strings.Contains(string(page), `<code>coherence, band lost</code>`) {
		t.Errorf("report.html: %v, %d pictures", err, strings.Count(string(page), `data:image/png`))
	}
	if !strings.Contains(out, "physics.parquet") {
		t.Errorf("%s", out)
	}
	dir, _ = apply(t, checkpoint, input, nil)
	if _, err := os.Stat(filepath.Join(dir, "physics.parquet")); err == nil {
		t.Error("a report without a truth")
	}
}
