package cli

import (
	"fmsr.example/fmsr/internal/runview"
	"fmsr.example/fmsr/pipeline"
)

// withRuns calls f with the runs in folders. Whatever fails is the fault of what is there.
func withRuns(dirs []string, f func(runs []*runview.Run) error) error {
	var runs []*runview.Run
	for _, dir := range dirs {
		r, err := runview.Open(dir)
		if err != nil {
			return &pipeline.InputError{Err: err}
		}
		defer r.Close()
		runs = append(runs, r)
	}
	if err := f(runs); err != nil {
		return &pipeline.InputError{Err: err}
	}
	return nil
}
