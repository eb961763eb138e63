package dataset

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr.example/fmsr/internal/format/npy"
	"fmsr.example/fmsr/internal/frames"
)

// TestArrays: one file and a file a field give the same frames, which outlive the
// files.
func TestArrays(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, shape []int, values ...float32) string {
		path := filepath.Join(dir, name)
		if err := npy.WriteFile(path, shape, values); err != nil {
			t.Fatal(err)
		}
		return path
	}
	a, b := write("a.npy", []int{2, 1, 2}, 0, 1, 2, 3), write("b.npy", []int{2, 1, 2, 1}, 10, 11, 12, 13)
	for name, f := range map[string]Files{
		"whole":  {Path: write("ab.npy", []int{2, 1, 2, 2}, 0, 10, 1, 11, 2, 12, 3, 13)},
		"fields": {Fields: []string{a, b}},
	} {
		arrays, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if arrays.F != 2 || arrays.H != 1 || arrays.W != 2 || arrays.C != 2 {
			t.Errorf("%s: %d frames, %d x %d, %d channels", name, arrays.F, arrays.H, arrays.W, arrays.C)
		}
		frame, err := arrays.Frame(memory.DefaultAllocator, 1)
		if err != nil {
			t.Fatal(err)
		}
		arrays.Close()
		if got := frames.Floats(frame); !slices.Equal(got, []float32{2, 12, 3, 13}) {
			t.Errorf("%s: frame 1 is %v", name, got)
		}
		frame.Release()
	}
}

// TestRunMeasures: the seeds of a run have its fields and one grid.
func TestRunMeasures(t *testing.T) {
	dir := t.TempDir()
	run := Run{Fields: []string{"f"}}
	for _, c := range []struct {
		name  string
		shape []int
		err   string
	}{
		{"a.npy", []int{3, 1, 2, 1}, ""},
		{"b.npy", []int{1, 1, 2, 2}, "b.npy: 2 channels, but fields names 1: f"},
		{"c.npy", []int{1, 2, 1, 1}, "c.npy: grid 2 x 1, but the simulations before it have 1 x 2"},
	} {
		path, n := filepath.Join(dir, c.name), 1
		for _, d := range c.shape {
			n *= d
		}
		if err := npy.WriteFile(path, c.shape, make([]float32, n)); err != nil {
			t.Fatal(err)
		}
		switch got, err := run.Measure(&Seed{Files: Files{Path: path}}); {
		case c.err == "" && (err != nil || len(got) != c.shape[0]):
			t.Errorf("%s: frames %v, %v", c.name, got, err)
		case c.err != "" && (err == nil || err.Error() != filepath.Join(dir, c.err)):
			t.Errorf("%s: %v, want %s", c.name, err, c.err)
		}
	}
}

// TestReplaced: a file that was replaced by another of its size and time of modification
// has another identity, and is not read on.
func TestReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f.npy")
	write := func(value float32) {
		if err := npy.WriteFile(path, []int{2, 1, 1, 1}, []float32{value, value}); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, time.Unix(1.7e9, 0), time.Unix(1.7e9, 0)); err != nil {
			t.Fatal(err)
		}
	}
	measure := func() (s Seed, identity string) {
		s = Seed{Files: Files{Path: path}, Frames: []int{0, 1}}
		if _, err := (&Run{Fields: []string{"a"}}).Measure(&s); err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		s.Identify(&text)
		return s, text.String()
	}
	write(1)
	s, before := measure()
	emit := func() error {
		return s.Emit(context.Background(), memory.DefaultAllocator, Run{Fields: []string{"a"}}, func(f *frames.Frames) error { f.Release(); return nil })
	}
	if err := emit(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(20 * time.Millisecond) // a file system's clock ticks
	write(2)
	if err := emit(); err == nil || !strings.HasPrefix(err.Error(), path+": it was replaced or changed since this run started") {
		t.Errorf("reading on: %v", err)
	}
	if _, after := measure(); after == before {
		t.Errorf("the identity is still %s", after)
	}
}
