package hdf5

import (
	"fmt"
	"strings"
)

// Limits of a listing: groups may contain themselves, and files many datasets.
const (
	deepestGroup = 6
	mostDatasets = 20
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

func (o object) datasets() (all []string) {
	o.list("", deepestGroup, &all)
	return all
}

// list adds the datasets of floats in a group of that path, which is empty or ends in a slash.
func (o object) list(group string, depth int, all *[]string) {
	if depth == 0 {
		return
	}
	at := group
	if at == "" {
		at = "."
	}
	name := make([]byte, longestName)
	for i := uint64(0); len(*all) < mostDatasets; i++ {
		n := o.nameAt(o.file, at, byName, increasing, i, &name[0], uint64(len(name)), 0)
		if n < 0 {
			break // no more, or no group
		}
		if n >= longestName {
			continue
		}
		path := group + string(name[:n])
		d, err := o.dataset(path)
		if err != nil {
			o.list(path+"/", depth-1, all)
			continue
		}
		if d.float {
			*all = append(*all, fmt.Sprintf("%s %v", path, d.shape))
		}
		d.close()
	}
	o.clearErrors(0)
}

// instead says which datasets there are, after an error.
func (o object) instead() string {
	all := o.datasets()
	if len(all) == 0 {
		return "it has no dataset of floats"
	}
	return "it has " + strings.Join(all, ", ")
}
