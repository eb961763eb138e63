package exportset

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr.example/fmsr/internal/format/arrowtensor"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/store/infile"
	"fmsr.example/fmsr/internal/store/seal"
)

// Columns returns the names of a frame's tensors: x_hi and, if it is paired, x_lo.
func Columns(paired bool) []string {
	if paired {
		return []string{"x_hi", "x_lo"}
	}
	return []string{"x_hi"}
}

// Rows is an open Arrow file of a set: a row is a frame.
type Rows struct {
	*arrowtensor.File
	path string
	sums []uint32 // of the values of each tensor, row by row
}

// Open opens one of the Arrow files of the set in dir, and checks its contents against
// the manifest and, if verify is set, its bytes against their SHA-256. Close it.
func (m *Manifest) Open(dir string, listed File, verify bool) (*Rows, error) {
	path := filepath.Join(dir, listed.Path)
	if there, err := infile.StampOf(path); err == nil && there.Size != listed.Bytes {
		return nil, fmt.Errorf("%s: %d bytes, want %d: the manifest is not of this file, or it is truncated", path, there.Size, listed.Bytes)
	}
	f, err := arrowtensor.Open(path)
	if err != nil {
		return nil, err
	}
	r := &Rows{File: f, path: path, sums: listed.Sums}
	err = m.checkFile(listed, f)
	if err == nil && (verify || r.sums == nil) {
		err = checkBytes(listed, f)
	}
	if err == nil && r.sums == nil { // an older fmsr wrote the set
		err = r.sum()
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

func (m *Manifest) checkFile(listed File, f *arrowtensor.File) error {
	columns := Columns(m.Factor != 0)
	switch {
	case !slices.Equal(f.Channels, m.ChannelNames) || f.H != m.H || f.W != m.W:
		return fmt.Errorf("%v at %d x %d, and the manifest says %v at %d x %d", f.Channels, f.H, f.W, m.ChannelNames, m.H, m.W)
	case !slices.Equal(f.Columns, columns):
		return fmt.Errorf("columns %v, want %v", f.Columns, columns)
	case len(f.Rows) != listed.Rows:
		return fmt.Errorf("%d rows, and the manifest says %d", len(f.Rows), listed.Rows)
	}
	for i, row := range f.Rows {
		if row.Seed != listed.Seed || row.Split.String() != listed.Split {
			return fmt.Errorf("row %d is of seed %d, %s, and the manifest says seed %d, %s", i, row.Seed, row.Split, listed.Seed, listed.Split)
		}
		if listed.Frames != nil && row.Frame != listed.Frames[i] {
			return fmt.Errorf("row %d is frame %d, and the manifest says %d", i, row.Frame, listed.Frames[i])
		}
		if listed.Times != nil {
			f.Rows[i].Moment = frames.Moment{Known: true, Time: listed.Times[i], Cycle: listed.Cycles[i]}
		}
	}
	return nil
}

func checkBytes(listed File, f *arrowtensor.File) error {
	h := sha256.New()
	if _, err := io.Copy(h, f.Whole()); err != nil {
		return err
	}
	if sum := hex.EncodeToString(h.Sum(nil)); sum != listed.SHA256 {
		return fmt.Errorf("SHA-256 %s, and the manifest says %s: the file is damaged", sum, listed.SHA256)
	}
	return nil
}

// sum fills in the checksums of the values.
func (r *Rows) sum() error {
	values := make([]byte, r.FrameBytes())
	for row := range r.Rows {
		for i := range r.Columns {
			if err := r.Read(values, row, i); err != nil {
				return err
			}
			r.sums = append(r.sums, seal.Sum(values))
		}
	}
	return nil
}

// Sums returns the checksums of a row's tensors.
func (r *Rows) Sums(row int) []uint32 {
	return r.sums[row*len(r.Columns):][:len(r.Columns)]
}

// RowBytes returns the size of a row's tensors.
func (r *Rows) RowBytes() int { return len(r.Columns) * r.FrameBytes() }

// Tensors returns the values (C,H,W) of a row: x_hi and, or else nil, x_lo. They are
// checked against their checksums. Release them. Several goroutines may call it at once.
func (r *Rows) Tensors(mem memory.Allocator, row int) (hi, lo *memory.Buffer, err error) {
	if hi, err = r.tensor(mem, row, 0); err != nil || len(r.Columns) == 1 {
		return hi, nil, err
	}
	if lo, err = r.tensor(mem, row, 1); err != nil {
		hi.Release()
		return nil, nil, err
	}
	return hi, lo, nil
}

func (r *Rows) tensor(mem memory.Allocator, row, i int) (*memory.Buffer, error) {
	b := frames.NewBuffer(mem, r.FrameBytes()/4)
	err := r.Read(b.Bytes(), row, i)
	if sum, want := seal.Sum(b.Bytes()), r.Sums(row)[i]; err == nil && sum != want {
		err = fmt.Errorf("row %d: %s has the checksum %08x, and the manifest says %08x: restore the file, or export again", row, r.Columns[i], sum, want)
	}
	if err != nil {
		b.Release()
		return nil, fmt.Errorf("%s: %w", r.path, err)
	}
	return b, nil
}
