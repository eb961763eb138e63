package dataset

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"fmsr.example/fmsr/internal/format/hdf5"
	"fmsr.example/fmsr/internal/format/npy"
	"fmsr.example/fmsr/internal/glob"
)

// FindFiles returns the npy and npz files of a path, sorted: the file itself, the files of a
// folder, or the files of a glob pattern. AthenaK's run folders, HDF5 files and folders of a
// file a field count as files: the folder or file itself or, if a folder holds no npy and npz
// files, those in it. FindFiles returns an error if there is none.
func FindFiles(path string, fields []string) ([]string, error) {
	paths, err := glob.Expand(path)
	if info, stat := os.Stat(path); stat == nil && info.IsDir() && !isInput(path, fields) {
		paths, err = glob.In(path, "*.np[yz]")
		if len(paths) == 0 && err == nil {
			paths, err = glob.In(path, "*")
			paths = slices.DeleteFunc(paths, func(path string) bool { return !isInput(path, fields) && !hdf5.Is(path) })
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("%s: no npy, npz or HDF5 file there, no run of AthenaK, and no folder of a file a field", path)
	}
	return paths, nil
}

// isInput reports whether a folder counts as a file.
func isInput(folder string, fields []string) bool {
	_, perField := fieldFolder(folder, fields)
	return perField || IsRun(folder)
}

// fieldFolder returns the npy files of a folder that has one for each field, (F,H,W) or, for
// one frame, (H,W). Without fields, they are all that it has, if an array with channels cannot
// have their shape.
func fieldFolder(folder string, fields []string) (f Files, ok bool) {
	paths, err := glob.In(folder, "*.npy")
	if err != nil {
		return f, false
	}
	stem := func(path string) string { return strings.TrimSuffix(filepath.Base(path), ".npy") }
	if len(fields) == 0 && len(paths) > 1 {
		for _, path := range paths {
			fields = append(fields, stem(path))
		}
		if opens(Files{Path: paths[0], OneFrame: true}) {
			return f, false
		}
	}
	f = Files{Path: folder, OneFrame: true, Form: Form{Names: fields}}
	for _, field := range fields {
		at := slices.IndexFunc(paths, func(path string) bool { return stem(path) == field })
		if at < 0 {
			return f, false
		}
		f.Fields = append(f.Fields, paths[at])
	}
	return f, len(fields) > 0 && opens(Files{Path: f.Fields[0], OneFrame: true, Form: Form{Names: fields[:1]}})
}

func opens(f Files) bool {
	a, err := f.Open()
	if err != nil {
		return false
	}
	a.Close()
	return true
}

// Input returns the files of a path that FindFiles has found, with these fields. Without
// fields, a run of AthenaK, an HDF5 file, a folder of a file a field and an npz file of an
// array a field have all of their own, whose names Input returns; another file has any.
func Input(path string, fields []string) (Files, []string, error) {
	if f, ok := fieldFolder(path, fields); ok {
		return f, f.Names, nil
	}
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
	return Files{Path: path, OneFrame: true, Form: Form{Names: fields}}, fields, nil
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
