package model

import (
	"context"
	"fmt"
	"sync/atomic"

	"fmsr.example/fmsr/internal/evaluate"
)

// Step is the token of a training step, which flows through the stages below the
// trainer. The next step starts only when every holder has released the token, so
// that each receiver sees exactly the weights of the step.
type Step struct {
	Result
	N, Total int // number of the step, and of steps in the run
	Trainer  *Trainer
	Averaged bool                 // the EMA has been updated
	Line     bool                 // a line of the learning curve is due
	Eval     *evaluate.Evaluation // results of eval at this step; nil if it was not evaluated
	Speed    float64              // training frames a second since the last line; 0: not measured

	refs     atomic.Int32
	returned chan struct{}
}

// Settle waits for the step's Result, if the trainer reads results late. A step that has a
// Line has its Result.
func (s *Step) Settle(ctx context.Context) error {
	err := s.Trainer.Settle(ctx)
	s.Result = s.Trainer.Last
	return err
}

// NewStep returns the token of the step that the trainer has just taken.
func NewStep(t *Trainer, r Result, total int) *Step {
	s := &Step{Result: r, N: t.Step, Total: total, Trainer: t, returned: make(chan struct{})}
	s.refs.Store(1)
	return s
}

// Logged reports whether the step has a line in the logs.
func (s *Step) Logged() bool { return s.Line || s.Eval != nil }

// Last reports whether this is the run's last step.
func (s *Step) Last() bool { return s.N == s.Total }

// Retain adds a reference.
func (s *Step) Retain() { s.refs.Add(1) }

// Release drops a reference; the last one returns the token.
func (s *Step) Release() {
	if s.refs.Add(-1) == 0 {
		close(s.returned)
	}
}

// Returned is closed when the last reference has been released.
func (s *Step) Returned() <-chan struct{} { return s.returned }

// Origin returns the name of the step for messages.
func (s *Step) Origin() string { return fmt.Sprintf("step %d", s.N) }
