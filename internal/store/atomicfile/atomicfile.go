// Package atomicfile writes files that appear under their name only when they are whole:
//
//	Create --> DIR/.NAME.fmsr.tmp-123 -- Write ... --> Commit: sync, rename --> DIR/NAME
//	                                              \--> Close: removed
//
// Sweep removes the temporary files of killed processes. Unshare parts a file that is going
// to be appended to from its hard links. Room asks for free disk space.
// Files and folders follow the umask.
package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"fmsr.example/fmsr/internal/store/infile"
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
	err := fs.ErrExist
	for try := 0; errors.Is(err, fs.ErrExist) && try < 1000; try++ {
		var f *os.File
		name := temporary(filepath.Base(path)) + strconv.FormatUint(uint64(rand.Uint32()), 10)
		if f, err = os.OpenFile(filepath.Join(filepath.Dir(path), name), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666); err != nil {
			continue
		}
		if claim(f) {
			return &File{File: f, path: path}, nil
		}
		f.Close()
		err = fs.ErrExist
	}
	return nil, fmt.Errorf("%s: %w", path, Cause(err))
}

// claim tells other processes' sweeps that a new file is being written. It reports whether
// none has removed it before. On a file system without locks, nothing is swept.
func claim(f *os.File) bool {
	switch err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); {
	case errors.Is(err, unix.EWOULDBLOCK):
		return false
	case err != nil:
		return true
	}
	mine, err := f.Stat()
	if err != nil {
		return true // writing to it will fail
	}
	there, err := os.Lstat(f.Name())
	return err == nil && os.SameFile(mine, there)
}

// mark ends the names of temporary files, before their number. Nobody else uses it.
const mark = ".fmsr.tmp-"

// temporary returns how the names of a file's temporary files begin. A long name is cut,
// so that they fit into the 255 bytes that a name may have.
func temporary(base string) string {
	const digits = 10
	if room := 255 - digits - len(mark) - 1; len(base) > room {
		base = strings.ToValidUTF8(base[:room], "")
	}
	return "." + base + mark
}

// isTemporary reports whether temporary made a name.
func isTemporary(name string) bool {
	at := strings.LastIndex(name, mark)
	return strings.HasPrefix(name, ".") && at > 0 && at+len(mark) < len(name) && strings.Trim(name[at+len(mark):], "0123456789") == ""
}

// Path returns where Commit will put the file.
func (f *File) Path() string { return f.path }

// Write adds to the file.
func (f *File) Write(data []byte) (int, error) {
	before("write", f, data)
	n, err := f.File.Write(data)
	return n, Cause(err)
}

// Cause returns an error without the paths that os puts into it: they are temporary, or
// the caller names them anyway.
func Cause(err error) error {
	var named *fs.PathError
	var renamed *os.LinkError
	switch {
	case errors.As(err, &named):
		return named.Err
	case errors.As(err, &renamed):
		return renamed.Err
	}
	return err
}

// Sweep removes the temporary files that killed processes have left for a file at path.
// It leaves a file alone that is still being written.
func Sweep(path string) error { return sweepFolder(filepath.Dir(path), temporary(filepath.Base(path))) }

// SweepFolder is Sweep for every file in dir, but not for those below its folders.
func SweepFolder(dir string) error { return sweepFolder(dir, "") }

func sweepFolder(dir, prefix string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if e.Type().IsRegular() && strings.HasPrefix(e.Name(), prefix) && isTemporary(e.Name()) {
			if err := sweep(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// SweepTree is SweepFolder for dir and every folder below it.
func SweepTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !e.IsDir() {
			return err
		}
		return SweepFolder(path)
	})
}

// sweep removes a file that nobody is writing. If it is gone, another process swept it.
func sweep(name string) error {
	f, err := infile.OpenFile(name, os.O_RDONLY)
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
	before("sync", f, nil)
	if err := f.Sync(); err != nil {
		return err
	}
	before("rename", f, nil)
	if err := os.Rename(f.Name(), f.path); err != nil { // while it is open, and so locked: a sweep would take it
		return err
	}
	f.done = true
	if err := f.File.Close(); err != nil {
		return err
	}
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

// Unshare gives the name at path a file of its own, if the file has other names too (hard
// links, as cp -al and backups make them), so that what is written to it changes no other's.
// A link or a missing file is left as it is.
func Unshare(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil || !info.Mode().IsRegular() || info.Sys().(*syscall.Stat_t).Nlink < 2 {
		return err
	}
	from, err := infile.Open(path)
	if err != nil {
		return err
	}
	defer from.Close()
	own, err := Create(path)
	if err != nil {
		return err
	}
	defer own.Close()
	if _, err := io.Copy(own, from); err != nil {
		return fmt.Errorf("%s: %w", path, Cause(err))
	}
	return own.Commit()
}
