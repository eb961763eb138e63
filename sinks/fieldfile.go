package sinks

import (
	"fmt"
	"io"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/parquet"
	"github.com/apache/arrow/go/v15/parquet/compress"
	"github.com/apache/arrow/go/v15/parquet/pqarrow"

	"fmsr/internal/atomicfile"
	"fmsr/internal/npy"
)

// fieldFile is a file of fine fields being written, which appears when it is
// committed. Close removes one that was not.
type fieldFile interface {
	// write adds planes (C,H,W), after whole numbers that say which they are.
	write(row []int32, planes []float32) error
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

func (f *npyFile) write(_ []int32, planes []float32) error {
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

// tableFile is a table of a frame a row, as an Arrow IPC file or as Parquet.
type tableFile struct {
	path   string
	file   *atomicfile.File
	schema *arrow.Schema
	writer interface {
		Write(arrow.Record) error
		Close() error
	}
	closed bool
}

func createTable(path, format string, schema *arrow.Schema) (_ fieldFile, err error) {
	f := &tableFile{path: path, schema: schema}
	if f.file, err = atomicfile.Create(path); err != nil {
		return nil, err
	}
	out := struct{ io.Writer }{f.file} // the file is closed when it is committed
	if format == "arrow" {
		f.writer, err = ipc.NewFileWriter(&counting{Writer: out}, ipc.WithSchema(schema))
	} else {
		properties := parquet.NewWriterProperties(parquet.WithDictionaryDefault(false), parquet.WithCompression(compress.Codecs.Zstd))
		f.writer, err = pqarrow.NewFileWriter(schema, out, properties, pqarrow.NewArrowWriterProperties(pqarrow.WithStoreSchema()))
	}
	if err != nil {
		f.file.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// write writes a record batch, or a row group, of one row, so that no more than
// one field is held.
func (f *tableFile) write(row []int32, planes []float32) error {
	record := tensorRow(f.schema, row, planes)
	defer record.Release()
	if err := f.writer.Write(record); err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	return nil
}

func (f *tableFile) Commit() error {
	f.closed = true
	if err := f.writer.Close(); err != nil {
		f.file.Close()
		return fmt.Errorf("%s: %w", f.path, err)
	}
	return f.file.Commit()
}

func (f *tableFile) Close() error {
	if !f.closed {
		f.closed = true
		_ = f.writer.Close() // it frees its memory; the file goes anyway
	}
	return f.file.Close()
}

// counting answers Arrow's question for the position of a file that is written
// from front to back.
type counting struct {
	io.Writer
	n int64
}

func (c *counting) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.n += int64(n)
	return n, err
}

// Seek tells where the end is; nothing moves it.
func (c *counting) Seek(offset int64, whence int) (int64, error) {
	if offset != 0 || whence != io.SeekCurrent {
		return 0, fmt.Errorf("seek to %d: the file is written from front to back", offset)
	}
	return c.n, nil
}
