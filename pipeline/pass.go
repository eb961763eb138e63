package pipeline

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"

	streams "github.com/reugn/go-streams"
	"github.com/reugn/go-streams/extension"
	"github.com/reugn/go-streams/flow"

	"fmsr.example/fmsr/internal/display"
	"fmsr.example/fmsr/internal/profile"
)

// node is a stage at its place in a flow, with its account.
type node struct {
	Stage
	label string // "flow[3].pool_upsample"
	name  string
	tally tally
	index int // in the flow

	sends, drops Traits // of its elements; it drops them from those that it takes
	meta         Meta   // of what it sends

	fusedInto *node // the stage below that does its work; nil: none
}

// pass is one time through a stretch of the flow:
//
//	source --chan--> FlatMap --> FlatMap --> ... --> consume
//
// Each FlatMap calls its stage on one goroutine. The channels between them are
// unbuffered, so that a slow stage holds back the stages above it. go-streams knows no
// errors: the first failure cancels the context with its cause. Every stage then
// releases the elements that reach it, so that the channels drain and close in order
// and every goroutine ends.
type pass struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	enough chan struct{} // closed when the source may stop

	profile  *profile.Profile
	progress *Progress
	through  func(Element) // is called with each element that the last stage has worked on; nil: nobody asks
}

// end follows the last element, so that stages can flush the elements that they
// hold: go-streams closes channels without telling the FlatMap.
type end struct{}

func (end) Retain()        {}
func (end) Release()       {}
func (end) Origin() string { return "" }

// newPass returns a pass under ctx and the function that ends it early.
func newPass(ctx context.Context, env *Env) (*pass, func()) {
	p := &pass{enough: make(chan struct{}), profile: env.Profile, progress: env.Progress}
	p.ctx, p.cancel = context.WithCancelCause(ctx)
	stopped := false
	return p, func() { // called from one stage at a time, in order
		if !stopped {
			stopped = true
			close(p.enough)
		}
	}
}

// run sends the elements of the first node, a source, through the others, and lends the
// elements that come out to consume. It returns when every goroutine has ended.
func (p *pass) run(nodes []*node, how Pass, consume func(Element) error) error {
	defer p.cancel(nil)
	first := make(chan any)
	go p.emit(nodes[0], how, first)
	var out streams.Outlet = extension.NewChanSource(first)
	for i, n := range nodes[1:] {
		next := flow.NewFlatMap(p.step(n, i == len(nodes)-2), 1)
		flow.DoStream(out, next)
		out = next
	}
	for el := range out.Out() {
		e := el.(Element)
		if p.ctx.Err() == nil && e != (end{}) {
			if err := consume(e); err != nil {
				p.cancel(err)
			}
		}
		e.Release()
	}
	return context.Cause(p.ctx)
}

// emit runs the source into first, then sends end and closes it.
func (p *pass) emit(n *node, how Pass, first chan<- any) {
	defer close(first)
	began := time.Now()
	waited := time.Duration(0)
	resumed := began
	send := func(e Element) error {
		start := time.Now()
		p.profile.Worked(n.index, resumed, start)
		defer func() {
			resumed = time.Now()
			waited += resumed.Sub(start)
		}()
		if err := n.check(e); err != nil {
			if e != nil {
				e.Release()
			}
			return err
		}
		select {
		case <-p.enough: // checked first, since a ready receiver must not win
			e.Release()
			return errFinished
		default:
		}
		select {
		case first <- e:
			n.tally.elements.Add(1)
			return nil
		case <-p.enough:
			e.Release()
			return errFinished
		case <-p.ctx.Done():
			e.Release()
			return context.Cause(p.ctx)
		}
	}
	err := guard(func() error { return n.Stage.(Source).Emit(p.ctx, how, send) })
	n.tally.add(time.Since(began)-waited, waited)
	if err != nil && !errors.Is(err, errFinished) {
		p.fail(n, "", err, nil)
	}
	first <- end{}
}

// returner is an element that its producer must get back before the next one.
type returner interface{ Returned() <-chan struct{} }

// step returns a stage, which may be the last, as a FlatMap's function.
func (p *pass) step(n *node, last bool) flow.FlatMapFunction[Element, Element] {
	stage := n.Stage.(Processor)
	idle := time.Now()
	var out returner
	return func(in Element) []Element {
		defer p.release(n, in)
		p.profile.Arrived(n.index)
		if out != nil {
			select {
			case <-out.Returned():
			case <-p.ctx.Done():
			}
			out = nil
		}
		if in == (end{}) {
			return append(p.flush(n), end{})
		}
		if p.ctx.Err() != nil {
			return nil
		}
		began := time.Now()
		var results []Element
		err := guard(func() (err error) {
			if results, err = stage.Process(p.ctx, in); err == nil {
				err = n.checkAll(results)
			}
			return err
		})
		n.tally.elements.Add(1)
		n.tally.add(time.Since(began), began.Sub(idle))
		idle = time.Now()
		p.profile.Worked(n.index, began, idle)
		if err != nil {
			return p.fail(n, in.Origin(), err, results)
		}
		if last && p.through != nil {
			p.through(in)
		}
		if len(results) > 0 {
			if r, ok := results[len(results)-1].(returner); ok && Element(in) != results[len(results)-1] {
				out = r
			}
		}
		return results
	}
}

// release gives a stage's input back. A stage must not have released it itself.
func (p *pass) release(n *node, in Element) {
	if err := guard(func() error { in.Release(); return nil }); err != nil {
		p.fail(n, in.Origin(), err, nil)
	}
}

func (p *pass) flush(n *node) []Element {
	f, ok := n.Stage.(Flusher)
	if !ok || p.ctx.Err() != nil {
		return nil
	}
	began := time.Now()
	p.progress.Part(display.Work{Name: "finishing " + n.name})
	defer p.progress.Part(display.Work{})
	var results []Element
	err := guard(func() (err error) {
		if results, err = f.Flush(p.ctx); err == nil {
			err = n.checkAll(results)
		}
		return err
	})
	n.tally.add(time.Since(began), 0)
	if err != nil {
		return p.fail(n, "", err, results)
	}
	return results
}

// fail ends the pass with an error, unless the pass has ended already.
func (p *pass) fail(n *node, origin string, err error, results []Element) []Element {
	for _, r := range results {
		if r != nil {
			r.Release()
		}
	}
	var at interface{ Origin() string }
	if errors.As(err, &at) { // the error names the frame itself
		origin = at.Origin()
	}
	if p.ctx.Err() == nil {
		p.cancel(&StageError{Stage: n.label, Origin: origin, Err: err})
	}
	return nil
}

// guard turns a panic into an error with the place of the panic.
func guard(f func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = fmt.Errorf("internal error: %v (at %s)", v, panicSite())
		}
	}()
	return f()
}

// panicSite returns the file and line of the innermost frame below the panic that is
// being recovered, without the runtime's own.
func panicSite() string {
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(4, pcs)])
	for {
		f, more := frames.Next()
		if !strings.HasPrefix(f.Function, "runtime.") {
			return fmt.Sprintf("%s:%d", f.File, f.Line)
		}
		if !more {
			return "an unknown place"
		}
	}
}
