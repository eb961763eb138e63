package torchx

// #include "csrc/fx.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
)

// Thread is an OS thread on which all work on a model runs, since libtorch
// keeps its thread count, grad mode and autocast state for each of them.
type Thread struct {
	calls chan func()
	quit  chan struct{}
	ended chan struct{}
}

// StartThread starts one whose kernels use that many cores (0: all). Close it.
func StartThread(threads int) (*Thread, error) {
	if threads <= 0 {
		threads = runtime.NumCPU()
	}
	t := &Thread{calls: make(chan func()), quit: make(chan struct{}), ended: make(chan struct{})}
	started := make(chan error)
	go t.run(threads, started)
	if err := <-started; err != nil {
		return nil, err
	}
	return t, nil
}

// run never unlocks its OS thread: it dies with the goroutine, and its settings with it.
func (t *Thread) run(threads int, started chan<- error) {
	defer close(t.ended)
	runtime.LockOSThread()
	if err := check(C.fx_set_num_threads(C.int(threads))); err != nil {
		started <- err
		return
	}
	started <- nil
	for {
		select {
		case call := <-t.calls:
			call()
		case <-t.quit:
			return
		}
	}
}

// Do runs f on the thread, in a scope that is closed when f returns, and waits
// for it. It returns f's error, else the scope's. A panic in f becomes an error.
// When ctx ends before f has started, f never runs; one that has is waited for.
func (t *Thread) Do(ctx context.Context, f func(s *Scope) error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	done := make(chan error, 1)
	select {
	case t.calls <- func() {
		err := errors.New("torch thread: the call ended its goroutine") // by t.Fatal, say
		defer func() { done <- err }()
		err = inScope(f)
	}:
		return <-done
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.ended:
		return fmt.Errorf("torch thread: closed")
	}
}

func inScope(f func(s *Scope) error) (err error) {
	s := NewScope()
	defer s.Close()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	if err := f(s); err != nil {
		return err
	}
	return s.Err()
}

// Close ends the thread after the work that it is doing. A later Do returns an error.
func (t *Thread) Close() {
	close(t.quit)
	<-t.ended
}
