package inspect

import (
	"maps"
	"path/filepath"
	"slices"

	"fmsr.example/fmsr/internal/dataset"
	"fmsr.example/fmsr/internal/dataset/guess"
	"fmsr.example/fmsr/internal/format/hdf5"
)

// openHDF5 describes an HDF5 file, whose trajectories are seeds.
func openHDF5(path string) (*Thing, error) {
	fields, trajectories, err := hdf5.About(path)
	if err != nil {
		return nil, err
	}
	if len(fields) == 0 {
		t := &Thing{What: "an HDF5 file, neither in The Well's layout nor athdf"}
		datasets, err := hdf5.Datasets(path)
		if err != nil {
			return nil, err
		}
		for _, d := range datasets {
			t.fact("dataset", "%s", d)
		}
		t.fact("to read", "name a dataset of floats by npy_load.array, its axes by npy_load.axes and its channels by npy_load.fields")
		return t, nil
	}
	s := &guess.Set{Form: dataset.Form{Names: fields}}
	found, err := dataset.Layout{Files: []string{path}}.Find()
	if err != nil {
		return nil, err
	}
	for _, number := range slices.Sorted(maps.Keys(found)) {
		files := found[number]
		files.Form = s.Form
		a, err := files.Open()
		if err != nil {
			return nil, err
		}
		s.H, s.W = a.H, a.W
		s.Seeds = append(s.Seeds, guess.Seed{Seed: number, Files: files, Frames: a.Numbers()})
		a.Close()
	}
	src := OfSet(s)
	t := &Thing{What: "frames in an HDF5 file, in The Well's layout", Source: &src}
	switch {
	case trajectories == 0 && filepath.Ext(path) == ".athdf":
		t.What = "a frame in an HDF5 file, athdf"
	case trajectories == 0:
		t.What = "frames in an HDF5 file, a dataset for each field"
	}
	t.frames(src)
	t.fact("runs", "%s", SeedsOf(s))
	return t, nil
}
