package sinks

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"path/filepath"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"golang.org/x/sys/unix"

	"fmsr/internal/format/npy"
	"fmsr/internal/format/tensorcolumn"
	"fmsr/internal/frames"
	"fmsr/internal/store/atomicfile"
	"fmsr/internal/store/parts"
	"fmsr/pipeline"
)

// exportWriter writes the files of a seed. They appear with Commit.
type exportWriter interface {
	// Write appends frames: tensors x_hi and, if paired, x_lo, (N,C,H,W).
	Write(origins []frames.Origin, tensors []*memory.Buffer) error
	Commit() ([]parts.File, error)
	// Close removes what was not committed.
	Close()
}

// exportShape is what the files depend on.
type exportShape struct {
	dir      string
	format   string
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

func newExportWriter(s exportShape) (exportWriter, error) {
	if s.format == "npy" {
		return newNpyExport(s)
	}
	file, err := s.create(s.format)
	if err != nil {
		return nil, err
	}
	table, err := tensorcolumn.NewWriter(s.format, file, tensorcolumn.Schema(s.channels, s.h, s.w, s.columns()...))
	if err != nil {
		file.Close()
		return nil, err
	}
	return &tableExport{file: file, table: table}, nil
}

// tableExport is a table file: Arrow's IPC file, or Parquet.
type tableExport struct {
	file  *hashedFile
	table *tensorcolumn.Writer
	rows  int
}

func (t *tableExport) Write(origins []frames.Origin, tensors []*memory.Buffer) error {
	t.rows += len(origins)
	if err := t.table.Write(origins, tensors...); err != nil {
		return t.file.named(err)
	}
	return nil
}

func (t *tableExport) Commit() ([]parts.File, error) {
	if err := t.table.Close(); err != nil {
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
