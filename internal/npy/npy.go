// Package npy opens NumPy's array files memory-mapped, and writes them.
//
//	"\x93NUMPY" version | header length | {'descr': '<f4', 'fortran_order': False, 'shape': (F,H,W,C)} | values
//	                       parsed by npyio, checked against the file's size       | mapped: Data()
package npy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"unsafe"

	"github.com/sbinet/npyio/npy"
	"golang.org/x/sys/unix"
)

// longestHeader bounds what is read before anything is known of a file.
const longestHeader = 1 << 16

// File is an open array of little-endian float32 in C order.
type File struct {
	Path  string
	Shape []int
	bytes []byte // the whole file, mapped
	start int    // of the values
}

// Open reads the header, checks it against the file's size and maps the file.
// Errors name the path, what was found and what is wanted. The file must not be
// truncated by others while it is open.
func Open(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: not a regular file", path)
	}
	shape, start, err := readHeader(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	size, err := dataSize(shape)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if want := int64(start) + size; info.Size() != want {
		what := "truncated"
		if info.Size() > want {
			what = "longer than its array"
		}
		return nil, fmt.Errorf("%s: %s: %d bytes, want %d for shape %v", path, what, info.Size(), want, shape)
	}
	data, err := unix.Mmap(int(f.Fd()), 0, int(info.Size()), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("%s: mapping: %w", path, err)
	}
	return &File{Path: path, Shape: shape, bytes: data, start: start}, nil
}

// Data are the values in C order, a view of the file: invalid after Close.
func (f *File) Data() []float32 {
	values := f.bytes[f.start:]
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(values))), len(values)/4)
}

// Close unmaps the file.
func (f *File) Close() error {
	if f.bytes == nil {
		return nil
	}
	data := f.bytes
	f.bytes = nil
	return unix.Munmap(data)
}

// readHeader is the shape and where the values start.
func readHeader(r io.Reader) (shape []int, start int, err error) {
	// magic, version (2), header length (2 or, from version 2 on, 4)
	prefix := make([]byte, 12)
	if n, err := io.ReadFull(r, prefix); err != nil {
		return nil, 0, fmt.Errorf("not an npy file: %d bytes long", n)
	}
	if !bytes.HasPrefix(prefix, []byte("\x93NUMPY")) {
		return nil, 0, fmt.Errorf("not an npy file: it starts with %q", prefix[:6])
	}
	fixed, length := 10, int(prefix[8])|int(prefix[9])<<8
	if prefix[6] >= 2 {
		fixed, length = 12, length|int(prefix[10])<<16|int(prefix[11])<<24
	}
	if length > longestHeader {
		return nil, 0, fmt.Errorf("an npy header of %d bytes: want at most %d", length, longestHeader)
	}
	start = fixed + length
	head := make([]byte, start)
	n := copy(head, prefix)
	if _, err := io.ReadFull(r, head[min(n, start):]); err != nil {
		return nil, 0, errors.New("truncated within the npy header")
	}
	parsed, err := parse(head)
	if err != nil {
		return nil, 0, err
	}
	if t := parsed.Descr.Type; t != "<f4" {
		return nil, 0, fmt.Errorf("dtype %q: want '<f4', little-endian float32 (numpy: a.astype('<f4'))", t)
	}
	if parsed.Descr.Fortran {
		return nil, 0, errors.New("the array is in Fortran order: want C order (numpy: np.ascontiguousarray(a))")
	}
	if start%4 != 0 {
		return nil, 0, fmt.Errorf("values start at byte %d: want a multiple of 4", start)
	}
	return parsed.Descr.Shape, start, nil
}

// parse has npyio read the header; it panics on some malformed ones.
func parse(head []byte) (h npy.Header, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("npy header: %v", p)
		}
	}()
	r, err := npy.NewReader(bytes.NewReader(head))
	if err != nil {
		return h, fmt.Errorf("npy header: %w", err)
	}
	return r.Header, nil
}

// dataSize is the bytes of a float32 array of that shape.
func dataSize(shape []int) (int64, error) {
	size := int64(4)
	for _, d := range shape {
		if d <= 0 {
			return 0, fmt.Errorf("shape %v: want every dimension at least 1", shape)
		}
		if size > (1<<62)/int64(d) {
			return 0, fmt.Errorf("shape %v: too large", shape)
		}
		size *= int64(d)
	}
	return size, nil
}
