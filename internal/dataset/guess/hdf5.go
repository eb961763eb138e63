package guess

import (
	"context"
	"path/filepath"
	"slices"
	"strings"

	"fmsr.example/fmsr/internal/format/hdf5"
	"fmsr.example/fmsr/internal/frames"
)

// HDF5 is the DType of a set of HDF5 files.
const HDF5 = "HDF5"

// headerHDF5 reads the names and the shape of an HDF5 file's fields, or of its largest dataset
// where its layout is not known.
func (f *file) headerHDF5(path string) error {
	var err error
	f.dtype = HDF5
	if f.members, f.trajectories, err = hdf5.About(path); err != nil {
		return err
	}
	f.named = f.members != nil
	if !f.named {
		name, shape, err := hdf5.Largest(path)
		f.members, f.shape = []string{name}, shape
		return err
	}
	a, err := hdf5.Open(path, f.members[0], 0)
	if err != nil {
		return err
	}
	f.shape = a.Shape
	return a.Close()
}

// byTrajectory takes each trajectory of The Well's files for a simulation. Folders named train,
// valid and test split them.
func (s *Set) byTrajectory(ctx context.Context, files []file) error {
	splits := make([]frames.Split, len(files))
	named := true
	for i, f := range files {
		var ok bool
		splits[i], ok = splitNamed(f.path)
		named = named && ok
		s.Layout.Files = append(s.Layout.Files, filepath.Join(s.Dir, f.path))
	}
	if err := s.open(ctx, files[0], reading{}, nil); err != nil {
		return err
	}
	if !named || !slices.Contains(splits, frames.Train) {
		return nil
	}
	s.Splits = map[int]frames.Split{}
	seed := 0
	for i, f := range files {
		for range f.trajectories {
			s.Splits[seed] = splits[i]
			seed++
		}
	}
	return nil
}

// splitNamed returns the split that a folder above a file is named for.
func splitNamed(path string) (frames.Split, bool) {
	for _, folder := range strings.Split(filepath.Dir(path), "/") {
		if folder == "valid" {
			folder = frames.Val.String()
		}
		if split, err := frames.ParseSplit(folder); err == nil {
			return split, true
		}
	}
	return 0, false
}
