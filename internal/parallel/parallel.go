// Package parallel spreads independent pieces of work over the cores.
package parallel

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
)

// Each calls do for 0..n-1, on one goroutine for each core, and returns when all calls
// have returned. After an error no further call starts. Each returns the error with the
// smallest index, as calls in order would. A panic in do becomes an error.
func Each(n int, do func(i int) error) error {
	workers := min(n, runtime.GOMAXPROCS(0))
	if workers == 1 { // nor does a single piece need a goroutine
		for i := range n {
			if err := call(do, i); err != nil {
				return err
			}
		}
		return nil
	}
	var (
		next   atomic.Int64
		failed atomic.Bool
		wait   sync.WaitGroup
		errs   = make([]error, n)
	)
	for range workers {
		wait.Add(1)
		go func() {
			defer wait.Done()
			for !failed.Load() { // checked before an index is taken: every index below a taken one gets done
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				if errs[i] = call(do, i); errs[i] != nil {
					failed.Store(true)
				}
			}
		}()
	}
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func call(do func(i int) error, i int) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("internal error: %v", p)
		}
	}()
	return do(i)
}
