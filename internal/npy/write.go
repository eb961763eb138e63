package npy

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
	"unsafe"

	"fmsr/internal/atomicfile"
)

// WriteFile writes values of that shape in C order, as little-endian float32,
// whole or not at all.
func WriteFile(path string, shape []int, values []float32) error {
	size, err := dataSize(shape)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if size != int64(4*len(values)) {
		return fmt.Errorf("%s: %d values for shape %v", path, len(values), shape)
	}
	f, err := atomicfile.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for _, part := range [][]byte{header(shape), unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), 4*len(values))} {
		if _, err := f.Write(part); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return f.Commit()
}

// header is version 1.0's, padded with spaces so that the values start at a
// multiple of 64, as numpy does.
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
