package torchx

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	torch "github.com/wangkuiyi/gotorch"
	"golang.org/x/sys/unix"
)

// foreign returns zeroed memory outside Go's heap.
func foreign(t *testing.T, size int) []byte {
	data, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Munmap(data) })
	return data
}

// TestDoIsOneAtATime checks that all calls run on the same OS thread, one at a time.
func TestDoIsOneAtATime(t *testing.T) {
	thread, err := StartThread(1)
	if err != nil {
		t.Fatal(err)
	}
	defer thread.Close()
	before := Live()
	var inside, calls atomic.Int32
	var ids sync.Map
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			for range 50 {
				err := thread.Do(context.Background(), func(s *Scope) error {
					if inside.Add(1) != 1 {
						t.Error("two calls at once")
					}
					ids.Store(unix.Gettid(), true)
					s.Randn(1, 64)
					calls.Add(1)
					inside.Add(-1)
					return nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	callers.Wait()
	threads := 0
	ids.Range(func(any, any) bool { threads++; return true })
	if threads != 1 || calls.Load() != 400 || Live() != before {
		t.Errorf("%d OS threads, %d calls, %d tensors left: want 1, 400 and none", threads, calls.Load(), Live()-before)
	}
}

// TestDoAndCancellation checks that a call that waits for the thread returns when
// its context ends, and that Do waits for a call that runs.
func TestDoAndCancellation(t *testing.T) {
	thread, err := StartThread(1)
	if err != nil {
		t.Fatal(err)
	}
	defer thread.Close()
	ctx, cancel := context.WithCancelCause(context.Background())
	stopped := errors.New("stopped")
	started, release := make(chan struct{}), make(chan struct{})
	running := make(chan error, 1)
	go func() {
		running <- thread.Do(ctx, func(s *Scope) error {
			close(started)
			<-release
			s.Randn(1, 3)
			return s.Err()
		})
	}()
	<-started
	waiting := make(chan error, 1)
	go func() {
		waiting <- thread.Do(ctx, func(*Scope) error { t.Error("ran after its context had ended"); return nil })
	}()
	time.Sleep(20 * time.Millisecond) // until it waits
	cancel(stopped)
	select {
	case err := <-waiting:
		if !errors.Is(err, stopped) {
			t.Errorf("the waiting call returned %v, want the context's cause", err)
		}
	case <-time.After(5 * time.Second):
		t.Error("the waiting call was not given up")
		close(release)
		return
	}
	time.Sleep(20 * time.Millisecond)
	select {
	case err := <-running:
		t.Errorf("the running call returned %v before it was done", err)
		close(release)
		return
	default:
	}
	close(release)
	if err := <-running; !errors.Is(err, stopped) { // its op did not begin
		t.Errorf("the running call returned %v, want the context's cause", err)
	}
}

// TestThreadCount checks that kernels on a Thread of one core run on that thread
// alone, and that a Thread of four cores starts three more threads.
func TestThreadCount(t *testing.T) {
	// A new thread gets the name of the thread that starts it. The Go runtime starts none from a Thread's.
	named := func(name string) (n int) {
		names, err := filepath.Glob("/proc/self/task/*/comm")
		if err != nil || len(names) == 0 {
			t.Skip("no /proc to count threads in")
		}
		for _, path := range names {
			if text, _ := os.ReadFile(path); string(text) == name+"\n" { // it may have ended
				n++
			}
		}
		return n
	}
	for _, threads := range []int{1, 4} {
		thread, err := StartThread(threads)
		if err != nil {
			t.Fatal(err)
		}
		err = thread.Do(context.Background(), func(s *Scope) error {
			name := fmt.Sprint("fx ", unix.Gettid())
			if err := os.WriteFile(fmt.Sprintf("/proc/self/task/%d/comm", unix.Gettid()), []byte(name), 0o644); err != nil {
				return err
			}
			s.Full(1, Float32, CPU, 1<<20) // 32 grains of work
			if n := named(name); n != threads {
				t.Errorf("a Thread of %d started %d threads, want %d", threads, n-1, threads-1)
			}
			return nil
		})
		thread.Close()
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestOwnership checks that a tensor is freed once, however it enters or leaves a scope.
func TestOwnership(t *testing.T) {
	before := Live()
	var kept Tensor
	thread, err := StartThread(1)
	if err != nil {
		t.Fatal(err)
	}
	defer thread.Close()
	err = thread.Do(context.Background(), func(s *Scope) error {
		kept = s.Keep(s.Randn(1, 4))
		ones := s.Adopt(torch.Ones([]int64{3}, false))
		same := s.Within(func(in *Scope) Tensor { in.Randn(2, 4); return ones }) // the inner scope does not own it
		Free(same)
		if !IsNil(ones) {
			t.Error("a tensor is there after Free")
		}
		Free(ones)
		s.Close()
		s.Close()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n := Live() - before; n != 1 {
		t.Errorf("%d tensors after the scope, want the kept one", n)
	}
	err = thread.Do(context.Background(), func(s *Scope) error {
		if v := s.Floats(kept); len(v) != 4 {
			t.Errorf("the kept tensor holds %v", v)
		}
		s.Within(func(in *Scope) Tensor { in.Randn(1, 4); panic("within") })
		return nil
	})
	if err == nil {
		t.Error("a panic within Within was no error")
	}
	err = thread.Do(context.Background(), func(s *Scope) error {
		s.Within(func(in *Scope) Tensor { return in.Add(in.Randn(1, 3), in.Randn(2, 4)) })
		return nil
	})
	if err == nil || IsNil(kept) {
		t.Errorf("an error within Within became %v", err)
	}
	Free(kept)
	if n := Live() - before; n != 0 {
		t.Errorf("%d tensors left", n)
	}
}

// TestDoStops checks that no op begins after the context has ended, that a backward
// pass ends at the next watched tensor, and that the thread works afterwards.
func TestDoStops(t *testing.T) {
	thread, err := StartThread(1)
	if err != nil {
		t.Fatal(err)
	}
	defer thread.Close()
	before := Live()
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(context.Background())
	err = thread.Do(ctx, func(s *Scope) error {
		s.Randn(1, 4)
		cancel(cause)
		if x := s.Randn(1, 4); !IsNil(x) {
			t.Error("an op began after the end")
		}
		return nil
	})
	if !errors.Is(err, cause) {
		t.Errorf("error %v, want the context's cause", err)
	}
	for _, watched := range []bool{false, true} {
		ctx, cancel := context.WithCancelCause(context.Background())
		err := thread.Do(ctx, func(s *Scope) error {
			x := s.Randn(1, 4)
			s.RequiresGrad(x, true)
			y := s.Mul(x, x)
			if watched {
				y = s.Watch(y)
			}
			loss := s.Mean(y)
			s.ctx = context.Background() // so that only the flag counts
			cancel(cause)
			for deadline := time.Now().Add(5 * time.Second); *s.stop == 0 && time.Now().Before(deadline); {
				time.Sleep(time.Millisecond)
			}
			s.Backward(loss)
			return s.Err()
		})
		if got := errors.Is(err, cause); got != watched {
			t.Errorf("watched %v: error %v", watched, err)
		}
	}
	if err := thread.Do(context.Background(), func(s *Scope) error { return s.Err() }); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	if Live() != before {
		t.Errorf("%d tensors left", Live()-before)
	}
}
