package sinks_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/array"

	"fmsr.example/fmsr/internal/dataset/exportset"
	"fmsr.example/fmsr/internal/testkit/akfile"
	"fmsr.example/fmsr/pipeline"
)

// TestTimes: the times of AthenaK's frames are in an export's manifest, in the spectra of
// the run and in those of the exported set.
func TestTimes(t *testing.T) {
	root, dir := t.TempDir(), t.TempDir()
	err := akfile.Fields(filepath.Join(root, "run1"), 3, 4, 4, func(_ string, frame, y, x int) float64 { return float64(frame*x + y*y) })
	if err != nil {
		t.Fatal(err)
	}
	run := func(name, flow string) string {
		t.Helper()
		out := filepath.Join(dir, name)
		spec, err := pipeline.Parse("times.yaml", []byte("version: 1\nrun: {name: times, overfit: false}\nflow:\n"+flow), []pipeline.Override{
			{Path: "run.dir", Value: out, Flag: "--out"},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := pipeline.Execute(context.Background(), spec, pipeline.Options{Out: &strings.Builder{}, Cache: t.TempDir()}); err != nil {
			t.Fatal(err)
		}
		return out
	}
	load := "  - athena_load: {root: " + root + ", fields: [jz, Bx], frames: [1, 2]}\n  - channel_select: {channels: all}\n  - pool_upsample:\n"
	set := run("set", load+"  - export:\n")
	m, err := exportset.Read(filepath.Join(set, exportset.ManifestName))
	if err != nil {
		t.Fatal(err)
	}
	if f := m.Files[0]; !slices.Equal(f.Times, []float64{0.5, 1}) || !slices.Equal(f.Cycles, []int{10, 20}) || f.Seed != 1 {
		t.Errorf("seed %d, times %v, cycles %v", f.Seed, f.Times, f.Cycles)
	}
	for name, flow := range map[string]string{"run": load, "exported": "  - arrow_load: {input: " + set + "}\n"} {
		table := readTable(t, filepath.Join(run(name, flow+"  - spectra:\n"), "spectra.parquet"))
		frames, times := columnOf[int32](t, table, "frame"), columnOf[float64](t, table, "time")
		for i, time := range times {
			if time != float64(frames[i])/2 {
				t.Fatalf("%s: row %d, frame %d is of time %g", name, i, frames[i], time)
			}
		}
	}
}

// TestTimesOfSamples: superres's input and truth may be AthenaK's, and physics.parquet has the
// times of the input. A value of all frames has none.
func TestTimesOfSamples(t *testing.T) {
	ofNumbers(t)
	checkpoint := trained(t)
	write := func(h, w int) string {
		folder := filepath.Join(t.TempDir(), "x")
		run := akfile.Run{N: [3]int{w, h, 1}, Block: [3]int{w, h, 1}, Box: [3]float64{2, 1, 1}}
		for frame := range 2 {
			m := akfile.Moment{Time: 3 + float64(frame), Variables: []string{"b", "eint", "a"}, Value: func(v string, x, y, _ int) float64 {
				return float64(v[0]%3) + float64(frame+1)*float64(y*16/h*(x*16/w))/100
			}}
			if err := run.Write(filepath.Join(folder, "bin", fmt.Sprintf("t.mhd.%05d.bin", frame+7)), m, nil); err != nil {
				t.Fatal(err)
			}
		}
		return folder
	}
	input := write(4, 8)
	dir, _ := apply(t, checkpoint, input, map[string]string{"files_save.format": "arrow"})
	_, rows := readArrow(t, filepath.Join(dir, "x.arrow"))
	for i, row := range rows {
		number, time := row.Column(0).(*array.Int32).Value(0), row.Column(2).(*array.Float64).Value(0)
		if number != int32(7+i) || time != 3+float64(i) {
			t.Errorf("row %d is frame %d, t = %g", i, number, time)
		}
	}
	dir, _ = apply(t, checkpoint, input, map[string]string{"physics.truth": write(8, 16), "compare.truth": ""})
	table := readTable(t, filepath.Join(dir, "physics.parquet"))
	frames, times := columnOf[int32](t, table, "frame"), table.Column(table.Schema().FieldIndices("time")[0]).Data().Chunk(0).(*array.Float64)
	seen := map[int32]int{}
	for i, frame := range frames {
		seen[frame]++
		if known := times.IsValid(i); known != (frame >= 0) || known && times.Value(i) != float64(frame)-4 {
			t.Fatalf("row %d, frame %d is of time %s", i, frame, times.ValueStr(i))
		}
	}
	if len(seen) != 3 {
		t.Errorf("rows of frames %v", seen)
	}
}

// TestNoTimes: the time is null where the files do not say it.
func TestNoTimes(t *testing.T) {
	root, dir := t.TempDir(), t.TempDir()
	spectraInput(t, root, 1, 2, 8, 8, 1)
	report(t, "version: 1\nrun: {name: spectra, overfit: false}\nflow:\n  - npy_load: {set: set, fields: [a]}\n  - channel_select: {channels: a}\n  - spectra:\n", root, dir)
	table := readTable(t, filepath.Join(dir, "spectra.parquet"))
	for _, chunk := range table.Column(table.Schema().FieldIndices("time")[0]).Data().Chunks() {
		if chunk.(*array.Float64).NullN() != chunk.Len() || chunk.Len() == 0 {
			t.Errorf("%d nulls of %d", chunk.NullN(), chunk.Len())
		}
	}
}
