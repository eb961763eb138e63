package exportset

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/apache/arrow/go/v15/parquet/file"

	"fmsr.example/fmsr/internal/format/arrowtensor"
	"fmsr.example/fmsr/internal/format/hdf5"
	"fmsr.example/fmsr/internal/format/npy"
	"fmsr.example/fmsr/internal/store/infile"
	"fmsr.example/fmsr/internal/store/parts"
)

// Verify checks the checksum of a manifest, and the size, SHA-256 and rows of every
// file that it lists. It adds the files to verified. An error names the file and the
// problem.
func Verify(ctx context.Context, path string, verified map[parts.File]bool) (m Manifest, err error) {
	if m, err = Read(path); err != nil {
		return m, err
	}
	for _, f := range m.Files {
		if err := f.Verify(ctx, filepath.Dir(path), verified); err != nil {
			return m, err
		}
		name := filepath.Join(filepath.Dir(path), f.Path)
		n, err := rows(name, m.Format)
		if err != nil {
			return m, err
		}
		if n != f.Rows {
			return m, fmt.Errorf("%s: %d rows, and %s says %d", name, n, path, f.Rows)
		}
	}
	return m, nil
}

// rows returns the number of frames in a file, as the file itself gives it.
func rows(path, format string) (int, error) {
	switch format {
	case "arrow":
		f, err := arrowtensor.Open(path)
		if err != nil {
			return 0, err
		}
		defer f.Close()
		return len(f.Rows), nil
	case "npy":
		f, err := npy.Open(path)
		if err != nil {
			return 0, err
		}
		defer f.Close()
		return f.Shape[0], nil
	case "parquet":
		in, err := infile.Open(path)
		if err != nil {
			return 0, err
		}
		f, err := file.NewParquetReader(in) // which closes in
		if err != nil {
			in.Close()
			return 0, fmt.Errorf("%s: %w", path, err)
		}
		defer f.Close()
		return int(f.NumRows()), nil
	case "well":
		names, _, err := hdf5.About(path)
		if err != nil {
			return 0, err
		}
		f, err := hdf5.Open(path, names[0], -1)
		if err != nil {
			return 0, err
		}
		defer f.Close()
		return f.Shape[0], nil
	default:
		return 0, fmt.Errorf("%s: format %q: want arrow, parquet, npy or well", path, format)
	}
}
