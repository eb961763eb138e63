package parts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"

	"fmsr.example/fmsr/internal/glob"
	"fmsr.example/fmsr/internal/store/atomicfile"
	"fmsr.example/fmsr/internal/store/infile"
	"fmsr.example/fmsr/internal/store/seal"
)

// Whole is the name of the record of the summary's files, in the folder of the records.
const Whole = "whole.json"

// Summarize records the files of the summary that was made of these records. Several runs
// may do so at the same time, because they make the same bytes.
func (s *Set) Summarize(records []Record, names ...string) error {
	r := Record{Key: s.digest(records)}
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
	return atomicfile.WriteFile(filepath.Join(s.folder(), Whole), seal.Object(data))
}

// Summarized reports whether the summary of these records is there, and unchanged.
func (s *Set) Summarized(ctx context.Context, records []Record) bool {
	r, err := read(filepath.Join(s.folder(), Whole))
	if err != nil || r.Key != s.digest(records) {
		return false
	}
	for _, f := range r.Files {
		if f.Verify(ctx, s.dir, map[File]bool{}) != nil {
			return false
		}
	}
	return true
}

// digest returns a hash of all that a summary is made of.
func (s *Set) digest(records []Record) string {
	h := sha256.New()
	h.Write(s.About)
	for _, r := range records {
		fmt.Fprintf(h, "%q %v %s", r.Key, r.Files, r.Extra)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Verified is what Verify found.
type Verified struct {
	Parts      int // finished
	OfFiles    bool
	Summarized bool
}

// Verify reads all files of a folder of results and checks them against its records. It
// skips the files in verified, and adds the others. An error names the file.
func Verify(ctx context.Context, dir string, verified map[File]bool) (found Verified, err error) {
	folders, err := recordFolders(dir)
	if err != nil {
		return found, err
	}
	for _, folder := range folders {
		paths, err := glob.In(folder, "*.json")
		if err != nil {
			return found, err
		}
		n := 0
		for _, path := range paths {
			r, err := read(path) // a work reads as a record without files
			if err != nil {
				return found, err
			}
			for _, f := range r.Files {
				if err := f.Verify(ctx, dir, verified); err != nil {
					return found, err
				}
			}
			found.OfFiles = found.OfFiles || r.Of != ""
			if filepath.Base(path) == Whole {
				found.Summarized = true
			} else if len(r.Files) > 0 {
				n++
			}
		}
		found.Parts = max(found.Parts, n) // of files, each sink has its own
	}
	return found, nil
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
