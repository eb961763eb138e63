package dataset

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// FindFiles returns the npy files of a path, sorted: the file itself, the files of a
// folder, or the files of a glob pattern. It returns an error if there is none.
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
