package hdf5

import (
	"fmt"
	"slices"
	"strings"
)

// plain is a file of datasets. If several beside each other could be frames of one field, each
// is a field, under its name.
type plain struct {
	object
	fields []string // nil: a dataset is named by its path
}

// newPlain finds the datasets (F,H,W) or (H,W) of the file's first group that have the same
// shape, of all shapes that which takes most values.
func newPlain(o object) plain {
	type like struct {
		names  []string
		values float64
	}
	shapes, most := map[string]*like{}, &like{}
	for _, name := range o.groups(".") {
		d, err := o.dataset(name)
		if err != nil {
			continue // a group
		}
		if d.float && ofOneField(d.shape) {
			key := fmt.Sprint(d.shape)
			if shapes[key] == nil {
				shapes[key] = &like{}
			}
			same, n := shapes[key], 1.0
			for _, length := range d.shape {
				n *= float64(length)
			}
			same.names, same.values = append(same.names, name), same.values+n
			if same.values > most.values {
				most = same
			}
		}
		d.close()
	}
	o.clearErrors(0)
	if len(most.names) < 2 {
		most.names = nil
	}
	return plain{o, most.names}
}

// ofOneField reports whether a shape is (H,W), or (F,H,W) and not (H,W,C) of few channels.
func ofOneField(shape []uint64) bool {
	return len(shape) == 2 || len(shape) == 3 && (shape[2] > 16 || shape[2] >= min(shape[0], shape[1]))
}

func (p plain) names() []string { return p.fields }
func (plain) trajectories() int { return 0 }

// open opens a dataset by its path, whether it is a field or not.
func (p plain) open(name string, _ int) (*Array, error) {
	switch {
	case name == "" && p.fields != nil:
		return nil, fmt.Errorf("a dataset for each field: name them by npy_load.fields, or one by npy_load.array; %s", p.instead())
	case name == "":
		return nil, fmt.Errorf("neither The Well's layout nor athdf: name the dataset by npy_load.array; %s", p.instead())
	}
	d, err := p.dataset(name)
	if err != nil {
		return nil, fmt.Errorf("%w; %s", err, p.instead())
	}
	d.close()
	return p.array(name, nil, nil)
}

// lacks returns an error if a layout that knows its names does not have this one.
func lacks(l layout, name string) error {
	names := l.names()
	if _, any := l.(plain); any || names == nil || slices.Contains(names, name) {
		return nil
	}
	return fmt.Errorf("no field %q: it has %s", name, strings.Join(names, ", "))
}
