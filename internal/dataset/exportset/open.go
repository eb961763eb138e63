package exportset

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"fmsr/internal/format/arrowtensor"
)

// Columns returns the names of a frame's tensors: x_hi and, if it is paired, x_lo.
func Columns(paired bool) []string {
	if paired {
		return []string{"x_hi", "x_lo"}
	}
	return []string{"x_hi"}
}

// Open maps one of the Arrow files of the set in dir, and checks its contents against
// the manifest and, if verify is set, its bytes against their SHA-256. Release it.
func (m *Manifest) Open(dir string, listed File, verify bool) (*arrowtensor.File, error) {
	path := filepath.Join(dir, listed.Path)
	if info, err := os.Stat(path); err == nil && info.Size() != listed.Bytes {
		return nil, fmt.Errorf("%s: %d bytes, want %d: the manifest is not of this file, or it is truncated", path, info.Size(), listed.Bytes)
	}
	f, err := arrowtensor.Open(path)
	if err != nil {
		return nil, err
	}
	if err := m.checkFile(listed, f, verify); err != nil {
		f.Release()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

func (m *Manifest) checkFile(listed File, f *arrowtensor.File, verify bool) error {
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
	}
	if verify {
		if sum := sha256.Sum256(f.Bytes()); hex.EncodeToString(sum[:]) != listed.SHA256 {
			return fmt.Errorf("SHA-256 %x, and the manifest says %s: the file is damaged", sum, listed.SHA256)
		}
	}
	return nil
}
