package hdf5

import (
	"fmt"
	"runtime"
	"slices"
	"unsafe"

	"fmsr.example/fmsr/internal/field"
)

// Trajectory is what a file in The Well's layout says of the one trajectory in it.
type Trajectory struct {
	Name   string // of the data set
	Fields []string
	Grid   field.Grid // without a box its cells are of length 1
	Frames int
}

// Writer writes a file in The Well's layout: fields of one trajectory, each a scalar.
// the_well.data.WellDataset opens it.
type Writer struct {
	builder
	of     Trajectory
	fields []id
	n      int       // frames written
	turned []float32 // scratch: a field with x first
}

// builder adds to a file. After its first error it does nothing.
type builder struct {
	object
	err error
}

// add calls a function of the library that returns something open.
func (b *builder) add(what string, f func() id) id {
	if b.err != nil {
		return -1
	}
	made := f()
	if made < 0 {
		b.err = b.failed(what)
	}
	return made
}

// ok notes that a call of the library failed.
func (b *builder) ok(what string, status int32) {
	if b.err == nil && status < 0 {
		b.err = b.failed(what)
	}
}

// space makes a dataspace of that shape; none is a single value.
func (b *builder) space(shape ...uint64) id {
	first := (*uint64)(nil)
	if len(shape) > 0 {
		first = &shape[0]
	}
	return b.add("a shape", func() id { return b.newSpace(int32(len(shape)), first, nil) })
}

// attribute writes an attribute. A value that is not a slice has no shape.
func (b *builder) attribute(at id, name string, kind id, values unsafe.Pointer, shape ...uint64) {
	space := b.space(shape...)
	a := b.add("attribute "+name, func() id { return b.newAttribute(at, name, kind, space, 0, 0) })
	if b.err == nil && !slices.Contains(shape, 0) {
		b.ok("attribute "+name, b.writeAttribute(a, kind, values))
	}
	b.closeAttribute(a)
	b.closeSpace(space)
}

// flags writes truths as h5py does: as an enumeration of FALSE and TRUE.
func (b *builder) flags(at id, value bool, names ...string) {
	kind := b.truth()
	v := int8(0)
	if value {
		v = 1
	}
	for _, name := range names {
		b.attribute(at, name, kind, unsafe.Pointer(&v))
	}
	b.closeType(kind)
}

// truth makes h5py's type of truths.
func (b *builder) truth() id {
	kind := b.add("a type", func() id { return b.newEnum(b.int8) })
	for value, name := range []string{"FALSE", "TRUE"} {
		v := int8(value)
		if b.err == nil {
			b.ok("a type", b.addToEnum(kind, name, &v))
		}
	}
	return kind
}

// words writes texts, or one without a shape.
func (b *builder) words(at id, name string, texts []string, shape ...uint64) {
	kind := b.add("a type", func() id { return b.copyType(b.chars) })
	if b.err == nil {
		b.ok("a type", b.setSize(kind, variableLength))
		b.ok("a type", b.setCharset(kind, utf8))
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	pointers := make([]*byte, len(texts)+1) // never empty
	for i, text := range texts {
		pointers[i] = &append([]byte(text), 0)[0]
		pin.Pin(pointers[i])
	}
	b.attribute(at, name, kind, unsafe.Pointer(&pointers[0]), shape...)
	b.closeType(kind)
}

func (b *builder) list(at id, name string, texts ...string) {
	b.words(at, name, texts, uint64(len(texts)))
}

func (b *builder) word(at id, name, text string) { b.words(at, name, []string{text}) }

func (b *builder) integer(at id, name string, value int64) {
	b.attribute(at, name, b.int64, unsafe.Pointer(&value))
}

// undated calls create with properties of that class by which what is created has no date:
// the same file is then written as the same bytes.
func (b *builder) undated(what string, class id, create func(plan id) id) id {
	plan := b.add(what, func() id { return b.newPlan(class) })
	if b.err == nil {
		b.ok(what, b.setTimes(plan, 0))
	}
	made := b.add(what, func() id { return create(plan) })
	b.closePlan(plan)
	return made
}

func (b *builder) group(at id, name string) id {
	return b.undated("group "+name, b.groupPlans, func(plan id) id { return b.createGroup(at, name, 0, plan, 0) })
}

// floats makes a dataset of float32.
func (b *builder) floats(at id, name string, shape ...uint64) id {
	return b.store(at, name, b.float, shape...)
}

func (b *builder) store(at id, name string, kind id, shape ...uint64) id {
	space := b.space(shape...)
	d := b.undated("dataset "+name, b.dataPlans, func(plan id) id { return b.createData(at, name, kind, space, 0, plan, 0) })
	b.closeSpace(space)
	return d
}

// all writes a whole dataset, and closes it.
func (b *builder) all(d, kind id, values unsafe.Pointer) {
	if b.err == nil {
		b.ok("a dataset", b.writeData(d, kind, 0, 0, 0, values))
	}
	b.closeData(d)
}

// Create starts a file of that path.
func Create(path string, of Trajectory) (*Writer, error) {
	l, err := load()
	if err != nil {
		return nil, err
	}
	w := &Writer{of: of, turned: make([]float32, of.Grid.Cells())}
	w.library = l
	err = l.do(func() error {
		w.file = w.undated("the file", l.filePlans, func(plan id) id { return l.createFile(path, truncate, plan, 0) })
		w.head()
		if w.err != nil {
			w.close()
		}
		return w.err
	})
	return w, err
}

// head writes everything but the frames and their times.
func (w *Writer) head() {
	w.word(w.file, "dataset_name", w.of.Name)
	w.word(w.file, "grid_type", "cartesian")
	w.list(w.file, "simulation_parameters")
	w.integer(w.file, "n_spatial_dims", 2)
	w.integer(w.file, "n_trajectories", 1)
	dimensions, boundaries := w.group(w.file, "dimensions"), w.group(w.file, "boundary_conditions")
	w.list(dimensions, "spatial_dims", "x", "y")
	dy, dx := w.of.Grid.Spacing()
	w.axis(dimensions, boundaries, "x", w.of.Grid.W, dx, w.of.Grid.Boundary[1])
	w.axis(dimensions, boundaries, "y", w.of.Grid.H, dy, w.of.Grid.Boundary[0])
	w.closeGroup(dimensions)
	w.closeGroup(boundaries)
	for _, empty := range []string{"scalars", "t1_fields", "t2_fields"} {
		g := w.group(w.file, empty)
		w.list(g, "field_names")
		w.closeGroup(g)
	}
	t0 := w.group(w.file, "t0_fields")
	w.list(t0, "field_names", w.of.Fields...)
	truth := w.truth()
	for _, name := range w.of.Fields {
		d := w.floats(t0, name, 1, uint64(w.of.Frames), uint64(w.of.Grid.W), uint64(w.of.Grid.H))
		w.attribute(d, "dim_varying", truth, unsafe.Pointer(&[2]int8{1, 1}), 2)
		w.flags(d, true, "sample_varying", "time_varying")
		w.fields = append(w.fields, d)
	}
	w.closeType(truth)
	w.closeGroup(t0)
}

// axis writes the coordinates of an axis, at the cells' centres, and its boundary.
func (w *Writer) axis(dimensions, boundaries id, name string, cells int, spacing float64, boundary field.Boundary) {
	at, mask := make([]float32, cells), make([]int8, cells)
	for i := range at {
		at[i] = float32((float64(i) + 0.5) * spacing)
	}
	mask[0], mask[cells-1] = 1, 1
	d := w.floats(dimensions, name, uint64(cells))
	w.flags(d, false, "sample_varying", "time_varying")
	w.all(d, w.float, unsafe.Pointer(&at[0]))

	kind := "PERIODIC"
	if boundary == field.Open {
		kind = "OPEN"
	}
	g := w.group(boundaries, name+"_"+boundary.String())
	w.list(g, "associated_dims", name)
	w.list(g, "associated_fields")
	w.word(g, "bc_type", kind)
	w.flags(g, false, "sample_varying", "time_varying")
	truth := w.truth()
	w.all(w.store(g, "mask", truth, uint64(cells)), truth, unsafe.Pointer(&mask[0]))
	w.closeType(truth)
	w.closeGroup(g)
}

// Write appends a frame: its fields one after the other, (H,W) each.
func (w *Writer) Write(fields ...[]float32) error {
	if w.n == w.of.Frames || len(fields) != len(w.fields) {
		return fmt.Errorf("frame %d of %d fields: want %d frames of %d", w.n, len(fields), w.of.Frames, len(w.fields))
	}
	h, wide := w.of.Grid.H, w.of.Grid.W
	start, count := []uint64{0, uint64(w.n), 0, 0}, []uint64{1, 1, uint64(wide), uint64(h)}
	w.n++
	return w.do(func() error {
		for i, values := range fields {
			for x := range wide {
				for y := range h {
					w.turned[x*h+y] = values[y*wide+x]
				}
			}
			d := &data{object: w.object, id: w.fields[i]}
			if err := d.put(start, count, w.turned); err != nil {
				return err
			}
		}
		return nil
	})
}

// put writes the values of start .. start+count-1.
func (d *data) put(start, count []uint64, values []float32) error {
	file := d.dataSpace(d.id)
	defer d.closeSpace(file)
	memory := d.newSpace(int32(len(count)), &count[0], nil)
	defer d.closeSpace(memory)
	if d.choose(file, 0, &start[0], nil, &count[0], nil) < 0 || d.writeData(d.id, d.library.float, memory, file, 0, unsafe.Pointer(&values[0])) < 0 {
		return d.failed("not written")
	}
	return nil
}

// End writes the times of the frames, and closes the file.
func (w *Writer) End(times []float64) error {
	if w.n != w.of.Frames || len(times) != w.n {
		w.Close()
		return fmt.Errorf("%d frames and %d times, want %d", w.n, len(times), w.of.Frames)
	}
	return w.do(func() error {
		single := make([]float32, len(times))
		for i, t := range times {
			single[i] = float32(t)
		}
		d := w.floats(w.file, "dimensions/time", uint64(len(times)))
		w.flags(d, false, "sample_varying")
		w.all(d, w.float, unsafe.Pointer(&single[0]))
		w.close()
		return w.err
	})
}

// close closes the file.
func (w *Writer) close() {
	if w.file < 0 {
		return
	}
	for _, d := range w.fields {
		w.closeData(d)
	}
	w.ok("the file", w.closeFile(w.file))
	w.file = -1
}

// Close closes the file, if End has not.
func (w *Writer) Close() {
	_ = w.do(func() error { w.close(); return nil })
}
