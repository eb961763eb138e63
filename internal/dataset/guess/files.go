package guess

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"fmsr.example/fmsr/internal/format/hdf5"
	"fmsr.example/fmsr/internal/format/npy"
)

// file is an array file below the folder.
type file struct {
	path    string // below the folder
	bytes   int64
	dtype   string
	shape   []int
	members []string // of an npz: the arrays of that shape, in the file's order; nil: an npy file, or one array

	// of HDF5
	named        bool // members are the fields, also if there is one
	trajectories int  // of The Well's layout; 0: another
}

// byField reports whether there is an array for each field, under its name.
func (f *file) byField() bool { return f.named || len(f.members) > 1 }

func isHDF5(path string) bool {
	return slices.Contains(hdf5.Endings, filepath.Ext(path))
}

// Bounds of what is looked at.
const (
	deepest = 12      // folders within folders
	most    = 1000000 // files
)

// found is what is in a folder and in those below it.
type found struct {
	files  []file
	hdf5   []file
	others map[string]int // files of other kinds, by what is behind their last dot
	unread []string       // why array files have no frames, a line each
}

// collect lists the array files below dir, and reads their headers.
func collect(ctx context.Context, dir string) (*found, error) {
	f := &found{others: map[string]int{}}
	if err := f.walk(ctx, dir, "", 0); err != nil {
		return nil, err
	}
	if len(f.files) == 0 {
		f.files = f.hdf5
	}
	for i := range f.files {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err := f.files[i].header(dir); err != nil {
			f.unread = append(f.unread, err.Error())
		}
	}
	f.files = slices.DeleteFunc(f.files, func(f file) bool { return f.shape == nil })
	return f, nil
}

// walk lists a folder. It follows links, as patterns do.
func (f *found) walk(ctx context.Context, root, below string, depth int) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	entries, err := os.ReadDir(filepath.Join(root, below))
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(below, e.Name())
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		info, err := os.Stat(filepath.Join(root, path))
		switch {
		case errors.Is(err, fs.ErrNotExist): // a link to nothing
			continue
		case err != nil:
			return err
		case info.IsDir() && depth < deepest:
			if err := f.walk(ctx, root, path, depth+1); err != nil {
				return err
			}
		case info.IsDir():
		case !info.Mode().IsRegular():
		case filepath.Ext(path) == ".npy" || filepath.Ext(path) == ".npz":
			f.files = append(f.files, file{path: path, bytes: info.Size()})
		case isHDF5(path):
			f.hdf5 = append(f.hdf5, file{path: path, bytes: info.Size()})
		default:
			f.others[filepath.Ext(path)]++
		}
		if len(f.files)+len(f.hdf5) > most {
			return fmt.Errorf("%s: more than %d files: name a folder below it", root, most)
		}
	}
	return nil
}

// kinds describes the files of other kinds: "12 .h5, 1 .txt".
func (f *found) kinds() string {
	var texts []string
	for _, ext := range slices.Sorted(maps.Keys(f.others)) {
		name := ext
		if ext == "" {
			name = "without a dot in the name"
		}
		texts = append(texts, fmt.Sprintf("%d %s", f.others[ext], name))
	}
	if len(texts) > 8 {
		texts = append(texts[:8], "...")
	}
	return strings.Join(texts, ", ")
}

// header reads the shape of the file's array. Of an npz file with several it is the shape
// that takes most values, if arrays of another one are only beside it.
func (f *file) header(dir string) error {
	path := filepath.Join(dir, f.path)
	if hdf5.Is(path) {
		return f.headerHDF5(path)
	}
	names, err := npy.Arrays(path)
	if err != nil {
		return err
	}
	members, shape, dtype, err := npy.Largest(path)
	switch {
	case err != nil:
		return err
	case len(shape) < 2 && len(names) < 2:
		return fmt.Errorf("%s: shape %v: want at least H and W", path, shape)
	case len(shape) < 2:
		return fmt.Errorf("%s: no array of it has the shape of frames", path)
	case len(names) > 1:
		f.members = members
	}
	f.shape, f.dtype = shape, dtype
	return nil
}
