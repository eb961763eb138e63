// Package atomicfile writes files that appear under their name only when they
// are whole.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// File is a file being written beside its final place.
type File struct {
	*os.File
	path string
	done bool
}

// Create starts a file that Commit will put at path.
func Create(path string) (*File, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".tmp-")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, cause(err))
	}
	_ = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) // tells Sweep that it is being written; some file systems cannot
	return &File{File: f, path: path}, nil
}

// Write is os.File's.
func (f *File) Write(data []byte) (int, error) {
	n, err := f.File.Write(data)
	return n, cause(err)
}

// cause leaves out the temporary name, which os puts into its errors.
func cause(err error) error {
	var named *fs.PathError
	if errors.As(err, &named) {
		return named.Err
	}
	return err
}

// Sweep removes what processes that were killed have left of files that were to
// be at path. A file that is still being written is left alone.
func Sweep(path string) error {
	left, err := filepath.Glob(filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".tmp-*"))
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	for _, name := range left {
		if err := sweep(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func sweep(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil {
		return nil
	}
	return os.Remove(name)
}

// Commit makes the file durable and renames it into place.
func (f *File) Commit() error {
	if err := f.commit(); err != nil {
		f.Close()
		return fmt.Errorf("%s: %w", f.path, cause(err))
	}
	return nil
}

func (f *File) commit() error {
	if err := f.Chmod(0o644); err != nil { // CreateTemp's is for the owner alone
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.File.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), f.path); err != nil {
		return err
	}
	f.done = true
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
