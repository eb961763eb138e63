package safetensors

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"fmsr.example/fmsr/internal/store/infile"
)

// Header is what a file says of its tensors.
type Header struct {
	Tensors  []Described // in the order of their data
	Metadata map[string]string
}

// Described is a tensor's name, type ("F32") and shape.
type Described struct {
	Name, DType string
	Shape       []int64
}

// longestHeader bounds the bytes of a header that are read: as in the format's own reader.
const longestHeader = 100 << 20

// ReadHeader reads a file's header. Errors name the path.
func ReadHeader(path string) (Header, error) {
	f, err := infile.Open(path)
	if err != nil {
		return Header{}, err
	}
	defer f.Close()
	h, err := parse(f, f.Size)
	if err != nil {
		return h, fmt.Errorf("%s: %w", path, err)
	}
	return h, nil
}

// parse reads the header of a file of so many bytes.
func parse(r io.Reader, size int64) (h Header, err error) {
	start := make([]byte, alignment)
	if _, err := io.ReadFull(r, start); err != nil {
		return h, fmt.Errorf("not a safetensors file: %d bytes long", size)
	}
	length := binary.LittleEndian.Uint64(start)
	if length > longestHeader || int64(length) > size-alignment {
		return h, fmt.Errorf("not a safetensors file: a header of %d bytes in a file of %d", length, size)
	}
	text := make([]byte, length)
	if _, err := io.ReadFull(r, text); err != nil {
		return h, err
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		return h, fmt.Errorf("not a safetensors file: its header: %w", err)
	}
	if metadata, ok := all["__metadata__"]; ok {
		if err := json.Unmarshal(metadata, &h.Metadata); err != nil {
			return h, fmt.Errorf("__metadata__: %w", err)
		}
		delete(all, "__metadata__")
	}
	entries := map[string]entry{}
	for name, text := range all {
		var e entry
		if err := json.Unmarshal(text, &e); err != nil {
			return h, fmt.Errorf("tensor %s: %w", name, err)
		}
		if begin, end := e.Offsets[0], e.Offsets[1]; begin < 0 || end < begin || end > size-alignment-int64(length) {
			return h, fmt.Errorf("tensor %s: bytes %d to %d are not in the file: it is damaged, or truncated", name, begin, end)
		}
		entries[name] = e
	}
	names := slices.SortedFunc(maps.Keys(entries), func(a, b string) int {
		if x, y := entries[a].Offsets[0], entries[b].Offsets[0]; x != y {
			return int(min(max(x-y, -1), 1))
		}
		return strings.Compare(a, b)
	})
	for _, name := range names {
		h.Tensors = append(h.Tensors, Described{Name: name, DType: entries[name].DType, Shape: entries[name].Shape})
	}
	return h, nil
}
