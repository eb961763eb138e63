package hdf5

import (
	"fmt"
	"path/filepath"
	"slices"
	"unsafe"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/format/floats"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/store/infile"
)

// magic starts an HDF5 file.
const magic = "\x89HDF\r\n\x1a\n"

// Endings are those of the names of HDF5 files.
var Endings = []string{".h5", ".hdf5", ".athdf", ".nc"}

// Is reports whether a file is HDF5, by its first bytes or by its name.
func Is(path string) bool {
	if slices.Contains(Endings, filepath.Ext(path)) {
		return true
	}
	f, err := infile.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	start := make([]byte, len(magic))
	return f.Fill(start, 0) == nil && string(start) == magic
}

// Array is an open array of floats: a dataset or a part of one.
type Array struct {
	Path  string // of the file, and the name of the array: "a.hdf5: density"
	Shape []int
	Axes  string // the letters of Shape's axes, where the file gives them: F frames, H, W

	Moments []frames.Moment // of each frame; nil: not known
	Domain  *field.Domain   // nil: not known

	in   *infile.File
	file object
	data *data // nil: plane holds the values

	before, behind []uint64 // the indices of the dataset's axes before and behind those of Shape

	plane  []float64
	double bool // the values are float64
	low    bool
	wide   []float64 // scratch
}

// with opens a file, calls f and closes it. If f returns an array, that is closed instead
// of the file, by its Close. Errors name the path.
func with(path string, f func(o object) (*Array, error)) (a *Array, err error) {
	in, err := infile.Open(path)
	if err != nil {
		return nil, err
	}
	l, err := load()
	if err == nil {
		err = l.do(func() error {
			o := object{library: l, file: l.openFile(path, 0, 0), bytes: in.Size}
			if o.file < 0 {
				return l.failed("libhdf5 does not open it")
			}
			if a, err = f(o); err != nil || a == nil {
				if a != nil && a.data != nil {
					a.data.close()
				}
				a = nil
				o.closeFile(o.file)
				return err
			}
			a.in, a.file = in, o
			return nil
		})
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	if a == nil {
		in.Close()
	}
	return a, err
}

// Usable returns an error that says what to do if libhdf5 is not there.
func Usable() error {
	_, err := load()
	return err
}

// layout is how a file holds fields.
type layout interface {
	names() []string
	trajectories() int // 0: it knows none
	open(name string, trajectory int) (*Array, error)
}

// layoutOf returns the file's layout.
func layoutOf(o object) (layout, error) {
	switch {
	case o.hasAttribute(".", "NumMeshBlocks"):
		return newAthdf(o)
	case o.has("t0_fields") && o.has("dimensions"):
		return newWell(o)
	}
	return newPlain(o), nil
}

// About returns the names of the fields in a file, and how many trajectories of them it has,
// each of which is a seed. There are no names if its layout is not known. An array then has
// the name of its dataset.
func About(path string) (names []string, trajectories int, err error) {
	_, err = with(path, func(o object) (*Array, error) {
		l, err := layoutOf(o)
		if err != nil {
			return nil, err
		}
		names, trajectories = l.names(), l.trajectories()
		return nil, nil
	})
	return names, trajectories, err
}

// Open opens the array of that name, of a trajectory; -1 is its only one.
func Open(path, name string, trajectory int) (*Array, error) {
	a, err := with(path, func(o object) (*Array, error) {
		l, err := layoutOf(o)
		if err != nil {
			return nil, err
		}
		if err := lacks(l, name); err != nil {
			return nil, err
		}
		n := l.trajectories()
		switch {
		case n > 1 && trajectory < 0:
			return nil, fmt.Errorf("it has %d trajectories: list it in npy_load.files, where each is a seed", n)
		case n > 0 && trajectory >= n:
			return nil, fmt.Errorf("no trajectory %d: it has %d", trajectory, n)
		}
		return l.open(name, max(trajectory, 0))
	})
	if err != nil {
		return nil, err
	}
	a.Path = path + ": " + name
	return a, nil
}

// array opens the part of a dataset with these indices before and behind the array's own axes.
func (o object) array(name string, before, behind []uint64) (*Array, error) {
	d, err := o.dataset(name)
	if err != nil {
		return nil, err
	}
	a := &Array{data: d, before: before, behind: behind, double: d.double}
	if err := a.measure(); err != nil {
		d.close()
		return nil, fmt.Errorf("dataset %s: %w", name, err)
	}
	return a, nil
}

// measure fills in the array's shape.
func (a *Array) measure() error {
	d := a.data
	if !d.float {
		return fmt.Errorf("want floats, found integers")
	}
	own := len(d.shape) - len(a.before) - len(a.behind)
	if own < 1 {
		return fmt.Errorf("shape %v: want an array of frames", d.shape)
	}
	for _, n := range d.shape[len(a.before):][:own] {
		if n == 0 {
			return fmt.Errorf("shape %v: want every dimension at least 1", d.shape)
		}
		a.Shape = append(a.Shape, int(n))
	}
	return nil
}

// Stamp returns the stamp of the open file.
func (a *Array) Stamp() infile.Stamp { return a.in.Stamp }

// Double reports whether the values are float64.
func (a *Array) Double() bool { return a.double }

// Low makes Read return what float32 loses of the values, x - float32(x), or the values
// again.
func (a *Array) Low(on bool) { a.low = on }

// Read fills dst with values in C order, starting at index at. It returns an error if the
// file has been changed since it was opened.
func (a *Array) Read(dst []float32, at int) error {
	err := a.read(dst, at)
	if changed := a.in.Unchanged(); changed != nil { // which explains an error
		err = changed
	}
	if err != nil {
		return fmt.Errorf("%s: %w", a.Path, err)
	}
	return nil
}

func (a *Array) read(dst []float32, at int) error {
	if a.plane != nil {
		a.narrow(dst, a.plane[at:])
		return nil
	}
	return a.file.do(func() error {
		return boxes(a.Shape, at, len(dst), func(start, count []uint64, n int) error {
			start = slices.Concat(a.before, start, a.behind)
			count = slices.Concat(ones(len(a.before)), count, ones(len(a.behind)))
			part := dst[:n]
			dst = dst[n:]
			if !a.double {
				if a.low {
					clear(part)
					return nil
				}
				return a.data.box(start, count, a.file.float, unsafe.Pointer(&part[0]))
			}
			a.wide = slices.Grow(a.wide[:0], n)[:n]
			if err := a.data.box(start, count, a.file.double, unsafe.Pointer(&a.wide[0])); err != nil {
				return err
			}
			a.narrow(part, a.wide)
			return nil
		})
	})
}

// narrow fills dst with values, or with what float32 loses of them.
func (a *Array) narrow(dst []float32, values []float64) {
	for i := range dst {
		if a.low {
			dst[i] = floats.Rest(values[i])
		} else {
			dst[i] = float32(values[i])
		}
	}
}

// ones returns n ones.
func ones(n int) []uint64 { return slices.Repeat([]uint64{1}, n) }

// boxes cuts n values of an array, from index at on in C order, into boxes, and calls f with
// the start, the lengths and the number of values of each, in order.
func boxes(shape []int, at, n int, f func(start, count []uint64, n int) error) error {
	inner := 1
	for _, d := range shape[1:] {
		inner *= d
	}
	for n > 0 {
		row, start := uint64(at/inner), make([]uint64, len(shape)-1)
		take := min(n, inner-at%inner)
		var err error
		if take == inner { // whole rows: all of them are one box
			rows := n / inner
			take = rows * inner
			count := []uint64{uint64(rows)}
			for _, d := range shape[1:] {
				count = append(count, uint64(d))
			}
			err = f(append([]uint64{row}, start...), count, take)
		} else {
			err = boxes(shape[1:], at%inner, take, func(start, count []uint64, n int) error {
				return f(append([]uint64{row}, start...), append([]uint64{1}, count...), n)
			})
		}
		if err != nil {
			return err
		}
		at, n = at+take, n-take
	}
	return nil
}

// Close closes the file.
func (a *Array) Close() error {
	_ = a.file.do(func() error {
		if a.data != nil {
			a.data.close()
		}
		a.file.closeFile(a.file.file)
		return nil
	})
	return a.in.Close()
}
