package npy

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"

	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/store/atomicfile"
)

// Encoder writes an array to a file that its caller has opened, values in any number of
// pieces. Its errors do not name the file.
type Encoder struct {
	w    io.Writer
	left int64 // bytes to come
}

// NewEncoder writes the header of an array of that shape, little-endian float32 in C
// order.
func NewEncoder(w io.Writer, shape []int) (*Encoder, error) {
	size, err := dataSize(shape, 4)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(header(shape)); err != nil {
		return nil, err
	}
	return &Encoder{w: w, left: size}, nil
}

// Write appends values.
func (e *Encoder) Write(values []float32) error {
	if e.left -= int64(4 * len(values)); e.left < 0 {
		return errors.New("more values than its shape holds")
	}
	if len(values) == 0 {
		return nil
	}
	_, err := e.w.Write(frames.Bytes(values))
	return err
}

// Whole reports whether every value has come.
func (e *Encoder) Whole() bool { return e.left == 0 }

// End returns an error unless every value has come.
func (e *Encoder) End() error {
	if !e.Whole() {
		return fmt.Errorf("%d bytes are missing", e.left)
	}
	return nil
}

// Writer writes an array to a file of its own, which appears under its name when it is
// whole.
type Writer struct {
	file *atomicfile.File
	enc  *Encoder
}

// Create starts an array of that shape. Close it.
func Create(path string, shape []int) (*Writer, error) {
	f, err := atomicfile.Create(path)
	if err != nil {
		return nil, err
	}
	enc, err := NewEncoder(f, shape)
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &Writer{file: f, enc: enc}, nil
}

// Write appends values.
func (w *Writer) Write(values []float32) error { return w.named(w.enc.Write(values)) }

// Whole reports whether every value has come.
func (w *Writer) Whole() bool { return w.enc.Whole() }

// Commit puts the array in its place.
func (w *Writer) Commit() error {
	if err := w.enc.End(); err != nil {
		return w.named(err)
	}
	return w.file.Commit()
}

// Close removes an array that was not committed.
func (w *Writer) Close() error { return w.file.Close() }

func (w *Writer) named(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", w.file.Path(), err)
}

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

// header returns the bytes before an array's values, of version 1.0, padded with spaces
// so that the values start at a multiple of 64, as numpy does.
func header(shape []int) []byte {
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
