package pipeline

import (
	"errors"
	"fmt"
)

// InputError is a fault of a spec, flag or input, found before work began.
type InputError struct{ Err error }

func (e *InputError) Error() string { return e.Err.Error() }
func (e *InputError) Unwrap() error { return e.Err }

// StageError is a failure of a stage during the run.
type StageError struct {
	Stage  string // "flow[3].pool_upsample"
	Origin string // of the element that the stage worked on; may be empty
	Err    error
}

func (e *StageError) Error() string {
	if e.Origin == "" {
		return fmt.Sprintf("%s: %v", e.Stage, e.Err)
	}
	return fmt.Sprintf("%s: %s: %v", e.Stage, e.Origin, e.Err)
}

func (e *StageError) Unwrap() error { return e.Err }

// errFinished is returned by a source's send once the run needs no more elements.
var errFinished = errors.New("the run needs no more frames")
