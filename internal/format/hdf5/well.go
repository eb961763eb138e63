package hdf5

import (
	"fmt"
	"slices"
	"unsafe"

	"fmsr.example/fmsr/internal/frames"
)

// well is a file of The Well: polymathic-ai.org/the_well/data_format.
//
//	@n_spatial_dims        2
//	dimensions             @spatial_dims: x, y
//	t0_fields              @field_names: density    density (trajectories, time, x, y)
//	t1_fields              @field_names: velocity   velocity (trajectories, time, x, y, 2)
//	t2_fields              @field_names: stress     stress (trajectories, time, x, y, 2, 2)
//
// Components are fields of their own, named as the_well names them: velocity_x, stress_xy.
// x runs along W and y along H. Fields that do not vary in time or between
// trajectories are not among them.
type well struct {
	object
	axes   string // of a field, behind the trajectories
	order  []string
	fields map[string]part
	n      int // trajectories
}

// part is a component of a dataset.
type part struct {
	dataset string
	behind  []uint64
}

func newWell(o object) (*well, error) {
	n, err := o.whole(".", "n_spatial_dims", 1)
	if err != nil {
		return nil, err
	}
	dims, err := o.texts("dimensions", "spatial_dims")
	if err != nil {
		return nil, err
	}
	if n[0] != 2 || len(dims) != 2 {
		return nil, fmt.Errorf("%d dimensions in space, %v: fmsr reads fields of 2", n[0], dims)
	}
	w := &well{object: o, axes: "FWH", fields: map[string]part{}}
	if slices.Equal(dims, []string{"y", "x"}) {
		w.axes = "FHW"
	}
	for order := range 3 {
		if err := w.add(order, fmt.Sprintf("t%d_fields", order), dims); err != nil {
			return nil, err
		}
	}
	if len(w.order) == 0 {
		return nil, fmt.Errorf("no field of shape (trajectories, time, %s, %s)", dims[0], dims[1])
	}
	return w, nil
}

// add adds the fields of a group, which are tensors of that order.
func (w *well) add(order int, group string, dims []string) error {
	if !w.has(group) || !w.hasAttribute(group, "field_names") {
		return nil
	}
	names, err := w.texts(group, "field_names")
	if err != nil {
		return err
	}
	for _, name := range names {
		dataset := group + "/" + name
		d, err := w.dataset(dataset)
		if err != nil {
			return err
		}
		shape := d.shape
		d.close()
		if len(shape) != 4+order {
			continue
		}
		if w.n == 0 {
			w.n = int(min(shape[0], most))
		}
		if uint64(w.n) != shape[0] {
			return fmt.Errorf("dataset %s: %d trajectories, but others have %d", dataset, shape[0], w.n)
		}
		w.components(name, dataset, shape[4:], dims)
	}
	return nil
}

// components adds the components of a dataset, whose lengths are those of its last axes.
func (w *well) components(name, dataset string, lengths []uint64, dims []string) {
	parts := []part{{dataset: dataset}}
	names := []string{""}
	for _, length := range lengths {
		var nextParts []part
		var nextNames []string
		for i, p := range parts {
			for c := range min(length, uint64(len(dims))) {
				nextParts = append(nextParts, part{dataset, append(slices.Clone(p.behind), c)})
				nextNames = append(nextNames, names[i]+dims[c])
			}
		}
		parts, names = nextParts, nextNames
	}
	for i, p := range parts {
		full := name
		if names[i] != "" {
			full += "_" + names[i]
		}
		w.order, w.fields[full] = append(w.order, full), p
	}
}

func (w *well) names() []string   { return w.order }
func (w *well) trajectories() int { return w.n }

func (w *well) open(name string, trajectory int) (*Array, error) {
	p := w.fields[name]
	a, err := w.array(p.dataset, []uint64{uint64(trajectory)}, p.behind)
	if err != nil {
		return nil, err
	}
	a.Axes, a.Domain = w.axes, w.domain()
	a.Moments, err = w.moments(a.Shape[0], trajectory)
	return a, err
}

// moments reads when the frames of a trajectory are of: (time), or (trajectories, time).
func (w *well) moments(n, trajectory int) ([]frames.Moment, error) {
	const name = "dimensions/time"
	if !w.has(name) {
		return nil, nil
	}
	d, err := w.dataset(name)
	if err != nil {
		return nil, err
	}
	defer d.close()
	steps := uint64(n)
	start, count := []uint64{0}, []uint64{steps}
	switch {
	case slices.Equal(d.shape, []uint64{uint64(w.n), steps}):
		start, count = []uint64{uint64(trajectory), 0}, []uint64{1, steps}
	case !slices.Equal(d.shape, count):
		return nil, fmt.Errorf("dataset %s: shape %v, want [%d] or [%d %d]", name, d.shape, n, w.n, n)
	}
	times := make([]float64, steps)
	if err := d.box(start, count, d.library.double, unsafe.Pointer(&times[0])); err != nil {
		return nil, fmt.Errorf("dataset %s: %w", name, err)
	}
	var all []frames.Moment
	for _, t := range times {
		all = append(all, frames.Moment{Known: true, Time: t})
	}
	return all, nil
}
