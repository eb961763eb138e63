package npy

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	npyio "github.com/sbinet/npyio/npy"

	"fmsr.example/fmsr/internal/format/floats"
	"fmsr.example/fmsr/internal/testkit/fuzzlimit"
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
		gotShape, got, err := ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(gotShape, shape) || !slices.Equal(got, values) {
			t.Errorf("read %v %v, want %v %v", gotShape, got, shape, values)
		}
		if start := len(header(shape)); start%64 != 0 {
			t.Errorf("values start at %d, want a multiple of 64", start)
		}
	}
}

// file is a version 1.0 npy with that dictionary and so many bytes of values.
func file(dict string, values int) []byte {
	head := header([]int{1})
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
		"float64":    {file("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2), }", 16), "truncated: 144 bytes, want 160 for shape [2 2]"},
		"integers":   {file("{'descr': '<i4', 'fortran_order': False, 'shape': (2, 2), }", 16), `dtype "<i4": want float32, float64 or float16 (numpy: a.astype('<f4'))`},
		"complex":    {file("{'descr': '<c8', 'fortran_order': False, 'shape': (2, 2), }", 32), `dtype "<c8": want float32`},
		"objects":    {file("{'descr': '|O', 'fortran_order': False, 'shape': (2, 2), }", 16), `dtype "|O": want float32`},
		"structured": {file("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2, 2), }", 16), "want float32"},
		"extended":   {file("{'descr': '<f16', 'fortran_order': False, 'shape': (2, 2), }", 64), `dtype "<f16": want float32`},
		"no frames":  {file("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 2), }", 0), "shape [0 2]: want every dimension at least 1"},
		"no axes":    {file("{'descr': '<f4', 'fortran_order': False, 'shape': (), }", 4), "a number without axes: want an array of frames"},
		"overflow":   {file("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 8), }", 16), "too large"},
		"no dict":    {file("hello", 16), "npy header \"hello\": want {'descr'"},
		"no order":   {file("{'descr': '<f4', 'shape': (2, 2), }", 16), "2 keys"},
		"two types":  {file("{'descr': '<f4', 'descr': '<f8', 'fortran_order': False, 'shape': (2, 2)}", 16), `key "descr" is there twice`},
		"more keys":  {file("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), 'x': 1}", 16), `unknown key "x"`},
		"negative":   {file("{'descr': '<f4', 'fortran_order': False, 'shape': (-2, 2), }", 16), "want a length before \"-2, 2"},
		"no comma":   {file("{'descr': '<f4', 'fortran_order': False, 'shape': (2 2), }", 16), "want a comma or ) before \"2)"},
		"a sequel":   {file("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2)} x", 16), "\"x\" behind its end"},
		"unclosed":   {file("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), ", 16), "want text before"},
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
	if _, err := Open(t.TempDir()); err == nil || !strings.Contains(err.Error(), "it is a folder: want a file") {
		t.Errorf("a folder: %v", err)
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none.npy")); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("a missing file: %v", err)
	}
}

// TestTypes: every type gives the float32 values that it was made from.
func TestTypes(t *testing.T) {
	want := []float32{1.5, -2, 0, 1024, 0x1p-14, 0x1p-24, float32(math.Inf(1)), -0.25} // exact in float16
	half := []uint16{0x3e00, 0xc000, 0, 0x6400, 0x0400, 0x0001, 0x7c00, 0xb400}
	for dtype := range floats.Sizes {
		if floats.Lost(dtype, false) != dtype {
			continue // no file has it
		}
		var order binary.AppendByteOrder = binary.LittleEndian
		if dtype[0] == '>' {
			order = binary.BigEndian
		}
		data := file("{'descr': '"+dtype+"', 'fortran_order': False, 'shape': (2, 4), }", 0)
		for i, v := range want {
			switch dtype[1:] {
			case "f2":
				data = order.AppendUint16(data, half[i])
			case "f4":
				data = order.AppendUint32(data, math.Float32bits(v))
			case "f8":
				data = order.AppendUint64(data, math.Float64bits(float64(v)))
			}
		}
		f := open(t, "a.npy", data, "")
		if f.DType != dtype {
			t.Errorf("%s: dtype %s", dtype, f.DType)
		}
		checkRead(t, dtype, f, want)
	}
	beyond := file("{'descr': '<f8', 'fortran_order': False, 'shape': (1,), }", 0)
	f := open(t, "a.npy", binary.LittleEndian.AppendUint64(beyond, math.Float64bits(-1e300)), "")
	checkRead(t, "-1e300", f, []float32{float32(math.Inf(-1))})
	third := file("{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }", 0)
	third = binary.LittleEndian.AppendUint64(third, math.Float64bits(1e5/3.0))
	f = open(t, "a.npy", binary.LittleEndian.AppendUint64(third, math.Float64bits(-1e-60)), "")
	exact, rounded := 1e5/3.0, float32(1e5/3.0)
	f.Low(true)
	checkRead(t, "lost", f, []float32{float32(exact - float64(rounded)), math.SmallestNonzeroFloat32})
	f.Low(false)
	checkRead(t, "kept", f, []float32{rounded, float32(math.Copysign(0, -1))})
}

// TestHeaders: a header is read however Python may write it, with its length in two or in
// four bytes.
func TestHeaders(t *testing.T) {
	for _, c := range []struct {
		dict, dtype string
		fortran     bool
	}{
		{"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}", "<f4", false},
		{"{'shape': (2, 3), 'fortran_order': False, 'descr': '<f4'}", "<f4", false},
		{`{"descr": "<f4", "fortran_order": False, "shape": (2, 3), }`, "<f4", false},
		{"{'descr':'<f4','fortran_order':False,'shape':(2,3,)}", "<f4", false},
		{" { u'descr' : u'>f4',\t'fortran_order' :True ,'shape': ( 2L , 3L , ) , } ", ">f4", true},
		{"{'descr': '=f4', 'fortran_order': False, 'shape': (2L, 3L), }", "<f4", false},
		{"{'descr': '|f4', 'fortran_order': False, 'shape': (2, 3), }", "<f4", false},
		{"{'descr': 'f4', 'fortran_order': True, 'shape': (2, 3), }", "<f4", true},
		{"{'descr': 'float32', 'fortran_order': False, 'shape': (2, 3), }", "<f4", false},
		{"{'descr': '>d', 'fortran_order': False, 'shape': (2, 3), }", ">f8", false},
		{"{'descr': 'half', 'fortran_order': False, 'shape': (2, 3), }", "<f2", false},
	} {
		short := file(c.dict, 6*floats.Sizes[c.dtype])
		for version := range byte(3) {
			data := short
			if version > 0 {
				data = slices.Concat(short[:8], []byte{short[8], short[9], 0, 0}, short[10:])
				data[6] = 1 + version
			}
			f := open(t, "a.npy", data, "")
			if !slices.Equal(f.Shape, []int{2, 3}) || f.DType != c.dtype || f.Fortran != c.fortran {
				t.Errorf("%s, version %d: shape %v, dtype %s, Fortran %v", c.dict, 1+version, f.Shape, f.DType, f.Fortran)
			}
		}
	}
}

// TestOthersRead: npyio reads what is written here.
func TestOthersRead(t *testing.T) {
	path, want := filepath.Join(t.TempDir(), "a.npy"), []float32{1, 2, 3, 4, 5, 6}
	if err := WriteFile(path, []int{2, 3}, want); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := npyio.NewReader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	var got []float32
	if err := r.Read(&got); err != nil || !slices.Equal(got, want) || !slices.Equal(r.Header.Descr.Shape, []int{2, 3}) {
		t.Errorf("npyio read %v of shape %v, %v", got, r.Header.Descr.Shape, err)
	}
}

// open opens a file of that content until the test ends.
func open(t *testing.T, name string, data []byte, array string) *File {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := OpenArray(path, array)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// checkRead reads all values at once, then each half, the second one first.
func checkRead(t *testing.T, what string, f *File, want []float32) {
	t.Helper()
	got := make([]float32, len(want))
	half := len(want) / 2
	for _, span := range [][2]int{{0, len(want)}, {half, len(want)}, {0, half}, {half, len(want)}} {
		clear(got)
		if err := f.Read(got[span[0]:span[1]], span[0]); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if !slices.Equal(got[span[0]:span[1]], want[span[0]:span[1]]) {
			t.Errorf("%s: read %v, want %v", what, got[span[0]:span[1]], want[span[0]:span[1]])
		}
	}
}

// FuzzOpen: any bytes, as npy or npz, give an array that can be read, or an error.
func FuzzOpen(f *testing.F) {
	f.Add(file("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }", 16))
	f.Add(file("{'descr': '>f2', 'fortran_order': False, 'shape': (2, 2), }", 8))
	f.Add(file("{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 2), }", 16))
	f.Add(file("{'descr': '<f4', 'fortran_order': False, 'shape': (), }", 4))
	f.Add(file("{'shape':(2L,2L),\"fortran_order\":True,'descr':u'>d'}", 32))
	f.Add(file("{'descr': [('a', '<f4'), ('b', '<f4')], 'fortran_order': False, 'shape': (2,), }", 16))
	f.Add(file("{'descr': '=e', 'fortran_order': False, 'shape': (99999999999999999999,)}", 16))
	f.Add([]byte("\x93NUMPY\x03\x00\x40\x00\x00\x00{'descr': 'float32', 'fortran_order': False, 'shape': (1,)}     \n0000"))
	f.Add([]byte("\x93NUMPY\x02\x00\xff\xff\xff\xff"))
	f.Add([]byte("\x93NUMPY\x01\x00\x01\x00\n0"))
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzlimit.Run(t, len(data), func() { openAndRead(t, data) })
	})
}

// openAndRead reads the values of whatever data is, a frame at a time, and the
// last one first, which an array that is inflated must begin anew after.
func openAndRead(t *testing.T, data []byte) {
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	a, err := Open(path)
	if err != nil {
		if !strings.Contains(err.Error(), path) {
			t.Errorf("error without the path: %v", err)
		}
		return
	}
	defer a.Close()
	total := 1
	for _, d := range a.Shape {
		total *= d
	}
	if total > 1<<20 { // only an inflated one: a small file may promise any length
		total = 1 << 20
	}
	frame := make([]float32, min(total, max(1, total/a.Shape[0])))
	err = a.Read(frame[:1], total-1)
	for at := 0; err == nil && at < total; at += len(frame) {
		frame = frame[:min(len(frame), total-at)]
		err = a.Read(frame, at)
	}
	if err != nil && a.stream == nil {
		t.Errorf("reading what is stored: %v", err)
	}
}

// TestChangedWhileOpen: a file that is truncated, grown or written to while it is open
// gives an error that names it, for every way to read values.
func TestChangedWhileOpen(t *testing.T) {
	stored := file("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }", 16)
	for what, change := range map[string]func(f *os.File) error{
		"truncated": func(f *os.File) error { return f.Truncate(100) },
		"grown":     func(f *os.File) error { return f.Truncate(10000) },
		"written":   func(f *os.File) error { _, err := f.WriteAt([]byte{1}, 130); return err },
	} {
		for kind, data := range map[string][]byte{
			"stored":    stored,
			"converted": file("{'descr': '>f8', 'fortran_order': False, 'shape': (2, 2), }", 32),
			"zipped":    archive(t, zip.Store, "a.npy"),
			"deflated":  archive(t, zip.Deflate, "a.npy"),
		} {
			f := open(t, "a.npy", data, "")
			before := f.Stamp()
			if err := f.Read(make([]float32, 1), 0); err != nil || f.Was(before) != nil {
				t.Fatalf("%s: %v", kind, err)
			}
			path := f.file.Name()
			w, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(20 * time.Millisecond) // a file system's clock ticks
			if err := change(w); err != nil {
				t.Fatal(err)
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if err := f.Read(make([]float32, 2), 2); err == nil || !strings.HasPrefix(err.Error(), f.Path+": it was changed while it was read") {
				t.Errorf("%s, %s: %v", kind, what, err)
			}
			if what == "grown" { // npy says how long a file is
				continue
			}
			if again, err := Open(path); err == nil {
				if err := again.Was(before); err == nil || !strings.HasPrefix(err.Error(), f.Path+": it was replaced") {
					t.Errorf("%s, %s, opened again: %v", kind, what, err)
				}
				again.Close()
			}
		}
	}
}
