package sinks

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"fmsr.example/fmsr/internal/store/atomicfile"
	"fmsr.example/fmsr/pipeline"
)

// startSteps prepares a folder of files that are named by their step. It removes what a
// killed run has left and, if the run starts over, the files of the earlier run: they would
// be taken for those of later steps of this run.
func startSteps(dir string, resume pipeline.Resume) error {
	if err := atomicfile.SweepTree(dir); err != nil || resume.Here() {
		return err
	}
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !e.Type().IsRegular() || !stepFile.MatchString(e.Name()) {
			return err
		}
		return os.Remove(path)
	})
}

// stepFile matches the name of a step's file.
var stepFile = regexp.MustCompile(`^[0-9]+\.(png|svg|pdf|json)$`)
