package sinks

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"path/filepath"

	"github.com/apache/arrow/go/v15/arrow"
	"github.com/apache/arrow/go/v15/arrow/ipc"
	"github.com/apache/arrow/go/v15/arrow/memory"
	"github.com/apache/arrow/go/v15/parquet"
	"github.com/apache/arrow/go/v15/parquet/compress"
	"github.com/apache/arrow/go/v15/parquet/pqarrow"
	"golang.org/x/sys/unix"

	"fmsr/internal/atomicfile"
	"fmsr/internal/frames"
	"fmsr/internal/npy"
	"fmsr/internal/parts"
	"fmsr/internal/tensorcolumn"
	"fmsr/pipeline"
)

// exportWriter writes the files of a seed, in one format. They appear with Commit.
type exportWriter interface {
	// Write appends frames: tensors x_hi and, if paired, x_lo, (N,C,H,W).
	Write(origins []frames.Origin, tensors []*memory.Buffer) error
	Commit() ([]parts.File, error)
	// Close removes what was not committed.
	Close()
}

// exportShape is what a file's format depends on.
type exportShape struct {
	dir      string
	seed     pipeline.Seed
	channels []string
	h, w     int
	paired   bool
}

func (s exportShape) columns() []string {
	if s.paired {
		return []string{"x_hi", "x_lo"}
	}
	return []string{"x_hi"}
}

func (s exportShape) create(suffix string) (*hashedFile, error) {
	return createHashed(filepath.Join(s.dir, fmt.Sprintf("seed_%04d.%s", s.seed.Seed, suffix)))
}

var exportFormats = map[string]func(exportShape) (exportWriter, error){
	"arrow":   newArrowExport,
	"parquet": newParquetExport,
	"npy":     newNpyExport,
}

// tableExport is a table file: Arrow's IPC file, or Parquet.
type tableExport struct {
	file   *hashedFile
	schema *arrow.Schema
	rows   int
	writer interface {
		Write(arrow.Record) error
		Close() error
	}
}

func newArrowExport(s exportShape) (exportWriter, error) {
	t, err := newTable(s, "arrow")
	if err != nil {
		return nil, err
	}
	if t.writer, err = ipc.NewFileWriter(t.file, ipc.WithSchema(t.schema)); err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

// newParquetExport compresses with zstd. A record is a row group; statistics and
// dictionaries of turbulence are of no use.
func newParquetExport(s exportShape) (exportWriter, error) {
	t, err := newTable(s, "parquet")
	if err != nil {
		return nil, err
	}
	options := []parquet.WriterProperty{parquet.WithCompression(compress.Codecs.Zstd), parquet.WithCompressionLevel(1), parquet.WithCreatedBy("fmsr")}
	for _, name := range s.columns() {
		values := name + ".list.element"
		options = append(options, parquet.WithDictionaryFor(values, false), parquet.WithStatsFor(values, false))
	}
	t.writer, err = pqarrow.NewFileWriter(t.schema, struct{ io.Writer }{t.file}, parquet.NewWriterProperties(options...),
		pqarrow.NewArrowWriterProperties(pqarrow.WithStoreSchema()))
	if err != nil {
		t.Close()
		return nil, err
	}
	return t, nil
}

func newTable(s exportShape, suffix string) (*tableExport, error) {
	file, err := s.create(suffix)
	if err != nil {
		return nil, err
	}
	return &tableExport{file: file, schema: tensorcolumn.Schema(s.channels, s.h, s.w, s.columns()...)}, nil
}

func (t *tableExport) Write(origins []frames.Origin, tensors []*memory.Buffer) error {
	record := tensorcolumn.Record(t.schema, origins, tensors...)
	defer record.Release()
	t.rows += len(origins)
	if err := t.writer.Write(record); err != nil {
		return t.file.named(err)
	}
	return nil
}

func (t *tableExport) Commit() ([]parts.File, error) {
	if err := t.writer.Close(); err != nil {
		return nil, t.file.named(err)
	}
	file, err := t.file.commit(t.rows)
	return []parts.File{file}, err
}

func (t *tableExport) Close() { t.file.Close() }

// npyExport is an array (N,C,H,W) a column.
type npyExport struct {
	files []*hashedFile
	rows  int
}

func newNpyExport(s exportShape) (exportWriter, error) {
	n := &npyExport{}
	for _, column := range s.columns() {
		file, err := s.create(column + ".npy")
		if err != nil {
			n.Close()
			return nil, err
		}
		n.files = append(n.files, file)
		if _, err := file.Write(npy.Header([]int{s.seed.Frames, len(s.channels), s.h, s.w})); err != nil {
			n.Close()
			return nil, err
		}
	}
	return n, nil
}

func (n *npyExport) Write(origins []frames.Origin, tensors []*memory.Buffer) error {
	n.rows += len(origins)
	for i, values := range tensors {
		if _, err := n.files[i].Write(values.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

func (n *npyExport) Commit() (files []parts.File, err error) {
	for _, f := range n.files {
		file, err := f.commit(n.rows)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}

func (n *npyExport) Close() {
	for _, f := range n.files {
		f.Close()
	}
}

// hashedFile is a file that knows its SHA-256. What it is given in large pieces
// is hashed beside the writing: both take as long.
type hashedFile struct {
	*atomicfile.File
	path string
	hash hash.Hash
	pos  int64

	sending background // what was written, on its way to the disk: the final sync then has little to do
}

// inParallel is from how many bytes on a goroutine for them pays.
const inParallel = 1 << 18

func createHashed(path string) (*hashedFile, error) {
	if err := atomicfile.Sweep(path); err != nil {
		return nil, err
	}
	f, err := atomicfile.Create(path)
	if err != nil {
		return nil, err
	}
	return &hashedFile{File: f, path: path, hash: sha256.New()}, nil
}

// Write appends data.
func (f *hashedFile) Write(data []byte) (int, error) {
	hashed := make(chan struct{})
	if len(data) < inParallel {
		f.hash.Write(data)
		close(hashed)
	} else {
		go func() {
			f.hash.Write(data)
			close(hashed)
		}()
	}
	n, err := f.File.Write(data)
	<-hashed
	if err != nil {
		return n, f.named(err)
	}
	if from := f.pos; n >= inParallel {
		_ = f.sending.wait() // a hint that may fail: Commit syncs
		_ = f.sending.start(func() error {
			return unix.SyncFileRange(int(f.Fd()), from, int64(n), unix.SYNC_FILE_RANGE_WRITE)
		})
	}
	f.pos += int64(n)
	return n, nil
}

// Seek serves Arrow's question for the current position; nothing moves it.
func (f *hashedFile) Seek(offset int64, whence int) (int64, error) {
	if offset != 0 || whence != io.SeekCurrent {
		return 0, errors.New("an export is written from front to back")
	}
	return f.pos, nil
}

// Close removes the file unless it was committed.
func (f *hashedFile) Close() {
	_ = f.sending.wait()
	f.File.Close()
}

func (f *hashedFile) commit(rows int) (parts.File, error) {
	_ = f.sending.wait()
	if err := f.Commit(); err != nil {
		return parts.File{}, err
	}
	return parts.File{Path: filepath.Base(f.path), Rows: rows, Bytes: f.pos, SHA256: hex.EncodeToString(f.hash.Sum(nil))}, nil
}

// named says which file an error is about, in place of its temporary name.
func (f *hashedFile) named(err error) error {
	var number unix.Errno
	if errors.As(err, &number) {
		err = number
	}
	return fmt.Errorf("%s: %w", f.path, err)
}
