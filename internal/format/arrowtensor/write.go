package arrowtensor

import (
	"fmt"
	"io"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/apache/arrow/go/v15/parquet"
	"github.com/apache/arrow/go/v15/parquet/compress"
	"github.com/apache/arrow/go/v15/parquet/pqarrow"

	"fmsr.example/fmsr/internal/frames"
)

// Writer writes rows into a file, from front to back.
type Writer struct {
	schema *arrow.Schema
	out    *position
	table  interface {
		Write(arrow.Record) error
		Close() error
	}
}

// NewWriter starts a table of a Schema: an uncompressed Arrow IPC file if the format is
// "arrow", else a Parquet file. The caller closes the file.
func NewWriter(format string, file io.Writer, schema *arrow.Schema) (w *Writer, err error) {
	out := &position{Writer: file}
	defer func() { // Arrow panics if it cannot write Parquet's first bytes
		if out.err != nil {
			recover()
			err = out.err
		}
	}()
	w = &Writer{schema: schema, out: out}
	if format == "arrow" {
		w.table, err = ipc.NewFileWriter(w.out, ipc.WithSchema(schema))
	} else {
		w.table, err = pqarrow.NewFileWriter(schema, w.out, parquetProperties(schema), pqarrow.NewArrowWriterProperties(pqarrow.WithStoreSchema()))
	}
	return w, err
}

// parquetProperties returns zstd compression without statistics and dictionaries of the
// tensors, which are of no use for turbulence.
func parquetProperties(schema *arrow.Schema) *parquet.WriterProperties {
	options := []parquet.WriterProperty{parquet.WithCompression(compress.Codecs.Zstd), parquet.WithCompressionLevel(1), parquet.WithCreatedBy("fmsr")}
	for _, field := range schema.Fields() {
		if field.HasMetadata() { // a tensor
			values := field.Name + ".list.element"
			options = append(options, parquet.WithDictionaryFor(values, false), parquet.WithStatsFor(values, false))
		}
	}
	return parquet.NewWriterProperties(options...)
}

// Write adds rows as a record batch, or a row group, around the memory of their
// tensors: one buffer (N,C,H,W) a column.
func (w *Writer) Write(origins []frames.Origin, tensors ...*memory.Buffer) error {
	record := Record(w.schema, origins, tensors...)
	defer record.Release()
	w.out.watch(tensors)
	return w.table.Write(record)
}

// Offsets returns the positions, in an Arrow file, of the tensors of the last Write.
func (w *Writer) Offsets() []int64 { return w.out.seen }

// Size returns the number of bytes in the file so far.
func (w *Writer) Size() int64 { return w.out.n }

// Close writes the table's end.
func (w *Writer) Close() error { return w.table.Close() }

// position is a file that counts the bytes written to it, and notes where the watched
// memory goes: Arrow's writer passes a record's buffers on as they are.
type position struct {
	io.Writer
	n       int64
	err     error // of the last write
	watched []*byte
	seen    []int64
}

func (p *position) watch(buffers []*memory.Buffer) {
	p.watched = p.watched[:0]
	for _, b := range buffers {
		p.watched = append(p.watched, &b.Bytes()[0])
	}
	p.seen = make([]int64, len(buffers))
}

func (p *position) Write(data []byte) (int, error) {
	for i, first := range p.watched {
		if len(data) > 0 && &data[0] == first {
			p.seen[i] = p.n
		}
	}
	n, err := p.Writer.Write(data)
	p.n, p.err = p.n+int64(n), err
	return n, err
}

// Seek answers Arrow's question for the current position. Nothing else is allowed.
func (p *position) Seek(offset int64, whence int) (int64, error) {
	if offset != 0 || whence != io.SeekCurrent {
		return 0, fmt.Errorf("seek to %d: the file is written from front to back", offset)
	}
	return p.n, nil
}
