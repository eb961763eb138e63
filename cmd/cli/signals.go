package cli

import (
	"context"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
)

// interrupted is the cause of a context that a signal ended.
type interrupted struct{ signal syscall.Signal }

func (i interrupted) Error() string { return "interrupted by " + i.signal.String() }

// status returns the exit status of a program that the signal ended.
func (i interrupted) status() int { return 128 + int(i.signal) }

// signals ends the program's work with the first signal, and the program with the second.
type signals struct {
	arrived chan os.Signal
	ending  atomic.Bool  // the work ends or has ended: the next signal ends the program
	ignored atomic.Int32 // a signal that does not end the program if it is the second; 0: none
}

// watchSignals returns a context that the first SIGINT, SIGTERM, SIGUSR1 or SIGHUP ends.
// A second signal ends the process at once, but for SIGHUP, which a closed terminal sends
// more than once. Under nohup SIGHUP stays ignored. A pipe whose reader is gone ends nothing.
func watchSignals() (context.Context, *signals) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signal.Ignore(syscall.SIGPIPE)
	s := &signals{arrived: make(chan os.Signal, 2)} // a second one must not be lost while the first is handled
	s.add(syscall.SIGINT, syscall.SIGTERM, syscall.SIGUSR1)
	if !signal.Ignored(syscall.SIGHUP) {
		s.add(syscall.SIGHUP)
	}
	go func() {
		defer cancel(nil)
		for arrived := range s.arrived {
			by := interrupted{arrived.(syscall.Signal)}
			if !s.ending.Swap(true) {
				cancel(by)
			} else if by.signal != syscall.SIGHUP && int32(by.signal) != s.ignored.Load() {
				os.Exit(by.status())
			}
		}
	}()
	return ctx, s
}

// add lets more signals end the program's work.
func (s *signals) add(more ...os.Signal) { signal.Notify(s.arrived, more...) }

// stop gives signals their usual effect back.
func (s *signals) stop() {
	signal.Stop(s.arrived)
	close(s.arrived)
}
