package hdf5

import (
	"fmt"
	"slices"
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
	if err == nil {
		a.Axes = w.axes
	}
	return a, err
}
