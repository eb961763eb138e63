package dataset

import (
	"fmt"
	"os"

	"fmsr.example/fmsr/internal/glob"
)

// FindFiles returns the npy and npz files of a path, sorted: the file itself, the files of a
// folder, or the files of a glob pattern. It returns an error if there is none.
func FindFiles(path string) ([]string, error) {
	paths, err := glob.Expand(path)
	if info, stat := os.Stat(path); stat == nil && info.IsDir() {
		paths, err = glob.In(path, "*.np[yz]")
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("%s: no npy or npz file there", path)
	}
	return paths, nil
}
