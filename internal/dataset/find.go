package dataset

import (
	"fmt"
	"os"
	"slices"

	"fmsr.example/fmsr/internal/format/hdf5"
	"fmsr.example/fmsr/internal/format/npy"
	"fmsr.example/fmsr/internal/glob"
)

// FindFiles returns the npy and npz files of a path, sorted: the file itself, the files of a
// folder, or the files of a glob pattern. AthenaK's run folders and HDF5 files count as files:
// the folder or file itself or, if a folder holds no npy and npz files, those in it.
// FindFiles returns an error if there is none.
func FindFiles(path string) ([]string, error) {
	paths, err := glob.Expand(path)
	if info, stat := os.Stat(path); stat == nil && info.IsDir() && !IsRun(path) {
		paths, err = glob.In(path, "*.np[yz]")
		if len(paths) == 0 && err == nil {
			paths, err = glob.In(path, "*")
			paths = slices.DeleteFunc(paths, func(path string) bool { return !IsRun(path) && !hdf5.Is(path) })
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("%s: no npy, npz or HDF5 file there, and no run of AthenaK", path)
	}
	return paths, nil
}

// Input returns the files of a path that FindFiles has found, with these fields. Without
// fields, a run of AthenaK, an HDF5 file and an npz file of an array a field have all of
// their own, whose names Input returns; another file has any.
func Input(path string, fields []string) (Files, []string, error) {
	switch {
	case IsRun(path):
		return inputRun(path, fields)
	case !hdf5.Is(path):
		return inputArrays(path, fields)
	case len(fields) == 0:
		var err error
		if fields, _, err = hdf5.About(path); err != nil {
			return Files{}, nil, err
		}
	}
	return Files{Path: path, Form: Form{Names: fields}}, fields, nil
}

func inputRun(path string, fields []string) (Files, []string, error) {
	if len(fields) == 0 {
		var err error
		if fields, err = runFields(path); err != nil {
			return Files{}, nil, err
		}
	}
	files, err := RunFiles(path, View{Variables: Variables(fields, AthenaNames)}, nil)
	return files, fields, err
}

// inputArrays returns an npy or npz file. Arrays of an npz file beside the fields, as that of
// the times, are of another shape.
func inputArrays(path string, fields []string) (Files, []string, error) {
	f := Files{Path: path, OneFrame: true, Form: Form{Names: fields}}
	all, err := npy.Arrays(path)
	if len(all) < 2 || err != nil {
		return f, fields, err
	}
	names, _, _, err := npy.Largest(path)
	if err != nil {
		return f, nil, err
	}
	switch named := slices.ContainsFunc(fields, func(name string) bool { return slices.Contains(all, name) }); {
	case len(names) == 1 && !named:
		f.Array = names[0]
	case len(fields) == 0:
		f.Names = names
	}
	return f, f.Names, nil
}
