package runview

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// Limits of files, in bytes.
const (
	mostSpec   = 1 << 20
	mostAbout  = 1 << 20
	mostRecord = 16 << 20
	mostImage  = 64 << 20
	mostLog    = 1 << 30
	mostLine   = 1 << 20
)

// open opens a regular file. It does not wait for the writer of a pipe.
func open(root *os.Root, name string) (*os.File, fs.FileInfo, error) {
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: name, Err: errors.New("not a regular file")}
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// read returns a file of at most that many bytes.
func read(root *os.Root, name string, most int64) ([]byte, error) {
	f, info, err := open(root, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info.Size() > most {
		return nil, tooLong(name, most)
	}
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most {
		err = tooLong(name, most)
	}
	return data, err
}

func tooLong(name string, most int64) error {
	return &fs.PathError{Op: "read", Path: name, Err: fmt.Errorf("more than %d bytes", most)}
}

// stamp changes when a file is replaced or written to; zero: there is none.
type stamp struct {
	inode       uint64
	size, ctime int64
}

func stampOf(root *os.Root, name string) (stamp, error) {
	info, err := root.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return stamp{}, nil
	}
	if err != nil {
		return stamp{}, err
	}
	return stamp{inodeOf(info), info.Size(), info.Sys().(*syscall.Stat_t).Ctim.Nano()}, nil
}

func inodeOf(info fs.FileInfo) uint64 { return info.Sys().(*syscall.Stat_t).Ino }
