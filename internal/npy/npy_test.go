package npy

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	for _, shape := range [][]int{{3}, {2, 3}, {2, 3, 4, 5}} {
		path := filepath.Join(t.TempDir(), "a.npy")
		n := 1
		for _, d := range shape {
			n *= d
		}
		values := make([]float32, n)
		for i := range values {
			values[i] = float32(i) - 1.5
		}
		if err := WriteFile(path, shape, values); err != nil {
			t.Fatal(err)
		}
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(f.Shape, shape) || !slices.Equal(f.Data(), values) {
			t.Errorf("read %v %v, want %v %v", f.Shape, f.Data(), shape, values)
		}
		if f.start%64 != 0 {
			t.Errorf("values start at %d, want a multiple of 64", f.start)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

// file is a version 1.0 npy with that dictionary and so many bytes of values.
func file(dict string, values int) []byte {
	head := Header([]int{1})
	head = append(head[:10:10], dict+strings.Repeat(" ", 117-len(dict))+"\n"...)
	head[8], head[9] = 118, 0
	return append(head, make([]byte, values)...)
}

func TestBadFiles(t *testing.T) {
	good := file("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }", 16)
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"empty":      {nil, "not an npy file: 0 bytes long"},
		"text":       {[]byte("density velx vely\n1 2 3\n"), `not an npy file: it starts with "densit"`},
		"truncated":  {good[:len(good)-1], "truncated: 143 bytes, want 144 for shape [2 2]"},
		"longer":     {append(slices.Clone(good), 0), "longer than its array: 145 bytes, want 144 for shape [2 2]"},
		"header cut": {good[:40], "truncated within the npy header"},
		"float64":    {file("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2), }", 32), `dtype "<f8": want '<f4'`},
		"integers":   {file("{'descr': '<i4', 'fortran_order': False, 'shape': (2, 2), }", 16), `dtype "<i4": want '<f4'`},
		"big-endian": {file("{'descr': '>f4', 'fortran_order': False, 'shape': (2, 2), }", 16), `dtype ">f4": want '<f4'`},
		"objects":    {file("{'descr': '|O', 'fortran_order': False, 'shape': (2, 2), }", 16), `dtype "|O": want '<f4'`},
		"fortran":    {file("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 2), }", 16), "the array is in Fortran order: want C order"},
		"no frames":  {file("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 2), }", 0), "shape [0 2]: want every dimension at least 1"},
		"overflow":   {file("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 8), }", 16), "too large"},
		"no dict":    {file("hello", 16), "npy header"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "bad.npy")
			if err := os.WriteFile(path, c.data, 0o644); err != nil {
				t.Fatal(err)
			}
			_, err := Open(path)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("error %v, want the path and %q", err, c.want)
			}
		})
	}
	if _, err := Open(t.TempDir()); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("a folder: %v", err)
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none.npy")); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("a missing file: %v", err)
	}
}

// FuzzOpen: any bytes give an array of the file's own size or an error.
func FuzzOpen(f *testing.F) {
	f.Add(file("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }", 16))
	f.Add(file("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 2), }", 16))
	f.Add([]byte("\x93NUMPY\x02\x00\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "f.npy")
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		a, err := Open(path)
		if err != nil {
			return
		}
		defer a.Close()
		if n := len(a.Data()); 4*n > len(data) {
			t.Errorf("%d values from %d bytes", n, len(data))
		}
	})
}
