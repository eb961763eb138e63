// Package atomicfile writes files that appear under their name only when they are whole:
//
//	Create --> DIR/.NAME.tmp-123 -- Write ... --> Commit: sync, rename --> DIR/NAME
//	                                         \--> Close: removed
//
// Sweep removes the temporary files of killed processes. Room asks for free disk space.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"fmsr/internal/glob"

	"golang.org/x/sys/unix"
)

// Before, if a test has set it, is called before each operation on a file that is being
// written (write, sync, rename, sync folder), so that the test can stop the process there.
var Before func(operation string, f *File, data []byte)

func before(operation string, f *File, data []byte) {
	if Before != nil {
		Before(operation, f, data)
	}
}

// File is a file being written beside its final place.
type File struct {
	*os.File
	path string
	done bool
}

// Create starts a file that Commit will put at path.
func Create(path string) (*File, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".tmp-*") // the last * is the random part
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, Cause(err))
	}
	_ = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) // tells Sweep that it is being written; some file systems cannot
	return &File{File: f, path: path}, nil
}

// Path returns where Commit will put the file.
func (f *File) Path() string { return f.path }

// Write adds to the file.
func (f *File) Write(data []byte) (int, error) {
	before("write", f, data)
	n, err := f.File.Write(data)
	return n, Cause(err)
}

// Cause returns an error without the path that os puts into it: the path is temporary, or
// the caller names it anyway.
func Cause(err error) error {
	var named *fs.PathError
	if errors.As(err, &named) {
		return named.Err
	}
	return err
}

// Sweep removes the temporary files that killed processes have left for a file at path.
// It leaves a file alone that is still being written.
func Sweep(path string) error {
	left, err := glob.In(filepath.Dir(path), "."+glob.Quote(filepath.Base(path))+".tmp-*")
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, name := range left {
		if err := sweep(name); err != nil {
			return err
		}
	}
	return nil
}

// SweepTree is Sweep for every file in and below dir.
func SweepTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() || !strings.HasPrefix(e.Name(), ".") || !strings.Contains(e.Name(), ".tmp-") {
			return err
		}
		return sweep(path)
	})
}

// sweep removes a file that nobody is writing. If it is gone, another process swept it.
func sweep(name string) error {
	f, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		return nil
	}
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Commit makes the file durable and renames it into place.
func (f *File) Commit() error {
	if err := f.commit(); err != nil {
		f.Close()
		return fmt.Errorf("%s: %w", f.path, Cause(err))
	}
	return nil
}

func (f *File) commit() error {
	if err := f.Chmod(0o644); err != nil { // CreateTemp's is for the owner alone
		return err
	}
	before("sync", f, nil)
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.File.Close(); err != nil {
		return err
	}
	before("rename", f, nil)
	if err := os.Rename(f.Name(), f.path); err != nil {
		return err
	}
	f.done = true
	before("sync folder", f, nil)
	return syncFolder(filepath.Dir(f.path))
}

// Close removes the file unless it was committed.
func (f *File) Close() error {
	if f.done {
		return nil
	}
	f.done = true
	f.File.Close() // may be closed already
	return os.Remove(f.Name())
}

// syncFolder makes a rename in it durable.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// WriteFile is os.WriteFile, whole or not at all.
func WriteFile(path string, data []byte) error {
	f, err := Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(data); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return f.Commit()
}
