package arrowtensor

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/testkit/fuzzlimit"
)

// seekable is memory to write a file to.
type seekable struct{ bytes.Buffer }

func (s *seekable) Seek(int64, int) (int64, error) { return int64(s.Len()), nil }

// file is an Arrow file of 2 channels on 2 x 3, in record batches of 2 rows; the
// value of row r, column c, place i is 100 r + 50 c + i.
func file(t testing.TB, rows int, columns []string, options ...ipc.Option) []byte {
	t.Helper()
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	schema := Schema([]string{"a", "b"}, 2, 3, columns...)
	out := &seekable{}
	w, err := ipc.NewFileWriter(out, append(options, ipc.WithSchema(schema))...)
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < rows; at += 2 {
		n := min(2, rows-at)
		var origins []frames.Origin
		var tensors []*memory.Buffer
		for i := range n {
			origins = append(origins, frames.Origin{Seed: 1<<40 + 7, Frame: at + i, Split: frames.Split((at + i) % 3)})
		}
		for c := range columns {
			b := frames.NewBuffer(mem, n*12)
			for i := range frames.Floats(b) {
				frames.Floats(b)[i] = float32(100*(at+i/12) + 50*c + i%12)
			}
			tensors = append(tensors, b)
		}
		record := Record(schema, origins, tensors...)
		err := w.Write(record)
		record.Release()
		for _, b := range tensors {
			b.Release()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func open(t testing.TB, data []byte) (*File, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "f.arrow")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil && !strings.HasPrefix(err.Error(), path) {
		t.Errorf("error %v, want the path first", err)
	}
	return f, err
}

func TestOpen(t *testing.T) {
	for _, columns := range [][]string{{"x"}, {"x_hi", "x_lo"}} {
		f, err := open(t, file(t, 5, columns))
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(f.Channels, f.H, f.W, f.Columns) != fmt.Sprint([]string{"a", "b"}, 2, 3, columns) || len(f.Rows) != 5 || f.FrameBytes() != 48 {
			t.Errorf("opened %+v with %d rows", f.Layout, len(f.Rows))
		}
		for r, row := range f.Rows {
			if row.Seed != 1<<40+7 || row.Frame != r || row.Split != frames.Split(r%3) {
				t.Errorf("row %d is %v", r, row.Origin)
			}
			for c := range columns {
				values := make([]float32, 12)
				if err := f.Read(frames.Bytes(values), r, c); err != nil {
					t.Fatal(err)
				}
				for i, v := range values {
					if v != float32(100*r+50*c+i) {
						t.Fatalf("row %d, column %d, place %d: %g", r, c, i, v)
					}
				}
			}
		}
		f.Close()
	}
}

// listedTwice is a file whose footer has its first record batch twice.
func listedTwice(t testing.TB) []byte {
	data := file(t, 3, []string{"x"})
	end := len(data) - len(magic) - 4
	footer := root(data[end-int(binary.LittleEndian.Uint32(data[end:])):])
	at, _ := vector(footer, footerBatches, 24)
	copy(footer.Bytes[at+24:], footer.Bytes[at:at+24])
	return data
}

// TestOpenRefuses: one clear error each, never a panic.
func TestOpenRefuses(t *testing.T) {
	good := file(t, 3, []string{"x"})
	changed := func(at int, to byte) []byte {
		b := bytes.Clone(good)
		b[(at+len(b))%len(b)] = to
		return b
	}
	foreign := &seekable{}
	w, err := ipc.NewFileWriter(foreign, ipc.WithSchema(arrow.NewSchema([]arrow.Field{{Name: "n", Type: arrow.PrimitiveTypes.Int64}}, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"empty":                {nil, `not an Arrow file: it starts with ""`},
		"another format":       {[]byte("PAR1 and so on, PAR1"), `not an Arrow file: it starts with "PAR1 a"`},
		"cut":                  {good[:len(good)/2], "truncated"},
		"a batch twice":        {listedTwice(t), "begins within the one before it"},
		"a foot too long":      {changed(-7, 0x7f), "damaged: a footer of"},
		"other columns":        {foreign.Bytes(), "not an export: its columns are not"},
		"many columns":         {file(t, 2, slices.Repeat([]string{"x"}, 14)), "not an export: it has 17 columns"},
		"compressed":           {file(t, 2, []string{"x"}, ipc.WithZstd()), "is compressed"},
		"a split that is none": {bytes.Replace(good, []byte("trainval"), []byte("trainvam"), 1), `split "vam"`},
		"no tensor":            {bytes.ReplaceAll(good, []byte("arrow.fixed_shape_tensor"), []byte("arrow.mixed_shape_tensor")), "column x is not an arrow.fixed_shape_tensor"},
		"another shape":        {bytes.ReplaceAll(good, []byte(`"shape":[2,2,3]`), []byte(`"shape":[2,2,4]`)), "column x has no float32 of shape [2 2 4]"},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := open(t, c.data)
			if err == nil {
				f.Close()
				t.Fatal("it was opened")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

// FuzzArrowLoad: whatever the bytes, an error or rows that can be read.
func FuzzArrowLoad(f *testing.F) {
	f.Add(file(f, 3, []string{"x"}))
	f.Add(file(f, 2, []string{"x_hi", "x_lo"}))
	f.Add(file(f, 2, []string{"x"}, ipc.WithZstd()))
	f.Add(listedTwice(f))
	f.Add([]byte("ARROW1\x00\x00\x00\x00\x00\x00ARROW1"))
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzlimit.Run(t, len(data), func() { openAndSum(t, data) })
	})
}

// openAndSum reads every value of whatever data is.
func openAndSum(t *testing.T, data []byte) (sum float32) {
	f, err := open(t, data)
	if err != nil {
		return 0
	}
	defer f.Close()
	for r := range f.Rows {
		for c := range f.Columns {
			values := make([]float32, f.FrameBytes()/4)
			if err := f.Read(frames.Bytes(values), r, c); err != nil {
				t.Error(err)
			}
			for _, v := range values {
				sum += v
			}
		}
	}
	return sum
}
