// Package npy opens NumPy's array files, .npy and .npz, and writes .npy.
//
//	a.npy   header | values   read as they are (npy.go)
//	a.npz   zip of .npy       stored: as a.npy; deflated: inflated as it is read (npz.go)
//
// Read converts values of any type, piece by piece. write.go writes.
//
// The header, "\x93NUMPY", version, length and {'descr': '<f4', 'fortran_order':
// False, 'shape': (F,H,W,C)}, is read in header.go as numpy reads it, and checked against
// the file's size in npy.go.
// float32, float64 and float16 are read, of either byte order, as float32: a
// float64 beyond float32's range becomes Inf.
package npy

import (
	"errors"
	"fmt"
	"io"

	"fmsr.example/fmsr/internal/format/floats"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/store/infile"
)

// File is an open array of floats.
type File struct {
	Path    string // of the file, and for an npz the member: "a.npz: fields.npy"
	Shape   []int
	DType   string // as numpy names it: "<f4"
	Fortran bool   // the first axis varies fastest; otherwise the last, as in C

	file   *infile.File
	start  int64      // of the values in the file
	sum    *storedSum // of a stored member; nil: there is none
	stream *inflated  // the values of a compressed member; nil: they are stored
	piece  []byte     // scratch: values to convert
}

// Open opens an .npy file, or an .npz file of one array. See OpenArray.
func Open(path string) (*File, error) { return OpenArray(path, "") }

// OpenArray opens an .npy file, or the array of that name in an .npz file, where ""
// means its only array. A compressed array, as numpy.savez_compressed writes it, is
// inflated while it is read. Errors name the path, what was found and what was expected.
func OpenArray(path, array string) (*File, error) {
	f, err := infile.Open(path)
	if err != nil {
		return nil, err
	}
	a, err := openArray(f, array)
	if err != nil {
		f.Close()
		return nil, err
	}
	a.file = f
	return a, nil
}

func openArray(f *infile.File, array string) (*File, error) {
	path := f.Name()
	if isZip(f) {
		return openZip(f, array)
	}
	if array != "" {
		return nil, fmt.Errorf("%s: array %q is asked for, but only an npz file has names", path, array)
	}
	a, err := storedArray(f, 0, f.Size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	a.Path = path
	return a, nil
}

// storedArray opens an array whose npy file is the bytes of f from start to end.
func storedArray(f *infile.File, start, end int64) (*File, error) {
	a, length, err := readHeader(io.NewSectionReader(f, start, end-start))
	if err != nil {
		return nil, err
	}
	a.start = start + int64(length)
	return a, a.checkLength(length, end-start)
}

// checkLength checks an npy file's size against its header.
func (f *File) checkLength(header int, found int64) error {
	size, err := dataSize(f.Shape, floats.Sizes[f.DType])
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

// Double reports whether the values are float64.
func (f *File) Double() bool { return f.DType[1:] == "f8" }

// Low makes Read return what float32 loses of the values, x - float32(x), or the values
// again.
func (f *File) Low(on bool) {
	f.DType = floats.Lost(f.DType, on)
}

// Stamp returns the stamp of the open file.
func (f *File) Stamp() infile.Stamp { return f.file.Stamp }

// Was returns an error unless the file had the stamp when it was opened.
func (f *File) Was(before infile.Stamp) error { return f.named(f.file.Was(before)) }

// Read fills dst with values in the file's order, starting at index at. It returns an
// error if the file has been changed since it was opened. It is not safe for concurrent
// use. A compressed array is fast to read only in order.
func (f *File) Read(dst []float32, at int) error {
	err := f.read(dst, at)
	if changed := f.file.Unchanged(); changed != nil { // which explains an error
		err = changed
	}
	return f.named(err)
}

func (f *File) named(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", f.Path, err)
}

func (f *File) read(dst []float32, at int) error {
	switch {
	case f.stream != nil:
		return f.stream.read(dst, at, f.DType)
	case f.DType == "<f4":
		return f.fill(frames.Bytes(dst), f.start+4*int64(at))
	default:
		return f.convert(dst, at)
	}
}

// fill reads the bytes from at on, and checks the CRC of a member with the last ones.
func (f *File) fill(dst []byte, at int64) error {
	err := f.file.Fill(dst, at)
	if err == nil && f.sum != nil {
		err = f.sum.add(dst, at)
	}
	return err
}

// ReadFile returns the shape and all values, in C order, of a file of one array.
func ReadFile(path string) (shape []int, values []float32, err error) {
	f, err := Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	if f.Fortran {
		return nil, nil, fmt.Errorf("%s: the array is in Fortran order: want C order (numpy: np.ascontiguousarray(a))", path)
	}
	size, err := dataSize(f.Shape, 1)
	if err != nil {
		return nil, nil, err
	}
	values = make([]float32, size)
	return f.Shape, values, f.Read(values, 0)
}

// pieceSize is how many bytes are converted or inflated at a time: a multiple of every
// type's size.
const pieceSize = 1 << 16

// convert is Read for values that are stored as another type.
func (f *File) convert(dst []float32, at int) error {
	if f.piece == nil {
		f.piece = make([]byte, pieceSize)
	}
	size := floats.Sizes[f.DType]
	for len(dst) > 0 {
		n := min(len(dst), len(f.piece)/size)
		if err := f.fill(f.piece[:n*size], f.start+int64(at*size)); err != nil {
			return err
		}
		floats.Convert(dst[:n], f.piece, f.DType)
		dst, at = dst[n:], at+n
	}
	return nil
}

// Close closes the file.
func (f *File) Close() error {
	if f.stream != nil {
		f.stream.closeStream()
	}
	return f.file.Close()
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
