package fieldfile

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"golang.org/x/sys/unix"

	"fmsr.example/fmsr/internal/format/arrowtensor"
	"fmsr.example/fmsr/internal/format/npy"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/store/atomicfile"
)

// fields are two fields (C,H,W) = (2,1,2).
var fields = []float32{1, 2, 11, 12, 3, 4, 13, 14}

func write(t *testing.T, path string, l Layout) error {
	t.Helper()
	out, err := atomicfile.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	l.Channels, l.H, l.W = []string{"a", "b"}, 1, 2
	w, err := New(out, l)
	if err != nil {
		return err
	}
	defer w.Close()
	origins := []frames.Origin{{Seed: 5, Frame: 0}, {Seed: 5, Frame: 1}}
	if err := w.Write(origins, memory.NewBufferBytes(frames.Bytes(fields))); err != nil {
		return err
	}
	return w.Commit()
}

func TestNpy(t *testing.T) {
	for name, c := range map[string]struct {
		layout Layout
		shape  []int
		want   []float32
	}{
		"first": {Layout{Rows: []int{2}}, []int{2, 2, 1, 2}, fields},
		"last":  {Layout{Rows: []int{1, 2}, ChannelsLast: true}, []int{1, 2, 1, 2, 2}, []float32{1, 11, 2, 12, 3, 13, 4, 14}},
	} {
		path := filepath.Join(t.TempDir(), "f.npy")
		c.layout.Format = "npy"
		if err := write(t, path, c.layout); err != nil {
			t.Fatal(err)
		}
		shape, values, err := npy.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(shape, c.shape) || !slices.Equal(values, c.want) {
			t.Errorf("%s: shape %v, values %v, want %v, %v", name, shape, values, c.shape, c.want)
		}
	}
}

func TestTables(t *testing.T) {
	for _, format := range []string{"arrow", "parquet"} {
		path := filepath.Join(t.TempDir(), "f")
		if err := write(t, path, Layout{Format: format, Origin: []string{"seed", "frame", "split"}, Columns: []string{"x"}}); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if format == "parquet" {
			if !strings.HasPrefix(string(data), "PAR1") || !strings.HasSuffix(string(data), "PAR1") {
				t.Errorf("%d bytes that are no Parquet file", len(data))
			}
			continue
		}
		f, err := arrowtensor.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		values := make([]float32, 4)
		if err := f.Read(frames.Bytes(values), 1, 0); err != nil || len(f.Rows) != 2 || f.Rows[1].Frame != 1 || !slices.Equal(values, fields[4:]) {
			t.Errorf("rows %v, values %v, %v", f.Rows, values, err)
		}
		f.Close()
	}
}

// full is a file on a full disk.
type full struct{ *atomicfile.File }

func (full) Write([]byte) (int, error) { return 0, unix.ENOSPC }

// TestErrors: they name the file and what is wrong, and leave nothing.
func TestErrors(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	for want, l := range map[string]Layout{
		`: format "zarr": want one of [arrow parquet npy well]`: {Format: "zarr"},
		": 16 bytes are missing":                                {Format: "npy", Rows: []int{3}},
		": more values than its shape holds":                    {Format: "npy", Rows: []int{1}},
	} {
		if err := write(t, path, l); err == nil || err.Error() != path+want {
			t.Errorf("%v, want %s%s", err, path, want)
		}
	}
	for _, format := range Formats {
		out, err := atomicfile.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		l := Layout{Format: format, Channels: []string{"a", "b"}, H: 1, W: 2, Columns: []string{"x"}, Rows: []int{2}}
		w, err := New(full{out}, l)
		if err == nil {
			if err = w.Write(make([]frames.Origin, 2), memory.NewBufferBytes(frames.Bytes(fields))); err == nil {
				err = w.Commit()
			}
			w.Close()
		}
		if !errors.Is(err, unix.ENOSPC) || !strings.HasPrefix(err.Error(), path+": ") {
			t.Errorf("%s: %v", format, err)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
