package model

import (
	"fmt"
	"sync/atomic"

	"fmsr/internal/evaluate"
)

// Step is the token that flows behind the trainer: one training step taken. The
// next one starts only when every holder has released it, so that whoever
// receives it sees exactly the weights of its step.
type Step struct {
	Result
	N, Total int // this step, and how many the run has
	Trainer  *Trainer
	Averaged bool                 // the EMA has been updated
	Eval     *evaluate.Evaluation // what eval found at this step, nil where it did not look

	refs     atomic.Int32
	returned chan struct{}
}

// NewStep is the token of a step that the trainer has just taken.
func NewStep(t *Trainer, r Result, total int) *Step {
	s := &Step{Result: r, N: t.Step, Total: total, Trainer: t, returned: make(chan struct{})}
	s.refs.Store(1)
	return s
}

// Last says whether this is the run's last step.
func (s *Step) Last() bool { return s.N == s.Total }

// Retain adds a reference.
func (s *Step) Retain() { s.refs.Add(1) }

// Release drops a reference; the last one returns the token.
func (s *Step) Release() {
	if s.refs.Add(-1) == 0 {
		close(s.returned)
	}
}

// Returned is closed when the token has been released for good.
func (s *Step) Returned() <-chan struct{} { return s.returned }

// Origin names the step, for messages.
func (s *Step) Origin() string { return fmt.Sprintf("step %d", s.N) }
