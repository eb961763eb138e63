package parts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"

	"fmsr/internal/glob"
	"fmsr/internal/store/atomicfile"
	"fmsr/internal/store/infile"
	"fmsr/internal/store/seal"
)

// Whole is the record of the summary's files.
const Whole = Folder + "/whole.json"

// Summarize records the files of a summary that was made of all records. Several runs
// may do so at the same time, because they make the same bytes.
func (s *Set) Summarize(names ...string) error {
	r := Record{Key: s.key}
	for _, name := range names {
		f := File{Path: name}
		var err error
		if f.Bytes, f.SHA256, err = sumOf(filepath.Join(s.dir, name)); err != nil {
			return err
		}
		r.Files = append(r.Files, f)
	}
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(filepath.Join(s.dir, Whole), seal.Object(data))
}

// Verify reads all files of a folder of results and checks them against its records. It
// skips the files in verified, and adds the others. It returns how many seeds are
// finished. An error names the file.
func Verify(ctx context.Context, dir string, verified map[File]bool) (seeds int, err error) {
	paths, err := glob.In(filepath.Join(dir, Folder), "seed_*.json")
	if err != nil {
		return 0, err
	}
	for _, path := range append(slices.Clone(paths), filepath.Join(dir, Whole)) {
		r, err := read(path)
		if errors.Is(err, fs.ErrNotExist) { // only Whole's may be
			continue
		}
		if err != nil {
			return 0, err
		}
		for _, f := range r.Files {
			if err := f.Verify(ctx, dir, verified); err != nil {
				return 0, err
			}
		}
	}
	return len(paths), nil
}

// Verify reads the file, in the folder of the results, and checks its size and checksum.
// It skips a file in verified, or adds it.
func (f File) Verify(ctx context.Context, dir string, verified map[File]bool) error {
	if verified[f] {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	path := filepath.Join(dir, f.Path)
	if !filepath.IsLocal(f.Path) {
		return fmt.Errorf("%s: want a path within the folder", path)
	}
	n, sum, err := sumOf(path)
	switch {
	case err != nil:
		return err
	case n != f.Bytes:
		return fmt.Errorf("%s: %d bytes, want %d", path, n, f.Bytes)
	case sum != f.SHA256:
		return fmt.Errorf("%s: SHA-256 %s, want %s", path, sum, f.SHA256)
	}
	verified[f] = true
	return nil
}

// sumOf returns a file's size and SHA-256.
func sumOf(path string) (n int64, sum string, err error) {
	f, err := infile.Open(path)
	if err != nil {
		return 0, "", err
	}
	defer f.Close()
	h := sha256.New()
	if n, err = io.Copy(h, f); err != nil {
		return 0, "", fmt.Errorf("%s: %w", path, err)
	}
	return n, hex.EncodeToString(h.Sum(nil)), nil
}
