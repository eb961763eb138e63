// Package npy opens NumPy's array files, .npy and .npz, and writes .npy.
//
//	a.npy   header | values   mapped (npy.go)
//	a.npz   zip of .npy       stored: mapped; deflated: inflated as it is read (npz.go)
//
// Data returns mapped, aligned little-endian float32 values. Read converts values of
// any type, piece by piece (convert.go). write.go writes.
//
// The header, "\x93NUMPY", version, length and {'descr': '<f4', 'fortran_order':
// False, 'shape': (F,H,W,C)}, is read and checked against the size in npy.go; npyio
// parses the dict. Fortran order is refused.
// float32, float64 and float16 are read, of either byte order, as float32: a
// float64 beyond float32's range becomes Inf.
package npy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unsafe"

	"github.com/sbinet/npyio/npy"
	"golang.org/x/sys/unix"
)

// longestHeader bounds the bytes that are read before anything is known of a file.
const longestHeader = 1 << 16

// File is an open array of floats in C order.
type File struct {
	Path  string // of the file, and for an npz the member: "a.npz: fields.npy"
	Shape []int
	DType string // as numpy names it: "<f4"

	mapped []byte    // the whole file, nil where it is inflated
	values []byte    // of mapped
	stream *inflated // the values of a compressed member
}

// Open opens an .npy file, or an .npz file of one array. See OpenArray.
func Open(path string) (*File, error) { return OpenArray(path, "") }

// OpenArray opens an .npy file, or the array of that name in an .npz file, where ""
// means its only array. A stored array is mapped. A compressed array, as
// numpy.savez_compressed writes it, is inflated while it is read. Errors name the path,
// what was found and what was expected. Others must not truncate the file while it is
// open.
func OpenArray(path, array string) (*File, error) {
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
	start := make([]byte, len(zipMagic))
	if n, _ := f.ReadAt(start, 0); n == len(start) && string(start) == zipMagic {
		return openZip(path, array)
	}
	if array != "" {
		return nil, fmt.Errorf("%s: array %q is asked for, but only an npz file has names", path, array)
	}
	a, err := mapArray(f, 0, info.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	a.Path = path
	return a, nil
}

// mapArray maps f. Its bytes from start to end are an npy file.
func mapArray(f *os.File, start, end int64) (*File, error) {
	a, length, err := readHeader(io.NewSectionReader(f, start, end-start))
	if err != nil {
		return nil, err
	}
	if err := a.checkLength(length, end-start); err != nil {
		return nil, err
	}
	a.mapped, err = unix.Mmap(int(f.Fd()), 0, int(end), unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("mapping: %w", err)
	}
	a.values = a.mapped[start+int64(length):]
	return a, nil
}

// checkLength checks an npy file's size against its header.
func (f *File) checkLength(header int, found int64) error {
	size, err := dataSize(f.Shape, sizes[f.DType])
	if err != nil {
		return err
	}
	if want := int64(header) + size; found != want {
		what := "truncated"
		if found > want {
			what = "longer than its array"
		}
		return fmt.Errorf("%s: %d bytes, want %d for shape %v", what, found, want, f.Shape)
	}
	return nil
}

// Data returns the values in C order, a view of the file that is invalid after Close. It
// returns nil if the values must be converted, inflated or aligned: Read does that.
func (f *File) Data() []float32 {
	if f.DType != "<f4" || f.values == nil || uintptr(unsafe.Pointer(unsafe.SliceData(f.values)))%4 != 0 {
		return nil
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(f.values))), len(f.values)/4)
}

// Read fills dst with values, starting at index at. It is not safe for concurrent use.
// A compressed array is fast to read only in order.
func (f *File) Read(dst []float32, at int) error {
	size := sizes[f.DType]
	if f.stream == nil {
		convert(dst, f.values[at*size:], f.DType)
		return nil
	}
	if err := f.stream.read(dst, at, f.DType); err != nil {
		return fmt.Errorf("%s: %w", f.Path, err)
	}
	return nil
}

// Close closes or unmaps the file.
func (f *File) Close() error {
	if f.stream != nil {
		return f.stream.close()
	}
	if f.mapped == nil {
		return nil
	}
	data := f.mapped
	f.mapped, f.values = nil, nil
	return unix.Munmap(data)
}

// readHeader returns the shape and type, and how many bytes the header has.
func readHeader(r io.Reader) (f *File, length int, err error) {
	// magic, version (2), header length (2 or, from version 2 on, 4)
	prefix := make([]byte, 12)
	if n, err := io.ReadFull(r, prefix); err != nil {
		if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, 0, err
		}
		return nil, 0, fmt.Errorf("not an npy file: %d bytes long", n)
	}
	if !bytes.HasPrefix(prefix, []byte("\x93NUMPY")) {
		return nil, 0, fmt.Errorf("not an npy file: it starts with %q", prefix[:6])
	}
	if v := prefix[6:8]; v[0] < 1 || v[0] > 3 {
		return nil, 0, fmt.Errorf("npy version %d.%d: want 1.0, 2.0 or 3.0", v[0], v[1])
	}
	fixed, rest := 10, int(prefix[8])|int(prefix[9])<<8
	if prefix[6] >= 2 {
		fixed, rest = 12, rest|int(prefix[10])<<16|int(prefix[11])<<24
	}
	if rest > longestHeader {
		return nil, 0, fmt.Errorf("an npy header of %d bytes: want at most %d", rest, longestHeader)
	}
	if fixed+rest < len(prefix) {
		return nil, 0, fmt.Errorf("an npy header of %d bytes", rest)
	}
	head := make([]byte, fixed+rest)
	n := copy(head, prefix)
	if _, err := io.ReadFull(r, head[n:]); err != nil {
		return nil, 0, errors.New("truncated within the npy header")
	}
	parsed, err := parse(head)
	if err != nil {
		return nil, 0, fmt.Errorf("npy header %.200q: want {'descr': ..., 'fortran_order': ..., 'shape': ...}: %w", bytes.TrimSpace(head[fixed:]), err)
	}
	if sizes[parsed.Descr.Type] == 0 || strings.HasSuffix(parsed.Descr.Type, low) {
		return nil, 0, fmt.Errorf("dtype %q: want float32, float64 or float16 (numpy: a.astype('<f4'))", parsed.Descr.Type)
	}
	if parsed.Descr.Fortran {
		return nil, 0, errors.New("the array is in Fortran order: want C order (numpy: np.ascontiguousarray(a))")
	}
	return &File{Shape: parsed.Descr.Shape, DType: parsed.Descr.Type}, len(head), nil
}

// parse has npyio read the header. npyio panics on some malformed headers.
func parse(head []byte) (h npy.Header, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	r, err := npy.NewReader(bytes.NewReader(head))
	if err != nil {
		return h, err
	}
	return r.Header, nil
}

// dataSize returns the number of bytes of an array.
func dataSize(shape []int, element int) (int64, error) {
	if len(shape) == 0 {
		return 0, errors.New("a number without axes: want an array of frames")
	}
	size := int64(element)
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
