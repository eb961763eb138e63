// Package torchfile writes and reads PyTorch's checkpoint files: what torch.save
// makes of a dict, so that torch.load(path, weights_only=True) reads it.
//
//	zip, stored:  checkpoint/data.pkl   the dict, pickled; a tensor is its shape and a storage's number
//	              checkpoint/byteorder  "little"
//	              checkpoint/data/0     the first storage's bytes, at a multiple of 64
//	              checkpoint/data/1 ...
//	              checkpoint/version    "3"
package torchfile

import (
	"archive/zip"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"strconv"
)

// Dict is an ordered map. Values are Dict, Tensor, List, string, int, float64, bool or nil.
type Dict []Entry

// Entry is a key of a Dict and its value.
type Entry struct {
	Key   string
	Value any
}

// List is a list of the same kinds of values.
type List []any

// Tensor is a contiguous tensor, row-major. Bytes is called once, when it is
// written, so that one tensor at a time is in memory.
type Tensor struct {
	DType string // float32, float64 or int64
	Shape []int64
	Bytes func() ([]byte, error)
}

var storages = map[string]struct {
	class string
	size  int64
}{
	"float32": {"FloatStorage", 4}, "float64": {"DoubleStorage", 8}, "int64": {"LongStorage", 8},
}

// Write writes the dict. The bytes are a function of the dict alone.
func Write(w io.Writer, root Dict) error {
	p := &pickler{}
	p.raw("\x80\x02") // protocol 2
	if err := p.value(root); err != nil {
		return err
	}
	p.raw(".")
	out := &counted{w: w}
	z := zip.NewWriter(out)
	put := func(name string, data []byte) error { return putAligned(z, out, "checkpoint/"+name, data) }
	if err := put("data.pkl", p.out); err != nil {
		return err
	}
	if err := put("byteorder", []byte("little")); err != nil {
		return err
	}
	for i, t := range p.tensors {
		data, err := t.Bytes()
		if err != nil {
			return err
		}
		if want := t.numel() * storages[t.DType].size; int64(len(data)) != want {
			return fmt.Errorf("tensor of shape %v: %d bytes, want %d", t.Shape, len(data), want)
		}
		if err := put("data/"+strconv.Itoa(i), data); err != nil {
			return err
		}
	}
	if err := put("version", []byte("3\n")); err != nil {
		return err
	}
	return z.Close()
}

// alignment of every record, as in torch's own files; readers may map it.
const alignment = 64

// putAligned stores a record. Padding in the header's extra field, as PyTorch has it,
// makes its data start at a multiple of 64.
func putAligned(z *zip.Writer, out *counted, name string, data []byte) error {
	if uint64(len(data)) > math.MaxUint32 || out.n > math.MaxUint32 {
		return fmt.Errorf("record %s: beyond 4 GiB, which this format is not written for", name)
	}
	if err := z.Flush(); err != nil {
		return err
	}
	const localHeader, extraHeader = 30, 4
	start := out.n + int64(localHeader+len(name)+extraHeader)
	padding := int((alignment - start%alignment) % alignment)
	extra := binary.LittleEndian.AppendUint16([]byte("FB"), uint16(padding))
	for range padding {
		extra = append(extra, 'Z')
	}
	h := &zip.FileHeader{
		Name: name, Method: zip.Store, Extra: extra, CRC32: crc32.ChecksumIEEE(data),
		CompressedSize64: uint64(len(data)), UncompressedSize64: uint64(len(data)),
	}
	w, err := z.CreateRaw(h)
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}

type counted struct {
	w io.Writer
	n int64
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

func (t Tensor) numel() int64 {
	n := int64(1)
	for _, d := range t.Shape {
		n *= d
	}
	return n
}

// pickler writes the opcodes of protocol 2 that torch's restricted unpickler
// allows.
type pickler struct {
	out     []byte
	tensors []Tensor
}

func (p *pickler) raw(s string) { p.out = append(p.out, s...) }

func (p *pickler) value(v any) error {
	switch v := v.(type) {
	case Dict:
		p.raw("}(")
		for _, e := range v {
			p.text(e.Key)
			if err := p.value(e.Value); err != nil {
				return fmt.Errorf("%s: %w", e.Key, err)
			}
		}
		p.raw("u")
	case List:
		p.raw("](")
		for _, item := range v {
			if err := p.value(item); err != nil {
				return err
			}
		}
		p.raw("e")
	case Tensor:
		return p.tensor(v)
	case string:
		p.text(v)
	case int:
		p.integer(int64(v))
	case float64:
		p.raw("G")
		p.out = binary.BigEndian.AppendUint64(p.out, math.Float64bits(v))
	case bool:
		p.boolean(v)
	case nil:
		p.raw("N")
	default:
		return fmt.Errorf("a checkpoint holds no %T", v)
	}
	return nil
}

func (p *pickler) text(s string) {
	p.raw("X")
	p.out = binary.LittleEndian.AppendUint32(p.out, uint32(len(s)))
	p.raw(s)
}

func (p *pickler) integer(v int64) {
	if v == int64(int32(v)) {
		p.raw("J")
		p.out = binary.LittleEndian.AppendUint32(p.out, uint32(int32(v)))
		return
	}
	p.raw("\x8a\x08")
	p.out = binary.LittleEndian.AppendUint64(p.out, uint64(v))
}

func (p *pickler) boolean(v bool) {
	if v {
		p.raw("\x88")
	} else {
		p.raw("\x89")
	}
}

func (p *pickler) global(module, name string) { p.raw("c" + module + "\n" + name + "\n") }

// tensor writes torch._utils._rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks).
func (p *pickler) tensor(t Tensor) error {
	storage, ok := storages[t.DType]
	if !ok {
		return fmt.Errorf("tensor of %s: want float32, float64 or int64", t.DType)
	}
	p.global("torch._utils", "_rebuild_tensor_v2")
	p.raw("((")
	p.text("storage")
	p.global("torch", storage.class)
	p.text(strconv.Itoa(len(p.tensors)))
	p.text("cpu")
	p.integer(t.numel())
	p.raw("tQ")
	p.integer(0)
	p.tuple(t.Shape)
	p.tuple(strides(t.Shape))
	p.boolean(false)
	p.global("collections", "OrderedDict")
	p.raw(")RtR")
	p.tensors = append(p.tensors, t)
	return nil
}

func (p *pickler) tuple(values []int64) {
	p.raw("(")
	for _, v := range values {
		p.integer(v)
	}
	p.raw("t")
}

func strides(shape []int64) []int64 {
	s := make([]int64, len(shape))
	step := int64(1)
	for i := len(shape) - 1; i >= 0; i-- {
		s[i] = step
		step *= shape[i]
	}
	return s
}
