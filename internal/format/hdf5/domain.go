package hdf5

import (
	"math"
	"strconv"
	"strings"
	"unsafe"

	"fmsr.example/fmsr/internal/field"
)

// domain reads where the grid is: the box from the cells' coordinates, which are at their
// centres, and the boundaries of its axes. It returns nil if the file says neither.
func (w *well) domain() *field.Domain {
	var d field.Domain
	known, unit := 0, 0
	for i, name := range []string{"y", "x"} {
		length, cells := w.length("dimensions/" + name)
		d.Box[i] = length
		if length > 0 {
			known++
		}
		if math.Abs(length-float64(cells)) < 1e-6*length {
			unit++
		}
	}
	if known < 2 || unit == 2 { // cells of length 1 stand for an unknown box
		d.Box = [2]float64{}
	}
	d.Boundary, d.Bounded = w.boundaries()
	if d == (field.Domain{}) {
		return nil
	}
	return &d
}

// length returns the length of the domain along an axis whose coordinates are evenly spaced,
// or 0, and the number of cells.
func (w *well) length(name string) (length float64, cells int) {
	if kind, err := w.texts(".", "grid_type"); err != nil || len(kind) != 1 || kind[0] != "cartesian" || !w.has(name) {
		return 0, 0
	}
	d, err := w.dataset(name)
	if err != nil {
		return 0, 0
	}
	defer d.close()
	if len(d.shape) != 1 || d.shape[0] < 2 || d.shape[0] > most {
		return 0, 0
	}
	at := make([]float64, d.shape[0])
	if d.box([]uint64{0}, d.shape, d.library.double, unsafe.Pointer(&at[0])) != nil {
		return 0, 0
	}
	n := len(at)
	spacing := (at[n-1] - at[0]) / float64(n-1)
	for i := range n - 1 {
		if !(math.Abs(at[i+1]-at[i]-spacing) < 1e-3*spacing) {
			return 0, 0
		}
	}
	length, _ = strconv.ParseFloat(strconv.FormatFloat(spacing*float64(n), 'g', 6, 64), 64) // the digits of a float32
	return length, n
}

// boundaries reads the groups of boundary_conditions, whose names begin with their axes:
// x_periodic.
func (w *well) boundaries() (b [2]field.Boundary, known bool) {
	seen := [2]bool{}
	for _, group := range w.groups("boundary_conditions") {
		path := "boundary_conditions/" + group
		axes, err := w.texts(path, "associated_dims")
		if err != nil {
			continue
		}
		kind, err := w.texts(path, "bc_type")
		if err != nil || len(kind) != 1 {
			continue
		}
		for i, name := range []string{"y", "x"} {
			if len(axes) == 1 && axes[0] == name {
				seen[i] = true
				if !strings.EqualFold(kind[0], "periodic") {
					b[i] = field.Open
				}
			}
		}
	}
	if !seen[0] || !seen[1] {
		return [2]field.Boundary{}, false
	}
	return b, true
}

// domain reads the box of the root grid; athdf files do not say their boundaries.
func (a *athdf) domain() *field.Domain {
	var d field.Domain
	for i, name := range []string{"RootGridX2", "RootGridX1"} {
		if !a.hasAttribute(".", name) {
			return nil
		}
		ends, err := a.numbers(".", name)
		if err != nil || len(ends) < 2 || !(ends[1] > ends[0]) || math.IsInf(ends[1]-ends[0], 0) {
			return nil
		}
		d.Box[i] = ends[1] - ends[0]
	}
	return &d
}
