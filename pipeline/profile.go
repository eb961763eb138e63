package pipeline

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"time"

	"fmsr/internal/torchx"
)

// Stepper is a stage whose work goes in steps on a torch thread, which is what a
// profile is of. It calls Env.Profile.Step where each of them begins.
type Stepper interface {
	Processor
	// Steps is what one is called, and how many at first are not like the rest.
	Steps() (name string, warmUp int)
}

// Profile watches some of a run's steps: every stage's time and every op's on the
// torch thread, on the host: a CUDA device works off later what is queued there.
// A nil one watches nothing, at no cost.
type Profile struct {
	unit        string
	warm, count int
	path        string
	out         io.Writer
	tracks      []string // a name for each stage
	stepper     int      // track of the stage whose steps these are

	steps  int // that have begun
	thread *torchx.Thread

	mu       sync.Mutex // for what follows: every stage's goroutine is watched
	watching bool
	seen     watched
}

// watched is what a profile is made from.
type watched struct {
	began, ended time.Time
	steps        int
	stages       []stageSpan // in the order of their ends
	arrivals     []time.Time // of the elements that the stepper worked on, from the second on
	ops          []torchx.Span
}

// stageSpan is a piece of work of a stage.
type stageSpan struct {
	track      int
	begin, end time.Time
}

// newProfile is of count steps; nil for none.
func newProfile(count int, env *Env, nodes []*node) (*Profile, error) {
	if count == 0 {
		return nil, nil
	}
	p := &Profile{count: count, path: filepath.Join(env.Run.Dir, "profile.json"), out: env.Out, stepper: -1}
	for i, n := range nodes {
		n.track = i
		p.tracks = append(p.tracks, n.name)
		if s, ok := n.Stage.(Stepper); ok {
			p.stepper = i
			p.unit, p.warm = s.Steps()
		}
	}
	if p.stepper < 0 {
		return nil, fmt.Errorf("profile: no stage of this flow trains or samples")
	}
	return p, nil
}

// Step says that a step begins, on that thread. The profile is told and written
// as soon as the last step that it watches is done.
func (p *Profile) Step(ctx context.Context, thread *torchx.Thread) error {
	if p == nil {
		return nil
	}
	switch p.steps++; p.steps {
	case p.warm + 1:
		if err := thread.Record(ctx); err != nil {
			return fmt.Errorf("profile: %w", err)
		}
		p.thread = thread
		p.mu.Lock()
		p.watching, p.seen.began = true, time.Now()
		p.mu.Unlock()
	case p.warm + p.count + 1:
		p.steps-- // the one that now begins is not watched
		err := p.finish(ctx)
		p.steps++
		return err
	}
	return nil
}

// Finish tells what there is where the run has ended before Step did.
func (p *Profile) Finish(ctx context.Context) error {
	switch {
	case p == nil:
		return nil
	case p.steps <= p.warm:
		fmt.Fprintf(p.out, "profile: the run ended before %s %d, the first that is watched\n", p.unit, p.warm+1)
		return nil
	case p.thread == nil: // done
		return nil
	}
	return p.finish(ctx)
}

func (p *Profile) finish(ctx context.Context) error {
	p.mu.Lock()
	p.watching, p.seen.ended = false, time.Now()
	p.mu.Unlock()
	seen := &p.seen
	seen.steps = p.steps - p.warm
	var err error
	if seen.ops, err = p.thread.Recorded(ctx); err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	p.thread = nil
	if err := writeTrace(p.path, p.tracks, seen); err != nil {
		return fmt.Errorf("profile: %w", err)
	}
	fmt.Fprintf(p.out, "profile of %d %ss, after %d that are left out\n", seen.steps, p.unit, p.warm)
	seen.breakdown(p.stepper).write(p.out, p.unit)
	fmt.Fprintf(p.out, "every span: %s (chrome://tracing, ui.perfetto.dev)\n", p.path)
	p.seen = watched{} // much memory
	return nil
}

// arrived says that an element has reached a stage.
func (p *Profile) arrived(track int) {
	if p == nil || track != p.stepper {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.watching {
		p.seen.arrivals = append(p.seen.arrivals, time.Now())
	}
}

// worked says that a stage has done a piece of work, of which only what lies in
// the steps watched is kept.
func (p *Profile) worked(track int, begin, end time.Time) {
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
	p.seen.stages = append(p.seen.stages, stageSpan{track, begin, end})
}
