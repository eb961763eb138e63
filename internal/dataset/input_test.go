package dataset

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fmsr.example/fmsr/internal/format/hdf5"
)

// TestInput: an npz file gives its fields' names without being asked, and a file may be one
// frame.
func TestInput(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	ones := func(n int) []float32 { return slices.Repeat([]float32{1}, n) }
	array := func(shape ...int) []byte {
		n := 1
		for _, d := range shape {
			n *= d
		}
		return npyBytes(shape, false, ones(n))
	}
	time := array(1)
	for _, c := range []struct {
		what   string
		path   string
		fields []string
		names  string
		shape  [4]int // F H W C; 0: an error that says want
		want   string
	}{
		{"an array a field", write("a.npz", npzBytes(t, map[string][]byte{"Bx": array(5, 4, 3), "rho": array(5, 4, 3), "t": time})), nil, "Bx rho", [4]int{5, 4, 3, 2}, ""},
		{"a field of them", filepath.Join(dir, "a.npz"), []string{"rho"}, "rho", [4]int{5, 4, 3, 1}, ""},
		{"a frame, an array a field", write("b.npz", npzBytes(t, map[string][]byte{"Bx": array(4, 6), "rho": array(4, 6), "t": time})), nil, "Bx rho", [4]int{1, 4, 6, 2}, ""},
		{"one array beside the times", write("c.npz", npzBytes(t, map[string][]byte{"u": array(5, 4, 4, 2), "t": time})), nil, "", [4]int{5, 4, 4, 2}, ""},
		{"the same, named", filepath.Join(dir, "c.npz"), []string{"Bx", "By"}, "Bx By", [4]int{5, 4, 4, 2}, ""},
		{"one frame", write("d.npy", array(6, 4, 2)), nil, "", [4]int{1, 6, 4, 2}, ""},
		{"one field", filepath.Join(dir, "d.npy"), []string{"Bx"}, "Bx", [4]int{6, 4, 2, 1}, ""},
		{"channels first", write("e.npy", array(2, 6, 4)), nil, "", [4]int{}, "e.npy: shape [2 6 4], want (frames, H, W, channels), or (H, W, channels), one frame"},
	} {
		f, names, err := Input(c.path, c.fields)
		slices.Sort(names) // in the order of the file
		if err != nil || strings.Join(names, " ") != c.names {
			t.Errorf("%s: fields %v, %v", c.what, names, err)
			continue
		}
		a, err := f.Open()
		if c.want != "" {
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v, want %s", c.what, err, c.want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.what, err)
			continue
		}
		if got := [4]int{a.F, a.H, a.W, a.C}; got != c.shape {
			t.Errorf("%s: %v, want %v", c.what, got, c.shape)
		}
		a.Close()
	}
	// A folder of a file a field is an input, and so is each in a folder of them.
	inputs := filepath.Join(dir, "inputs")
	for name, shape := range map[string][]int{"run1/rho.npy": {5, 4, 6}, "run1/Bx.npy": {5, 4, 6}, "run2/rho.npy": {4, 6}, "run2/Bx.npy": {4, 6}, "other/a.npy": {8, 6, 2}, "other/b.npy": {8, 6, 2}} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(inputs, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		write("inputs/"+name, array(shape...))
	}
	for _, fields := range [][]string{nil, {"rho"}} {
		found, err := FindFiles(inputs, fields)
		if err != nil || len(found) != 2 {
			t.Fatalf("%v, %v: want run1 and run2", found, err)
		}
		for i, frames := range []int{5, 1} {
			f, names, err := Input(found[i], fields)
			if err != nil {
				t.Fatal(err)
			}
			a, err := f.Open()
			if err != nil {
				t.Fatal(err)
			}
			if want := cmp.Or(len(fields), 2); a.F != frames || a.H != 4 || a.W != 6 || a.C != want || len(names) != want {
				t.Errorf("%s: %d frames of %d x %d, %d channels, %v", found[i], a.F, a.H, a.W, a.C, names)
			}
			a.Close()
		}
	}
	if found, err := FindFiles(filepath.Join(inputs, "other"), nil); err != nil || len(found) != 2 {
		t.Errorf("%v, %v: want files of frames", found, err)
	}
	// Names of fields may be names of files that have all fields.
	whole := filepath.Join(dir, "whole")
	if err := os.Mkdir(whole, 0o755); err != nil {
		t.Fatal(err)
	}
	write("whole/rho.npy", array(2, 8, 6, 2))
	write("whole/Bx.npy", array(2, 8, 6, 2))
	if found, err := FindFiles(whole, []string{"rho", "Bx"}); err != nil || len(found) != 2 {
		t.Errorf("%v, %v: want files of frames", found, err)
	}
	// So is an HDF5 file with a dataset for each field.
	if err := hdf5.Usable(); err == nil {
		f, names, err := Input("../format/hdf5/testdata/fields.h5", nil)
		if err != nil {
			t.Fatal(err)
		}
		a, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Join(names, " ") != "Bx rho" || [4]int{a.F, a.H, a.W, a.C} != [4]int{2, 4, 6, 2} {
			t.Errorf("%v: %d frames of %d x %d, %d channels", names, a.F, a.H, a.W, a.C)
		}
		a.Close()
	}
	// A run's file that is a frame says how to name such files.
	f := Files{Path: filepath.Join(dir, "e.npy"), Form: Form{Axes: "FCHW"}}
	want := "want (frames, channels, H, W). If each file is one frame, name the files by npy_load.pattern, with {frame} for the number, as snap_{frame}.npy"
	if _, err := f.Open(); err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
}
