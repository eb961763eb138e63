package torchx

// #include <stdlib.h>
// #include "csrc/fx.h"
import "C"

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"
	"unsafe"
)

// Thread is an OS thread on which all work on a model runs, since libtorch
// keeps its thread count, grad mode and autocast state for each of them.
type Thread struct {
	calls chan func()
	quit  chan struct{}
	ended chan struct{}

	recording C.fx_recording // nil: none. It and began are the thread's
	began     time.Time      // when the recording did
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
	err := errors.Join(check(C.fx_set_num_threads(C.int(threads))), check(C.fx_cache_memory()))
	started <- err
	if err != nil {
		return
	}
	for {
		select {
		case call := <-t.calls:
			call()
		case <-t.quit:
			_, _ = t.endRecording() // frees it
			return
		}
	}
}

// Do runs f on the thread, in a scope that is closed when f returns, and waits
// for it. It returns f's error, else the scope's. A panic in f becomes an error.
// When ctx ends before f has started, f never runs. One that has is waited for, but
// no op of its scope begins any more, and a backward pass ends at the next tensor
// that was watched: the error is then ctx's cause.
func (t *Thread) Do(ctx context.Context, f func(s *Scope) error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	done := make(chan error, 1)
	select {
	case t.calls <- func() {
		err := errors.New("torch thread: the call ended its goroutine") // by t.Fatal, say
		defer func() { done <- err }()
		err = t.inScope(ctx, f)
	}:
		return <-done
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.ended:
		return fmt.Errorf("torch thread: closed")
	}
}

func (t *Thread) inScope(ctx context.Context, f func(s *Scope) error) (err error) {
	s := NewScope()
	s.ctx, s.recording = ctx, t.recording
	defer s.Close()
	defer s.watch()()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	if err = f(s); err == nil {
		err = s.Err()
	}
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// watch raises the scope's flag when its context ends; the function that it
// returns ends that.
func (s *Scope) watch() (end func()) {
	if s.ctx.Done() == nil {
		return func() {}
	}
	s.stop = (*C.int)(C.calloc(1, C.size_t(unsafe.Sizeof(C.int(0)))))
	raised := make(chan struct{})
	cancel := context.AfterFunc(s.ctx, func() {
		C.fx_stop(s.stop)
		close(raised)
	})
	return func() {
		if !cancel() {
			<-raised
		}
		C.free(unsafe.Pointer(s.stop))
		s.stop = nil
	}
}

// Close ends the thread after the work that it is doing. A later Do returns an error.
func (t *Thread) Close() {
	close(t.quit)
	<-t.ended
}
