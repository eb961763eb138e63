package dataset

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// FindFiles returns the npy files that a path names, sorted: the file itself, those
// of a folder, or those of a glob pattern. No file is an error.
func FindFiles(path string) ([]string, error) {
	pattern := path
	info, err := os.Stat(path)
	switch {
	case err == nil && !info.IsDir():
		return []string{path}, nil
	case err == nil:
		pattern = filepath.Join(path, "*.npy")
	}
	paths, err := filepath.Glob(pattern)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("%s: no npy file there", path)
	}
	slices.Sort(paths)
	return paths, nil
}
