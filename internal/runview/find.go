package runview

import (
	"io/fs"
	"os"
	"path"
	"strings"
)

// Limits of the search for runs.
const (
	deepestRun = 4
	mostSeen   = 50_000 // folders and files
	mostRuns   = 500
)

// inside are folders of runs, which hold no runs.
var inside = map[string]bool{Images: true, Evaluations: true, "tb": true, "wandb": true}

// Find returns the folders below root that have a spec.yaml, in the order of their names.
// It follows no links.
func Find(root *os.Root) (dirs []string) {
	seen := 0
	_ = fs.WalkDir(root.FS(), ".", func(dir string, e fs.DirEntry, err error) error {
		if seen++; seen > mostSeen || len(dirs) == mostRuns {
			return fs.SkipAll
		}
		if err != nil || !e.IsDir() {
			return nil // what cannot be listed has no runs for us
		}
		if dir != "." && (inside[e.Name()] || strings.HasPrefix(e.Name(), ".")) {
			return fs.SkipDir
		}
		if info, err := root.Lstat(path.Join(dir, SpecName)); err == nil && info.Mode().IsRegular() {
			dirs = append(dirs, dir)
			return fs.SkipDir
		}
		if strings.Count(dir, "/") >= deepestRun {
			return fs.SkipDir
		}
		return nil
	})
	return dirs
}
