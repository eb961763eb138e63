package torchfile

import (
	"archive/zip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/x448/float16"

	"fmsr.example/fmsr/internal/store/infile"
)

// File is an open checkpoint.
type File struct {
	Root    *Map
	size    int64 // of the whole file
	file    *infile.File
	zip     *zip.Reader
	records map[string]*zip.File
}

// Map is a Python dict, in its order.
type Map struct {
	Keys   []any
	Values []any
}

// Get returns the value under a string key, or nil if there is none.
func (m *Map) Get(key string) any {
	for i, k := range m.Keys {
		if k == key {
			return m.Values[i]
		}
	}
	return nil
}

// What returns a description of a value, for messages.
func What(v any) string {
	switch v := v.(type) {
	case nil:
		return "missing"
	case *Map:
		return "a dict"
	case *Sequence:
		return "a list"
	case *Stored:
		return "a tensor"
	case string:
		return "text"
	case bool:
		return "true or false"
	case int64:
		return "a whole number"
	case float64:
		return "a number"
	case tuple:
		return "a tuple"
	case class:
		return fmt.Sprintf("the class %.100q", string(v))
	case Foreign:
		return string(v)
	default:
		return "something else"
	}
}

// Items returns the items of a list or a tuple.
func Items(v any) ([]any, bool) {
	switch v := v.(type) {
	case *Sequence:
		return v.Items, true
	case tuple:
		return v, true
	default:
		return nil, false
	}
}

// Stored is a tensor in a checkpoint: a view of a storage. Floats reads it.
type Stored struct {
	DType  string
	Shape  []int64
	stride []int64
	offset int64
	key    string // of the storage's record
	numel  int64  // of the storage
}

// longestPickle bounds data.pkl: a checkpoint of many thousand tensors has less.
const longestPickle = 64 << 20

// Open reads a checkpoint's pickle; tensors are read when asked for. It makes only the
// objects that a checkpoint consists of. Every other object is a Foreign, so that no
// code in a file ever runs.
func Open(path string) (*File, error) {
	file, err := infile.Open(path)
	if err != nil {
		return nil, err
	}
	return From(file)
}

// From is Open for a file that is open, which it takes over.
func From(file *infile.File) (*File, error) {
	var err error
	f := &File{file: file, size: file.Size, records: map[string]*zip.File{}}
	f.zip, err = zip.NewReader(file, file.Size)
	switch {
	case errors.Is(err, zip.ErrFormat):
		err = notZip(file)
	case err != nil:
		err = fmt.Errorf("not a whole zip file: %w", err)
	default:
		f.Root, err = f.load()
	}
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("%s: %w", file.Name(), err)
	}
	return f, nil
}

// legacyStart begins a file in the format that torch.save wrote before PyTorch 1.6: the
// pickle of a magic number of 10 bytes.
const legacyStart = "\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."

// notZip returns what is wrong with a file that is no zip file.
func notZip(f *infile.File) error {
	start := make([]byte, len(legacyStart))
	if _, err := f.ReadAt(start, 0); err == nil && string(start) == legacyStart {
		return errors.New("a checkpoint in PyTorch's old format, without zip: convert it in Python by torch.save(torch.load(OLD, map_location='cpu'), NEW)")
	}
	return errors.New("not a PyTorch checkpoint (a zip file, as torch.save writes), or cut short")
}

// Close closes the file.
func (f *File) Close() error { return f.file.Close() }

func (f *File) load() (*Map, error) {
	folder := ""
	for _, r := range f.zip.File {
		if name, ok := strings.CutSuffix(r.Name, "/data.pkl"); ok {
			folder = name + "/"
		}
	}
	if folder == "" {
		return nil, errors.New("not a PyTorch checkpoint: it has no data.pkl")
	}
	for _, r := range f.zip.File {
		if name, ok := strings.CutPrefix(r.Name, folder); ok {
			f.records[name] = r
		}
	}
	if _, ok := f.records["byteorder"]; ok {
		order, err := f.record("byteorder", 16)
		if err != nil {
			return nil, err
		}
		if string(order) != "little" {
			return nil, fmt.Errorf("byte order %q: want little", order)
		}
	}
	data, err := f.record("data.pkl", longestPickle)
	if err != nil {
		return nil, err
	}
	root, err := unpickle(data)
	if err != nil {
		return nil, fmt.Errorf("data.pkl: %w", err)
	}
	m, ok := root.(*Map)
	if !ok {
		return nil, fmt.Errorf("data.pkl: its value is %s: want a dict, of state dicts and what belongs to them", What(root))
	}
	return m, nil
}

// record reads a stored record of at most that size and checks its CRC.
func (f *File) record(name string, most int64) ([]byte, error) {
	r, ok := f.records[name]
	if !ok {
		return nil, fmt.Errorf("record %s is missing", name)
	}
	return read(name, r, most)
}

func read(name string, r *zip.File, most int64) ([]byte, error) {
	if r.Method != zip.Store || r.CompressedSize64 != r.UncompressedSize64 {
		return nil, fmt.Errorf("record %s is compressed: torch.save stores", name)
	}
	if r.UncompressedSize64 > uint64(most) {
		return nil, fmt.Errorf("record %s has %d bytes: want at most %d", name, r.UncompressedSize64, most)
	}
	in, err := r.Open()
	if err != nil {
		return nil, fmt.Errorf("record %s: %w", name, err)
	}
	defer in.Close()
	// grown as it is read: a header can promise more than the file holds
	data, err := io.ReadAll(in)
	if err != nil {
		return nil, fmt.Errorf("record %s: %w", name, err)
	}
	return data, nil
}

var elementSizes = map[string]int64{"float32": 4, "float64": 8, "float16": 2, "bfloat16": 2, "int64": 8, "int32": 4}

// Check returns an error unless a tensor's storage is there with its full length. It
// keeps a damaged file from asking for more memory than the file has.
func (f *File) Check(t *Stored) error {
	r, ok := f.records["data/"+t.key]
	want := t.numel * elementSizes[t.DType]
	if !ok || r.UncompressedSize64 != uint64(want) || want > f.size {
		return fmt.Errorf("storage %s of %d bytes is not there", t.key, want)
	}
	return nil
}

// Floats returns a tensor's values, row-major, whatever its strides and type.
func (f *File) Floats(t *Stored) ([]float32, error) { return values[float32](f, t) }

// Doubles is Floats in float64.
func (f *File) Doubles(t *Stored) ([]float64, error) { return values[float64](f, t) }

func values[T float32 | float64](f *File, t *Stored) ([]T, error) {
	size := elementSizes[t.DType]
	want := t.numel * size
	data, err := f.record("data/"+t.key, want)
	if err != nil {
		return nil, err
	}
	if int64(len(data)) != want {
		return nil, fmt.Errorf("storage %s has %d bytes, want %d", t.key, len(data), want)
	}
	n := int64(1)
	for _, d := range t.Shape {
		n *= d
	}
	out := make([]T, n)
	index := make([]int64, len(t.Shape))
	at := t.offset
	for i := range out {
		out[i] = T(element(t.DType, data[at*size:]))
		for d := len(index) - 1; d >= 0; d-- { // the next index, row-major
			index[d]++
			at += t.stride[d]
			if index[d] < t.Shape[d] {
				break
			}
			at -= t.stride[d] * t.Shape[d]
			index[d] = 0
		}
	}
	return out, nil
}

func element(dtype string, b []byte) float64 {
	le := binary.LittleEndian
	switch dtype {
	case "float64":
		return math.Float64frombits(le.Uint64(b))
	case "bfloat16":
		return float64(math.Float32frombits(uint32(le.Uint16(b)) << 16))
	case "float16":
		return float64(float16.Frombits(le.Uint16(b)).Float32())
	case "int64":
		return float64(int64(le.Uint64(b)))
	case "int32":
		return float64(int32(le.Uint32(b)))
	default:
		return float64(math.Float32frombits(le.Uint32(b)))
	}
}

// mostElements bounds a storage: the product of two such numbers fits in an int64.
const mostElements = 1 << 31

// check returns an error for a view that leaves its storage.
func (t *Stored) check() error {
	if t.numel < 0 || t.numel > mostElements || t.offset < 0 || len(t.Shape) != len(t.stride) || len(t.Shape) > 16 {
		return fmt.Errorf("tensor of shape %v, stride %v", t.Shape, t.stride)
	}
	n, last := int64(1), t.offset
	for i, d := range t.Shape {
		if d < 0 || t.stride[i] < 0 || d > mostElements || d > 1 && t.stride[i] > mostElements {
			return fmt.Errorf("tensor of shape %v, stride %v", t.Shape, t.stride)
		}
		if d == 0 {
			return nil
		}
		n *= d
		last += (d - 1) * t.stride[i]
		if n > t.numel || last >= t.numel { // an expanded view of more elements is none of ours
			return fmt.Errorf("tensor of shape %v, stride %v, offset %d in a storage of %d", t.Shape, t.stride, t.offset, t.numel)
		}
	}
	if last >= t.numel {
		return fmt.Errorf("tensor at %d in a storage of %d", last, t.numel)
	}
	return nil
}
