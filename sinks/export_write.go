package sinks

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr.example/fmsr/internal/dataset/exportset"
	"fmsr.example/fmsr/internal/format/fieldfile"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/store/parts"
	"fmsr.example/fmsr/internal/store/seal"
	"fmsr.example/fmsr/pipeline"
)

// exportFiles are the files of a seed being exported. They appear with commit.
type exportFiles struct {
	format  string
	outs    []*parts.Output
	writers []*fieldfile.Writer // one for all columns; for npy one a column
	rows    int
	sums    []uint32 // of the values in an Arrow file: of each tensor of a row, row by row
}

// fileNames returns the names of a seed's files.
func (e *exporter) fileNames(seed pipeline.Seed) (names []string) {
	suffixes := []string{e.Format}
	switch e.Format {
	case "well":
		folder := map[frames.Split]string{frames.Train: "train", frames.Val: "valid", frames.Test: "test"}[seed.Split]
		return []string{fmt.Sprintf("data/%s/%s.hdf5", folder, seed.Part())}
	case "npy":
		suffixes = nil
		for _, column := range exportset.Columns(e.paired) {
			suffixes = append(suffixes, column+".npy")
		}
	}
	for _, suffix := range suffixes {
		names = append(names, fmt.Sprintf("%s.%s", seed.Part(), suffix))
	}
	return names
}

// create starts a seed's files: one table, or an npy file a column.
func (e *exporter) create(seed pipeline.Seed) (*exportFiles, error) {
	f := &exportFiles{format: e.Format}
	for _, name := range e.fileNames(seed) {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(e.env.Run.Dir, name)), 0o777); err != nil {
			f.close()
			return nil, err
		}
		out, err := e.set.Create(name)
		if err != nil {
			f.close()
			return nil, err
		}
		w, err := fieldfile.New(out, fieldfile.Layout{
			Format: e.Format, Channels: e.in.Channels, H: e.in.H, W: e.in.W,
			Name: e.env.Run.Name, Grid: e.in.Grid,
			Origin: []string{"seed", "frame", "split"}, Columns: exportset.Columns(e.paired), Rows: []int{seed.Frames},
		})
		if err != nil {
			f.close()
			return nil, err
		}
		f.outs, f.writers = append(f.outs, out), append(f.writers, w)
	}
	return f, nil
}

// write appends frames: the tensors of each column, (N,C,H,W).
func (f *exportFiles) write(origins []frames.Origin, tensors []*memory.Buffer) error {
	if f.format == "arrow" {
		for i := range origins {
			for _, t := range tensors {
				size := t.Len() / len(origins)
				f.sums = append(f.sums, seal.Sum(t.Bytes()[i*size:][:size]))
			}
		}
	}
	f.rows += len(origins)
	if len(f.writers) == 1 {
		return f.writers[0].Write(origins, tensors...)
	}
	for i, w := range f.writers {
		if err := w.Write(origins, tensors[i]); err != nil {
			return err
		}
	}
	return nil
}

// commit puts the files in their place.
func (f *exportFiles) commit() (files []parts.File, err error) {
	for i, w := range f.writers {
		if err := w.Commit(); err != nil {
			return nil, err
		}
		files = append(files, f.outs[i].Entry(f.rows))
	}
	return files, nil
}

// close removes the files that were not committed.
func (f *exportFiles) close() {
	for _, w := range f.writers {
		w.Close()
	}
}
