package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"syscall"

	"fmsr.example/fmsr/internal/ranks"
	"fmsr.example/fmsr/internal/ranks/dist"
	"fmsr.example/fmsr/pipeline"
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

// executeRank runs a training spec as one of several ranks. It calls end before other ranks,
// which may share the terminal, show their errors.
func executeRank(ctx context.Context, place ranks.Place, spec *pipeline.Spec, opt pipeline.Options, end func(error) error) error {
	runtime.GOMAXPROCS(max(2, place.Threads()))
	ctx, group, leave, err := dist.Join(ctx, place, ranks.Options{
		Limits: ranks.Usual,
		SignalOf: func(cause error) int {
			by := interrupted{}
			errors.As(cause, &by)
			return int(by.signal)
		},
		Signal:  func(signal int) error { return interrupted{syscall.Signal(signal)} },
		Input:   func(err error) bool { return errors.As(err, new(*pipeline.InputError)) },
		Notice:  func(line string) { fmt.Fprintln(opt.Out, line) },
		Abandon: func(err error) { os.Exit(abandoned(place.Rank, err)) },
	})
	if err != nil {
		return rankError(place.Rank, &runFailed{error: err})
	}
	opt.Ranks = group
	return rankError(place.Rank, leave(end(pipeline.Execute(ctx, spec, opt))))
}

// executeShare runs a spec that does not train as one of several processes, each a shard.
// They do not wait for each other.
func executeShare(ctx context.Context, place ranks.Place, spec *pipeline.Spec, opt pipeline.Options) error {
	runtime.GOMAXPROCS(max(2, place.Threads()))
	opt.Place = place
	return rankError(place.Rank, pipeline.Execute(ctx, spec, opt))
}

// abandoned reports that the process cannot end by itself after another rank has failed, and
// returns its exit status.
func abandoned(rank int, err error) int {
	fmt.Fprintf(os.Stderr, "fmsr: rank %d does not end by itself, and is ended: %v\n", rank, err)
	return exitStatus(&runFailed{error: err})
}

// quiet is an error that another rank reports.
type quiet struct{ error }

func (q quiet) Unwrap() error { return q.error }

// rankError returns an error as a rank reports it: once for all ranks if it is theirs, and
// otherwise with the rank's name.
func rankError(rank int, err error) error {
	var (
		peer *ranks.PeerError
		by   interrupted
	)
	switch {
	case errors.As(err, &peer):
		shown := error(peer)
		if peer.Input { // whatever this rank itself was doing
			shown = &pipeline.InputError{Err: peer}
		}
		if !peer.Reports {
			shown = quiet{shown}
		}
		return shown
	case err == nil || rank == 0:
		return err
	case errors.As(err, &by):
		return quiet{err}
	default:
		host, _ := os.Hostname() // else its number tells
		return fmt.Errorf("rank %d on %s: %w", rank, host, err)
	}
}
