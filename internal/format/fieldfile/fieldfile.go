// Package fieldfile writes fields in any of the formats that fmsr writes:
//
//	                     arrow, parquet               npy                               well
//	fields (C,H,W) ----> a row a field: columns of    an array (rows..., C,H,W), or     a dataset (1,rows,W,H)
//	                     its origin, and a tensor     (rows..., H,W,C): channels last   a channel: HDF5
//
// Packages arrowtensor, npy and hdf5 know the formats; the caller gives an
// Output to write to, such as an atomicfile.
package fieldfile

import (
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"golang.org/x/sys/unix"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/format/arrowtensor"
	"fmsr.example/fmsr/internal/format/npy"
	"fmsr.example/fmsr/internal/frames"
)

// Formats are the names of the formats.
var Formats = []string{"arrow", "parquet", "npy", "well"}

// Output is the file that is written: it appears with Commit, and Close removes it if
// it was not committed. See packages atomicfile and parts.
type Output interface {
	io.Writer
	Path() string
	Commit() error
	Close() error
}

// Layout is what a file holds.
type Layout struct {
	Format   string // one of Formats
	Channels []string
	H, W     int

	// arrow and parquet
	Origin  []string // columns before the tensors: seed, frame, split, sample
	Columns []string // names of the tensors of a row

	// well
	Name string     // of the data set
	Grid field.Grid // the domain's; H and W are above

	// npy and well
	Rows         []int // lengths of the axes before those of a field: frames, or frames and samples
	ChannelsLast bool
}

// Writer writes fields one after the other.
type Writer struct {
	out Output
	enc encoder
}

// encoder writes one format to an Output. Its errors do not name the file.
type encoder interface {
	write(origins []frames.Origin, tensors []*memory.Buffer) error
	end() error
	close() // frees what it holds
}

// New starts a file in out, which it owns from then on: it closes it if it fails.
func New(out Output, l Layout) (*Writer, error) {
	w := &Writer{out: out}
	var err error
	switch {
	case !slices.Contains(Formats, l.Format):
		err = fmt.Errorf("format %q: want one of %v", l.Format, Formats)
	case l.Format == "npy":
		w.enc, err = newArray(out, l)
	case l.Format == "well":
		w.enc, err = newWell(out, l)
	default:
		w.enc, err = newTable(out, l)
	}
	if err != nil {
		out.Close()
		return nil, w.named(err)
	}
	return w, nil
}

// Write appends the fields of some frames: for each column of tensors a buffer
// (N,C,H,W), which is kept only during the call. A table gets a record batch, or a row
// group, for each call.
func (w *Writer) Write(origins []frames.Origin, tensors ...*memory.Buffer) error {
	return w.named(w.enc.write(origins, tensors))
}

// Commit ends the file and puts it in its place.
func (w *Writer) Commit() error {
	if err := w.enc.end(); err != nil {
		w.out.Close()
		return w.named(err)
	}
	return w.out.Commit()
}

// Close removes the file unless it was committed.
func (w *Writer) Close() error {
	if w.enc != nil {
		w.enc.close()
	}
	return w.out.Close()
}

// named adds the file's path to an error. From a system error it drops the text that
// Arrow has put before it.
func (w *Writer) named(err error) error {
	if err == nil {
		return nil
	}
	var number unix.Errno
	if errors.As(err, &number) {
		err = number
	}
	return fmt.Errorf("%s: %w", w.out.Path(), err)
}

// table is an Arrow IPC file or a Parquet file.
type table struct{ *arrowtensor.Writer }

func newTable(out io.Writer, l Layout) (table, error) {
	w, err := arrowtensor.NewWriter(l.Format, out, arrowtensor.SchemaOf(l.Origin, l.Channels, l.H, l.W, l.Columns...))
	return table{w}, err
}

func (t table) write(origins []frames.Origin, tensors []*memory.Buffer) error {
	return t.Write(origins, tensors...)
}

func (t table) end() error { return t.Close() }

func (table) close() {}

// array is an npy file.
type array struct {
	*npy.Encoder
	channels int
	last     []float32 // scratch: one field, channels last; nil: channels first
}

func newArray(out io.Writer, l Layout) (*array, error) {
	c := len(l.Channels)
	shape := append(slices.Clone(l.Rows), c, l.H, l.W)
	a := &array{channels: c}
	if l.ChannelsLast {
		shape = append(slices.Clone(l.Rows), l.H, l.W, c)
		a.last = make([]float32, c*l.H*l.W)
	}
	var err error
	a.Encoder, err = npy.NewEncoder(out, shape)
	return a, err
}

func (a *array) write(_ []frames.Origin, tensors []*memory.Buffer) error {
	values := frames.Floats(tensors[0])
	if a.last == nil {
		return a.Write(values)
	}
	for len(values) > 0 {
		field := values[:len(a.last)]
		cells := len(field) / a.channels
		for c := range a.channels {
			for i, v := range field[c*cells : (c+1)*cells] {
				a.last[i*a.channels+c] = v
			}
		}
		if err := a.Write(a.last); err != nil {
			return err
		}
		values = values[len(field):]
	}
	return nil
}

func (a *array) end() error { return a.End() }

func (*array) close() {}
