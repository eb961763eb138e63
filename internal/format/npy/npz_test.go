package npy

import (
	"archive/zip"
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fmsr.example/fmsr/internal/testkit/fuzzlimit"
)

// archive is an npz of those members, each (2,3) of the values 0 to 5 as <f4.
func archive(t testing.TB, method uint16, names ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range names {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: method})
		if err != nil {
			t.Fatal(err)
		}
		data := file("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", 0)
		data = append(data, 0, 0, 0, 0, 0, 0, 0x80, 0x3f, 0, 0, 0, 0x40, 0, 0, 0x40, 0x40, 0, 0, 0x80, 0x40, 0, 0, 0xa0, 0x40)
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestNpz(t *testing.T) {
	want := []float32{0, 1, 2, 3, 4, 5}
	for name, c := range map[string]struct {
		data  []byte
		array string
	}{
		"aligned":    {archive(t, zip.Store, "ab.npy"), ""}, // 30 + 6 bytes before it
		"misaligned": {archive(t, zip.Store, "abc.npy"), ""},
		"compressed": {archive(t, zip.Deflate, "abc.npy"), ""},
		"by name":    {archive(t, zip.Store, "a.npy", "notes.txt", "bc.npy"), "bc"},
		"only one":   {archive(t, zip.Store, "notes.txt", "bc.npy"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := open(t, "a.npz", c.data, c.array)
			if !slices.Equal(f.Shape, []int{2, 3}) {
				t.Errorf("shape %v", f.Shape)
			}
			checkRead(t, name, f, want)
		})
	}
}

func TestBadNpz(t *testing.T) {
	deflated := archive(t, zip.Deflate, "abc.npy")
	stored := archive(t, zip.Store, "abc.npy")
	at := func(data []byte, i int, b byte) []byte {
		data = slices.Clone(data)
		data[i] ^= b
		return data
	}
	directory := bytes.Index(stored, []byte("PK\x01\x02"))
	for name, c := range map[string]struct {
		data        []byte
		array, want string
	}{
		"two":           {archive(t, zip.Store, "a.npy", "b.npy"), "", "want one array, one for each field, or the name of one: it has a, b"},
		"none":          {archive(t, zip.Store, "a.txt"), "", "want one array, one for each field, or the name of one: it has none"},
		"another":       {archive(t, zip.Store, "a.npy", "b.npy"), "c", `no array "c": it has a, b`},
		"cut":           {stored[:len(stored)-30], "", "zip: not a valid zip file"},
		"no array":      {at(stored, 30+len("abc.npy"), 1), "", `abc.npy: not an npy file: it starts with "\x92NUMPY"`},
		"longer member": {at(stored, directory+26, 0x40), "", "abc.npy: "},
		"flipped":       {at(deflated, len(deflated)/3, 0x55), "", "abc.npy: "},
		"a method":      {at(deflated, bytes.Index(deflated, []byte("PK\x01\x02"))+10, 0x55), "", "abc.npy: compression method 93: zip: unsupported compression algorithm"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "bad.npz")
			if err := os.WriteFile(path, c.data, 0o644); err != nil {
				t.Fatal(err)
			}
			f, err := OpenArray(path, c.array)
			if err == nil {
				defer f.Close()
				err = f.Read(make([]float32, 6), 0)
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("error %v, want the path and %q", err, c.want)
			}
		})
	}
	path := filepath.Join(t.TempDir(), "a.npy")
	if err := WriteFile(path, []int{1}, []float32{1}); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenArray(path, "b"); err == nil || !strings.Contains(err.Error(), `array "b" is asked for, but only an npz file has names`) {
		t.Errorf("a name in an npy file: %v", err)
	}
}

// TestStoredSum: a stored array that is read in order is checked against the zip's CRC with
// its last values, whatever was read before, and each time.
func TestStoredSum(t *testing.T) {
	whole := archive(t, zip.Store, "a.npy")
	flipped := slices.Clone(whole)
	flipped[bytes.Index(whole, []byte{0x80, 0x40, 0, 0, 0xa0, 0x40})] ^= 1 // in the 4
	one := make([]float32, 1)
	for name, data := range map[string][]byte{"whole": whole, "flipped": flipped} {
		f := open(t, "a.npz", data, "")
		for _, at := range []int{3, 0, 4, 5, 1, 0, 1, 2, 3, 4, 0, 1, 2, 3, 4} { // never all in order
			if err := f.Read(one, at); err != nil {
				t.Errorf("%s: value %d: %v", name, at, err)
			}
		}
		for range 2 {
			if err := f.Read(one, 5); (err == nil) != (name == "whole") || err != nil && !strings.Contains(err.Error(), "a.npz: a.npy: damaged: CRC ") {
				t.Errorf("%s: the last value: %v", name, err)
			}
			if err := f.Read(make([]float32, 5), 0); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestAppended: of two members of one name the last counts, as for numpy.
func TestAppended(t *testing.T) {
	both := archive(t, zip.Store, "a.npy", "a.npy")
	both[bytes.Index(both, []byte{0, 0, 0xa0, 0x40})+3] = 0xc0 // the 5 of the first, which is read by nobody
	for _, array := range []string{"", "a"} {
		checkRead(t, array, open(t, "a.npz", both, array), []float32{0, 1, 2, 3, 4, 5})
	}
}

// FuzzNpz: any damage to a zip gives an array that can be read, or an error.
func FuzzNpz(f *testing.F) {
	f.Add(archive(f, zip.Store, "ab.npy"))
	f.Add(archive(f, zip.Deflate, "ab.npy"))
	f.Add(archive(f, zip.Store, "a.npy", "b.npy"))
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzlimit.Run(t, len(data), func() { openAndRead(t, data) })
	})
}
