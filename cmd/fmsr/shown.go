package main

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"

	"fmsr.example/fmsr/internal/liveview"
	"fmsr.example/fmsr/internal/ranks"
	"fmsr.example/fmsr/internal/terminal"
	"fmsr.example/fmsr/pipeline"
)

// show shows a run live if out is a terminal. It returns where the run writes to, and a
// function that ends the view with the run's error, which it returns. Further calls of it
// only return their error. A shard whose launcher shows it tells that what it does.
func show(ctx context.Context, out io.Writer, place ranks.Place, spec *pipeline.Spec) (io.Writer, func(error) error) {
	plain := func(err error) error { return err }
	if events := eventsTo(out); events != nil {
		return events, plain
	}
	screen := screenOf(out, place, spec)
	if screen == nil {
		return out, plain
	}
	view := liveview.Start(screen, spec.Run.Name)
	stopped := context.AfterFunc(ctx, func() {
		if by := (interrupted{}); errors.As(context.Cause(ctx), &by) {
			view.Stopping("stopping: " + by.Error())
		}
	})
	var once sync.Once
	return view, func(err error) error {
		once.Do(func() {
			stopped()
			view.End(err, spec.Run.Dir, next(spec)...)
		})
		return err
	}
}

// screenOf returns the terminal on which a run is shown live; nil: it is shown in lines. Of
// several ranks rank 0 shows the run, unless the others have lines of their own to show. (Shards
// of --ranks are shown by their launcher.)
func screenOf(out io.Writer, place ranks.Place, spec *pipeline.Spec) *os.File {
	if place.Rank > 0 || !place.Alone() && !spec.Trains() {
		return nil
	}
	screen := terminal.Screen(out)
	if screen == nil || !terminal.Foreground(screen) {
		return nil
	}
	return screen
}

// next returns the commands to try after a run of a spec.
func next(spec *pipeline.Spec) []string {
	program, dir := os.Args[0], spec.Run.Dir
	if !spec.Trains() {
		return []string{shellCommand([]string{program, "verify", dir})}
	}
	return []string{
		shellCommand([]string{program, "ui", dir}),
		shellCommand([]string{program, "run", "specs/superres.yaml", "--checkpoint", dir, "--input"}) + " COARSE --out FINE",
	}
}
