// Package infile opens files to read. It refuses what is not a regular file, because a
// pipe hangs its reader and a device may have no end:
//
//	Open --> File -- Fill: bytes of the file as it was when it was opened, or an error
//	ReadAll: a whole small file
//
// Files are read, not mapped: a mapped file that someone truncates ends the process.
package infile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// Stamp changes whenever the contents of a file are changed or replaced. Comparing stamps
// reads no contents.
// Changed is the ctime: no program can set it back, as cp -p and rsync -t do with
// the time of modification.
type Stamp struct {
	Inode    uint64 `json:"inode"`
	Size     int64  `json:"size"`
	Modified int64  `json:"mtime_ns"`
	Changed  int64  `json:"ctime_ns"`
}

// File is an open regular file, and its stamp when it was opened. The errors of its methods
// do not name it.
type File struct {
	*os.File
	Stamp
}

// Open opens a regular file. It does not wait for the writer of a pipe.
func Open(path string) (*File, error) {
	f, err := OpenFile(path, os.O_RDONLY)
	if err != nil {
		return nil, err
	}
	return From(f)
}

// From returns a regular file that is open already. It closes the file if it returns an error.
func From(f *os.File) (*File, error) {
	s, err := stamp(f.Stat())
	if err != nil {
		f.Close()
		return nil, err
	}
	return &File{f, s}, nil
}

// OpenFile is os.OpenFile for regular files. It makes a file with permissions 0666
// before umask, if flag asks for one.
func OpenFile(path string, flag int) (*os.File, error) {
	if info, err := os.Stat(path); err == nil { // opening alone can act on a device
		if err := regular(path, info); err != nil {
			return nil, err
		}
	}
	f, err := os.OpenFile(path, flag|syscall.O_NONBLOCK, 0o666)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil {
		err = regular(path, info)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// regular returns an error that says what a path is, if it is not a regular file.
func regular(path string, info fs.FileInfo) error {
	what := "not a regular file"
	switch mode := info.Mode(); {
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		what = "a folder"
	case mode&fs.ModeNamedPipe != 0:
		what = "a pipe"
	case mode&fs.ModeDevice != 0:
		what = "a device"
	}
	return &fs.PathError{Op: "open", Path: path, Err: fmt.Errorf("it is %s: want a file", what)}
}

// StampOf returns the stamp of the file at a path.
func StampOf(path string) (Stamp, error) { return stamp(os.Stat(path)) }

func stamp(info fs.FileInfo, err error) (Stamp, error) {
	if err != nil {
		return Stamp{}, err
	}
	s := info.Sys().(*syscall.Stat_t)
	return Stamp{Inode: s.Ino, Size: s.Size, Modified: s.Mtim.Nano(), Changed: s.Ctim.Nano()}, nil
}

// Fill reads the bytes from at on into dst. It returns an error if there are fewer bytes.
func (f *File) Fill(dst []byte, at int64) error {
	n, err := f.ReadAt(dst, at)
	switch {
	case n == len(dst):
		return nil
	case errors.Is(err, io.EOF):
		return fmt.Errorf("truncated while it is read: it had %d bytes, and ends before byte %d now", f.Size, at+int64(len(dst)))
	default:
		return cause(err)
	}
}

// Unchanged returns an error if the file has been written to since it was opened.
func (f *File) Unchanged() error {
	now, err := stamp(f.Stat())
	if err != nil {
		return err
	}
	switch {
	case now.Size != f.Size:
		return fmt.Errorf("it was changed while it was read: it had %d bytes, and has %d now", f.Size, now.Size)
	case now != f.Stamp:
		return errors.New("it was changed while it was read: run again when it is complete")
	}
	return nil
}

// Was returns an error unless the stamp is the one before, so that a file that is opened
// again is the same.
func (s Stamp) Was(before Stamp) error {
	if s != before {
		return errors.New("it was replaced or changed since this run started: run again when it is complete")
	}
	return nil
}

// ReadAll returns the contents of a file of at most that many bytes.
func ReadAll(path string, most int64) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(f, path, most)
}

// ReadStream is ReadAll for a file or a pipe, as a shell's <(command) is one. A named pipe
// that nobody writes to is empty.
func ReadStream(path string, most int64) ([]byte, error) {
	if info, err := os.Stat(path); err != nil || info.Mode()&fs.ModeNamedPipe == 0 {
		return ReadAll(path, most)
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(f, path, most)
}

func readAll(r io.Reader, path string, most int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("more than %d bytes", most)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: path, Err: cause(err)}
	}
	return data, nil
}

// cause returns an error without the path that os puts into it.
func cause(err error) error {
	var named *fs.PathError
	if errors.As(err, &named) {
		return named.Err
	}
	return err
}
