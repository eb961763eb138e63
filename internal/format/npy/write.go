package npy

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"unsafe"

	"fmsr/internal/store/atomicfile"
)

// Writer writes an array piece by piece; it appears under its name when it is whole.
type Writer struct {
	file *atomicfile.File
	path string
	left int64 // bytes to come
}

// Create starts an array of that shape, little-endian float32 in C order. Close it.
func Create(path string, shape []int) (*Writer, error) {
	size, err := dataSize(shape, 4)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	f, err := atomicfile.Create(path)
	if err != nil {
		return nil, err
	}
	if _, err := f.Write(Header(shape)); err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &Writer{file: f, path: path, left: size}, nil
}

// Write appends values.
func (w *Writer) Write(values []float32) error {
	if w.left -= int64(4 * len(values)); w.left < 0 {
		return fmt.Errorf("%s: more values than its shape holds", w.path)
	}
	if len(values) == 0 {
		return nil
	}
	if _, err := w.file.Write(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), 4*len(values))); err != nil {
		return fmt.Errorf("%s: %w", w.path, err)
	}
	return nil
}

// Whole says whether every value has come.
func (w *Writer) Whole() bool { return w.left == 0 }

// Commit puts the array in its place.
func (w *Writer) Commit() error {
	if !w.Whole() {
		return fmt.Errorf("%s: %d bytes are missing", w.path, w.left)
	}
	return w.file.Commit()
}

// Close removes an array that was not committed.
func (w *Writer) Close() error { return w.file.Close() }

// WriteFile writes a whole array, or nothing.
func WriteFile(path string, shape []int, values []float32) error {
	w, err := Create(path, shape)
	if err != nil {
		return err
	}
	defer w.Close()
	if err := w.Write(values); err != nil {
		return err
	}
	return w.Commit()
}

// Header is the bytes before an array's values: version 1.0's, padded with spaces
// so that the values start at a multiple of 64, as numpy does.
func Header(shape []int) []byte {
	var dims strings.Builder
	for _, d := range shape {
		fmt.Fprintf(&dims, "%d, ", d)
	}
	text := fmt.Sprintf("{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }", strings.TrimSuffix(dims.String(), " "))
	if len(shape) > 1 {
		text = strings.Replace(text, ",), }", "), }", 1)
	}
	padding := 63 - (10+len(text))%64
	var b bytes.Buffer
	b.WriteString("\x93NUMPY\x01\x00")
	b.Write(binary.LittleEndian.AppendUint16(nil, uint16(len(text)+padding+1)))
	b.WriteString(text + strings.Repeat(" ", padding) + "\n")
	return b.Bytes()
}
