package sinks

import (
	"fmt"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr/internal/format/npy"
	"fmsr/internal/format/tensorcolumn"
	"fmsr/internal/frames"
	"fmsr/internal/store/atomicfile"
)

// fieldFile is a file of fine fields being written, which appears when it is
// committed. Close removes one that was not.
type fieldFile interface {
	// write adds planes (C,H,W).
	write(origin frames.Origin, planes []float32) error
	Commit() error
	Close() error
}

// npyFile is an array of frames with the channels last.
type npyFile struct {
	*npy.Writer
	channels int
	last     []float32 // scratch: one frame, channels last
}

func createNpy(path string, shape []int) (fieldFile, error) {
	w, err := npy.Create(path, shape)
	if err != nil {
		return nil, err
	}
	return &npyFile{Writer: w, channels: shape[len(shape)-1]}, nil
}

func (f *npyFile) write(_ frames.Origin, planes []float32) error {
	if f.last == nil {
		f.last = make([]float32, len(planes))
	}
	cells := len(planes) / f.channels
	for c := range f.channels {
		for i, v := range planes[c*cells : (c+1)*cells] {
			f.last[i*f.channels+c] = v
		}
	}
	return f.Writer.Write(f.last)
}

// tableFile is a table of a field a row, as an Arrow IPC file or as Parquet.
type tableFile struct {
	*atomicfile.File
	path  string
	table *tensorcolumn.Writer
}

func createTable(path, format string, schema *arrow.Schema) (fieldFile, error) {
	f, err := atomicfile.Create(path)
	if err != nil {
		return nil, err
	}
	table, err := tensorcolumn.NewWriter(format, f, schema)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &tableFile{File: f, path: path, table: table}, nil
}

// write writes a record batch, or a row group, of one row, so that no more than
// one field is held.
func (f *tableFile) write(origin frames.Origin, planes []float32) error {
	if err := f.table.Write([]frames.Origin{origin}, memory.NewBufferBytes(frames.Bytes(planes))); err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	return nil
}

func (f *tableFile) Commit() error {
	if err := f.table.Close(); err != nil {
		f.Close()
		return fmt.Errorf("%s: %w", f.path, err)
	}
	return f.File.Commit()
}
