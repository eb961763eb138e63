package main

import (
	"fmt"
	"os"

	"fmsr/internal/ranks"
	"fmsr/pipeline"
)

// placeOf returns this process's place among the ranks of a run, which --ranks must agree
// with. A size of 0 says nothing.
func placeOf(size int) (ranks.Place, error) {
	p, err := ranks.FromEnv(os.Getenv)
	if err == nil && !p.Alone() && size > 0 && size != p.Size {
		err = fmt.Errorf("--ranks %d, but %s has started %d ranks: leave --ranks out", size, p.Launcher, p.Size)
	}
	if err != nil {
		return p, &pipeline.InputError{Err: err}
	}
	return p, nil
}
