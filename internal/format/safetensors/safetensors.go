// Package safetensors writes named float32 tensors in the safetensors format
// (github.com/huggingface/safetensors), which holds numbers and no code:
//
//	8 bytes   length of the header, little-endian
//	header    {"NAME": {"dtype": "F32", "shape": [...], "data_offsets": [begin, end]}, ..., "__metadata__": {text: text}}
//	          padded with spaces to a multiple of 8
//	data      the tensors, row-major, little-endian, one after the other
package safetensors

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"

	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/store/infile"
)

// Tensor is one tensor to be written. Read is called once, when it is written,
// so that one tensor at a time is in memory.
type Tensor struct {
	Name  string
	Shape []int64
	Read  func() ([]float32, error) // row-major
}

// entry is a tensor in the header.
type entry struct {
	DType   string   `json:"dtype"`
	Shape   []int64  `json:"shape"`
	Offsets [2]int64 `json:"data_offsets"` // from the end of the header
}

const alignment = 8

// Is reports whether a file begins as Write's do.
func Is(path string) bool {
	f, err := infile.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	start := make([]byte, alignment+2)
	if _, err := io.ReadFull(f, start); err != nil {
		return false
	}
	return binary.LittleEndian.Uint64(start) <= uint64(f.Size) && string(start[alignment:]) == `{"`
}

// Write writes the tensors in their order. The bytes are a function of the arguments alone.
func Write(w io.Writer, tensors []Tensor, metadata map[string]string) error {
	header := map[string]any{"__metadata__": metadata}
	at := int64(0)
	for _, t := range tensors {
		if _, taken := header[t.Name]; taken {
			return fmt.Errorf("tensor %s: the name is taken", t.Name)
		}
		e := entry{DType: "F32", Shape: append([]int64{}, t.Shape...), Offsets: [2]int64{at, at + 4*t.numel()}}
		at = e.Offsets[1]
		header[t.Name] = e
	}
	text, err := json.Marshal(header)
	if err != nil {
		return err
	}
	for len(text)%alignment != 0 {
		text = append(text, ' ')
	}
	if _, err := w.Write(append(binary.LittleEndian.AppendUint64(nil, uint64(len(text))), text...)); err != nil {
		return err
	}
	for _, t := range tensors {
		values, err := t.Read()
		if err != nil {
			return fmt.Errorf("tensor %s: %w", t.Name, err)
		}
		if int64(len(values)) != t.numel() {
			return fmt.Errorf("tensor %s of shape %v: %d values, want %d", t.Name, t.Shape, len(values), t.numel())
		}
		if _, err := w.Write(frames.Bytes(values)); err != nil {
			return err
		}
	}
	return nil
}

func (t Tensor) numel() int64 {
	n := int64(1)
	for _, d := range t.Shape {
		n *= d
	}
	return n
}
