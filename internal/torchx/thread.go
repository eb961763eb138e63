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

// Thread is an OS thread for all work on a model, since libtorch keeps its thread
// count, grad mode and autocast state for each OS thread.
type Thread struct {
	calls chan func()
	quit  chan struct{}
	ended chan struct{}

	recording C.fx_recording // nil if there is none; only the thread uses it and began
	began     time.Time      // start of the recording
}

// StartThread starts a Thread whose kernels use that many cores, or all cores if
// threads is 0. The caller closes it. It returns CheckCPULevel's error, if there is one.
func StartThread(threads int) (*Thread, error) {
	if err := CheckCPULevel(); err != nil {
		return nil, err
	}
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

// run never unlocks its OS thread, so that the thread and its settings end with the
// goroutine.
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
			_, _ = t.endRecording() // to free it
			return
		}
	}
}

// Do runs f on the thread, in a scope that is closed when f returns, and waits for
// it. It returns f's error, or else the scope's. A panic in f becomes an error.
//
// If ctx ends before f starts, f never runs. If ctx ends later, Do still waits for
// f, but no further op of the scope begins, and a backward pass ends at the next
// watched tensor. Do then returns ctx's cause.
func (t *Thread) Do(ctx context.Context, f func(s *Scope) error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	done := make(chan error, 1)
	select {
	case t.calls <- func() {
		err := errors.New("torch thread: the call ended its goroutine") // by t.Fatal, say
		defer func() { done <- err }()
		err = inScope(ctx, t.recording, f)
	}:
		return <-done
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.ended:
		return fmt.Errorf("torch thread: closed")
	}
}

// inScope runs f on the calling goroutine, in a scope that ends with ctx.
func inScope(ctx context.Context, recording C.fx_recording, f func(s *Scope) error) (err error) {
	s := NewScope()
	s.ctx, s.recording = ctx, recording
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

// watch sets the scope's stop flag when its context ends, until the caller calls
// end.
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

// Close waits for the work in progress and ends the thread. A later Do returns an
// error.
func (t *Thread) Close() {
	close(t.quit)
	<-t.ended
}
