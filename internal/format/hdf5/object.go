package hdf5

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"unsafe"
)

// object is a file that is open in the library.
type object struct {
	*library
	file  id
	bytes int64 // of the file
}

// most is the number of values of an attribute, and of an array that is read whole.
const most = 1 << 24

// extent returns the lengths of a dataspace's axes, and closes it.
func (o object) extent(space id) ([]uint64, error) {
	if space < 0 {
		return nil, o.failed("its shape")
	}
	defer o.closeSpace(space)
	rank := o.rank(space)
	if rank < 0 {
		return nil, o.failed("its shape")
	}
	dims := make([]uint64, rank+1)
	if o.dims(space, &dims[0], nil) < 0 {
		return nil, o.failed("its shape")
	}
	return dims[:rank], nil
}

// densest is how many bytes deflate makes of one at most, roughly.
const densest = 1100

// count returns the product of lengths. It returns an error if it is above limit.
func count(dims []uint64, limit uint64) (int, error) {
	n := uint64(1)
	for _, d := range dims {
		if d > 0 && n > limit/d {
			return 0, fmt.Errorf("shape %v: too large", dims)
		}
		n *= d
	}
	return int(n), nil
}

// has reports whether the file has the object: a name, or group/name.
func (o object) has(name string) bool { return o.exists(o.file, name, 0) > 0 }

// hasAttribute reports whether an object, "." for the file, has the attribute.
func (o object) hasAttribute(of, name string) bool {
	return o.attributeExists(o.file, of, name, 0) > 0
}

// attribute opens an attribute, and calls read with it, its type and its number of values.
func (o object) attribute(of, name string, read func(a, kind id, n int) error) error {
	named := func(err error) error { return fmt.Errorf("attribute %s of %s: %w", name, of, err) }
	a := o.openAttribute(o.file, of, name, 0, 0)
	if a < 0 {
		return named(o.failed("not read"))
	}
	defer o.closeAttribute(a)
	dims, err := o.extent(o.attributeSpace(a))
	if err != nil {
		return named(err)
	}
	n, err := count(dims, most)
	if err != nil {
		return named(err)
	}
	kind := o.attributeType(a)
	if kind < 0 {
		return named(o.failed("its type"))
	}
	defer o.closeType(kind)
	if n == 0 {
		return nil
	}
	if err := read(a, kind, n); err != nil {
		return named(err)
	}
	return nil
}

// numbers reads an attribute of numbers.
func (o object) numbers(of, name string) (values []float64, err error) {
	err = o.attribute(of, name, func(a, kind id, n int) error {
		if class := o.class(kind); class != classInteger && class != classFloat {
			return fmt.Errorf("want numbers")
		}
		values = make([]float64, n)
		if o.readAttribute(a, o.double, unsafe.Pointer(&values[0])) < 0 {
			return o.failed("not read")
		}
		return nil
	})
	return values, err
}

// whole reads an attribute of counts, of which there must be n.
func (o object) whole(of, name string, n int) ([]int, error) {
	values, err := o.numbers(of, name)
	if err == nil && len(values) != n {
		err = fmt.Errorf("attribute %s of %s: %d values, want %d", name, of, len(values), n)
	}
	if err != nil {
		return nil, err
	}
	counts := make([]int, n)
	for i, v := range values {
		if v != math.Trunc(v) || v < 0 || v > math.MaxInt32 {
			return nil, fmt.Errorf("attribute %s of %s: %g, want a count", name, of, v)
		}
		counts[i] = int(v)
	}
	return counts, nil
}

// texts reads an attribute of texts, of fixed or variable length.
func (o object) texts(of, name string) (texts []string, err error) {
	err = o.attribute(of, name, func(a, kind id, n int) error {
		switch {
		case o.class(kind) != classText:
			return fmt.Errorf("want text")
		case o.isVariable(kind) > 0:
			return o.variableTexts(a, kind, n, &texts)
		}
		size := int(o.size(kind))
		if size < 1 || size > most/n {
			return fmt.Errorf("texts of %d bytes", size)
		}
		data := make([]byte, n*size)
		if o.readAttribute(a, kind, unsafe.Pointer(&data[0])) < 0 {
			return o.failed("not read")
		}
		for i := range n {
			text, _, _ := bytes.Cut(data[i*size:][:size], []byte{0})
			texts = append(texts, string(text))
		}
		return nil
	})
	return texts, err
}

// variableTexts reads texts that the library allocates.
func (o object) variableTexts(a, kind id, n int, texts *[]string) error {
	pointers := make([]*byte, n)
	if o.readAttribute(a, kind, unsafe.Pointer(&pointers[0])) < 0 {
		return o.failed("not read")
	}
	for _, p := range pointers {
		*texts = append(*texts, textAt(p))
	}
	space := o.attributeSpace(a)
	defer o.closeSpace(space)
	o.freeTexts(kind, space, 0, unsafe.Pointer(&pointers[0]))
	clear(pointers)
	return nil
}

// data is an open dataset of floats.
type data struct {
	object
	id     id
	shape  []uint64
	double bool // float64
	float  bool
}

// dataset opens a dataset of numbers. Close it.
func (o object) dataset(name string) (*data, error) {
	named := func(err error) error { return fmt.Errorf("dataset %s: %w", name, err) }
	d := &data{object: o, id: o.openData(o.file, name, 0)}
	if d.id < 0 {
		return nil, named(o.failed("not opened"))
	}
	var err error
	d.shape, err = o.extent(o.dataSpace(d.id))
	if err != nil {
		d.close()
		return nil, named(err)
	}
	kind := o.dataType(d.id)
	class, size := o.class(kind), o.size(kind)
	o.closeType(kind)
	if class != classFloat && class != classInteger {
		d.close()
		return nil, named(fmt.Errorf("want numbers"))
	}
	if err := d.bounded(uint64(size)); err != nil {
		d.close()
		return nil, named(err)
	}
	d.float, d.double = class == classFloat, class == classFloat && size > 4
	return d, nil
}

// bounded returns an error if the dataset, or a chunk of it, which the library allocates,
// is larger than the file can hold.
func (d *data) bounded(size uint64) error {
	limit := uint64(d.bytes+4096) * densest
	lengths := [][]uint64{d.shape}
	plan := d.dataPlan(d.id)
	defer d.closePlan(plan)
	if d.layout(plan) == chunked {
		chunk := make([]uint64, len(d.shape))
		if len(chunk) == 0 || d.chunk(plan, int32(len(chunk)), &chunk[0]) < 0 {
			return d.failed("its chunks")
		}
		lengths = append(lengths, chunk)
	}
	for _, dims := range lengths {
		if _, err := count(append(slices.Clone(dims), size), limit); err != nil {
			return fmt.Errorf("%w for a file of %d bytes", err, d.bytes)
		}
	}
	return nil
}

func (d *data) close() { d.closeData(d.id) }

// box reads the values of start .. start+count-1 as doubles or as floats: dst has the
// length of the box.
func (d *data) box(start, count []uint64, kind id, dst unsafe.Pointer) error {
	file := d.dataSpace(d.id)
	defer d.closeSpace(file)
	memory := d.newSpace(int32(len(count)), &count[0], nil)
	defer d.closeSpace(memory)
	if d.choose(file, 0, &start[0], nil, &count[0], nil) < 0 || d.readData(d.id, kind, memory, file, 0, dst) < 0 {
		return d.failed("not read")
	}
	return nil
}
