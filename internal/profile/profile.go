// Package profile shows where the time of some of a run's steps goes.
//
//	stages   -- arrived, worked -->  [         ]    a table: forward, backward, ... and every op
//	trainer  -- Step ------------->  [ Profile ] -> profile.json, for chrome://tracing
//	thread   -- its ops ---------->  [         ]
//
// profile.go gathers, breakdown.go adds up, opkinds.go sorts the ops by what they
// do, trace.go writes profile.json.
package profile

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"
)

// TraceName is the name of the trace in the run's folder.
const TraceName = "profile.json"

// Config selects the steps to watch.
type Config struct {
	Steps  int    // to watch
	WarmUp int    // steps before them, which are slower
	Unit   string // name of a step: "step", "sample"
	Stages []string
	Leader int    // index of the stage whose steps these are
	Dir    string // folder of the trace
	Out    io.Writer
}

// Recorder lists the operations of a thread. Each operation's parent comes before it.
type Recorder interface {
	Record(ctx context.Context) error
	Recorded(ctx context.Context) ([]Op, error)
}

// Op is an operation, or a named stretch of several.
type Op struct {
	Name       string
	Begin, End time.Time
	Parent     int // index of the operation that called it; -1: none
}

// Profile watches some of a run's steps: the time of every stage, and of every op
// on the leader's thread. On a CUDA device it sees the time that queueing takes,
// not the device's own. A nil Profile watches nothing, at no cost.
type Profile struct {
	Config
	steps  int // that have begun
	thread Recorder

	mu       sync.Mutex // guards what follows: each stage reports from its own goroutine
	watching bool
	seen     watched
}

// watched is the data of a profile.
type watched struct {
	began, ended time.Time
	steps        int
	stages       []stageSpan // in the order of their ends
	arrivals     []time.Time // of the elements that the leader worked on, from the second on
	ops          []Op
}

// stageSpan is a piece of work of a stage.
type stageSpan struct {
	stage      int
	begin, end time.Time
}

// New returns a profile that has not begun.
func New(c Config) *Profile { return &Profile{Config: c} }

// Step records that a step begins on a thread. It writes the profile as soon as the
// last step to watch has ended.
func (p *Profile) Step(ctx context.Context, thread Recorder) error {
	if p == nil {
		return nil
	}
	switch p.steps++; p.steps {
	case p.WarmUp + 1:
		if err := thread.Record(ctx); err != nil {
			return fmt.Errorf("profile: %w", err)
		}
		p.thread = thread
		p.mu.Lock()
		p.watching, p.seen.began = true, time.Now()
		p.mu.Unlock()
	case p.WarmUp + p.Config.Steps + 1:
		p.steps-- // the step that now begins is not watched
		err := p.finish(ctx)
		p.steps++
		return err
	}
	return nil
}

// Finish writes the profile of the steps so far if the run ends before Step wrote it.
func (p *Profile) Finish(ctx context.Context) error {
	switch {
	case p == nil:
		return nil
	case p.steps <= p.WarmUp:
		fmt.Fprintf(p.Out, "profile: the run ended before %s %d, the first that is watched\n", p.Unit, p.WarmUp+1)
		return nil
	case p.thread == nil: // written already
		return nil
	}
	return p.finish(ctx)
}

func (p *Profile) finish(ctx context.Context) error {
	p.mu.Lock()
	p.watching, p.seen.ended = false, time.Now()
	p.mu.Unlock()
	seen := &p.seen
	seen.steps = p.steps - p.WarmUp
	var err error
	if seen.ops, err = p.thread.Recorded(ctx); err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	p.thread = nil
	path := filepath.Join(p.Dir, TraceName)
	if err := writeTrace(path, p.Stages, seen); err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	fmt.Fprintf(p.Out, "profile of %d %ss, after %d that are left out\n", seen.steps, p.Unit, p.WarmUp)
	seen.breakdown(p.Leader).write(p.Out, p.Unit)
	fmt.Fprintf(p.Out, "every span: %s (chrome://tracing, ui.perfetto.dev)\n", path)
	p.seen = watched{} // frees much memory
	return nil
}

// Arrived records that an element has reached a stage.
func (p *Profile) Arrived(stage int) {
	if p == nil || stage != p.Leader {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.watching {
		p.seen.arrivals = append(p.seen.arrivals, time.Now())
	}
}

// Worked records that a stage has done a piece of work. Only the part within the
// watched steps is kept.
func (p *Profile) Worked(stage int, begin, end time.Time) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.watching {
		return
	}
	if begin.Before(p.seen.began) {
		begin = p.seen.began
	}
	p.seen.stages = append(p.seen.stages, stageSpan{stage, begin, end})
}
