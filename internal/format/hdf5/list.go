package hdf5

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// Limits of a listing: groups may contain themselves, and files many datasets.
const (
	deepestGroup = 6
	mostDatasets = 20
	mostNames    = 1000 // in a group
	longestName  = 256
)

// H5_INDEX_NAME and H5_ITER_INC.
const (
	byName     int32 = 0
	increasing int32 = 0
)

// Datasets lists the datasets of floats in a file with their shapes, "run/fields [8 2 64 64]",
// the first 20 in the order of their names.
func Datasets(path string) (all []string, err error) {
	_, err = with(path, func(o object) (*Array, error) {
		all = o.datasets()
		return nil, nil
	})
	return all, err
}

// Largest returns the path and the shape of the largest of these datasets.
func Largest(path string) (name string, shape []int, err error) {
	_, err = with(path, func(o object) (*Array, error) {
		most := uint64(0)
		o.list("", deepestGroup, func(path string, dims []uint64) bool {
			if n, err := count(dims, math.MaxInt64); err == nil && len(dims) > 1 && uint64(n) > most {
				most, name, shape = uint64(n), path, nil
				for _, d := range dims {
					shape = append(shape, int(d))
				}
			}
			return true
		})
		if shape == nil {
			return nil, errors.New("no dataset of floats with at least H and W")
		}
		return nil, nil
	})
	return name, shape, err
}

func (o object) datasets() (all []string) {
	o.list("", deepestGroup, func(path string, shape []uint64) bool {
		all = append(all, fmt.Sprintf("%s %v", path, shape))
		return len(all) < mostDatasets
	})
	return all
}

// list calls see with each dataset of floats in a group of that path, which is empty or ends in
// a slash, until see returns false.
func (o object) list(group string, depth int, see func(path string, shape []uint64) bool) (more bool) {
	if depth == 0 {
		return true
	}
	at := group
	if at == "" {
		at = "."
	}
	for _, name := range o.groups(at) {
		d, err := o.dataset(group + name)
		if err != nil {
			if !o.list(group+name+"/", depth-1, see) {
				return false
			}
			continue
		}
		float, shape := d.float, d.shape
		d.close()
		if float && !see(group+name, shape) {
			return false
		}
	}
	o.clearErrors(0)
	return true
}

// groups returns the names in a group, the first of many.
func (o object) groups(of string) (all []string) {
	name := make([]byte, longestName)
	for i := uint64(0); len(all) < mostNames; i++ {
		n := o.nameAt(o.file, of, byName, increasing, i, &name[0], uint64(len(name)), 0)
		if n < 0 {
			break // no more, or no group
		}
		if n < longestName {
			all = append(all, string(name[:n]))
		}
	}
	o.clearErrors(0)
	return all
}

// instead says which datasets there are, after an error.
func (o object) instead() string {
	all := o.datasets()
	if len(all) == 0 {
		return "it has no dataset of floats"
	}
	return "it has " + strings.Join(all, ", ")
}
