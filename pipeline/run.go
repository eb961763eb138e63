package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr.example/fmsr/internal/display"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/ranks"
	"fmsr.example/fmsr/internal/store/atomicfile"
)

// Options are the inputs of a run besides its spec.
type Options struct {
	Out     io.Writer        // progress, tables and the account; a display.Display is told more
	Version string           // of fmsr, for the files that it writes
	Cache   string           // folder of files that can be made again; empty: the user's cache folder
	Shard   Shard            // the part of the seeds to work on; zero: all
	Resume  string           // file to resume from; empty: the newest in the run's folder, if there is one
	Task    Shard            // the part of a job array's task, for flows that can be shared
	Place   ranks.Place      // among processes that share a flow which does not train: each works on a part of the shard
	Ranks   *ranks.Group     // the processes that share the work of a training run; nil: this one is alone
	Fresh   bool             // ignore the results of earlier runs
	Profile int              // steps to profile; 0: none
	Mem     memory.Allocator // for frames; nil: a pool of its own

	Resumable func()              // called once the run's folder says where to resume; may be nil
	Receive   func(Element) error // borrows the elements that the last stage sends; may be nil
}

// Execute runs a spec to its end:
//
//  1. Every stage opens and learns what the stage above it will send. Wrong input
//     ends the run here.
//  2. Stores without a copy are filled by the stages above them. Stages that fit see
//     the training data once, from the store if there is one.
//  3. Whatever can still be refused is refused. Only then are files of an earlier run set
//     aside or replaced.
//  4. The flow runs, from its last store if it has one.
//
// The error is an *InputError if nothing had been done yet. In any case every stage
// is closed and every element released when Execute returns.
func Execute(ctx context.Context, spec *Spec, opt Options) (err error) {
	r, err := newRunner(spec, opt)
	if err != nil {
		return err
	}
	defer func() {
		r.env.failed = err
		r.env.Ranks.Failed(err)
		err = errors.Join(err, r.close())
		if opt.Resumable != nil && r.resumable() {
			opt.Resumable()
		}
	}()
	r.env.ctx = ctx
	if err := r.check(ctx, opt); err != nil {
		return &InputError{Err: err}
	}
	if err := r.prepare(ctx); err != nil {
		return err
	}
	if err := r.pick(ctx); err != nil { // before anything is written: the folder may hold other results
		return err
	}
	if err := r.compareValues(ctx); err != nil {
		return &InputError{Err: err}
	}
	if err := r.ready(ctx); err != nil {
		return &InputError{Err: err}
	}
	if err := r.begin(); err != nil {
		return err
	}
	if err := r.main(ctx); err != nil {
		return err
	}
	if err := r.env.Profile.Finish(ctx); err != nil {
		return err
	}
	r.env.Progress.account(r.nodes)
	return nil
}

// check opens the stages and takes the run's folder. Its errors mean that the user's input
// is wrong: nothing has been done yet.
func (r *runner) check(ctx context.Context, opt Options) error {
	if err := r.compareSpecs(ctx, opt); err != nil {
		return err
	}
	if _, err := os.Stat(r.env.Run.Dir); !errors.Is(err, fs.ErrNotExist) { // else there is nothing to guard yet
		if err := r.use(); err != nil {
			return err
		}
	}
	if err := r.resume(opt); err != nil {
		return err
	}
	if err := r.shareResume(ctx); err != nil {
		return err
	}
	if err := r.open(ctx); err != nil {
		return err
	}
	if err := r.compareFrames(ctx); err != nil {
		return err
	}
	if err := r.resumeFrom(); err != nil {
		return err
	}
	if err := r.shareResume(ctx); err != nil {
		return err
	}
	if err := r.use(); err != nil {
		return err
	}
	return r.checkFolder()
}

// Resumable reports whether a run of the spec that ends early can be resumed.
func (s *Spec) Resumable() bool {
	return slices.ContainsFunc(s.Flow, func(n Node) bool {
		stage := n.Decl.New(n.Config)
		_, keeps := stage.(Keeper)
		_, resumes := stage.(Resumer)
		return keeps || resumes
	})
}

// ready lets stages refuse what only shows once the frames are there and fitted.
func (r *runner) ready(ctx context.Context) error {
	for _, n := range r.nodes {
		s, ok := n.Stage.(Preparer)
		if !ok {
			continue
		}
		r.env.Progress.Work(display.Work{Name: "preparing " + n.name})
		if err := guard(func() error { return s.Prepare(ctx) }); err != nil {
			return fmt.Errorf("%s: %w", n.label, err)
		}
	}
	return nil
}

// begin prepares the run's folder: it replaces the files of an earlier run.
func (r *runner) begin() error {
	if !r.env.Leads() {
		return nil
	}
	if err := r.env.Folder.Add(r.writes()...); err != nil {
		return err
	}
	if err := r.setAside(); err != nil {
		return err
	}
	if err := r.saveSpec(); err != nil {
		return err
	}
	r.begun = true
	if err := atomicfile.SweepFolder(r.env.Run.Dir); err != nil {
		return fmt.Errorf("the run's folder: %w", err)
	}
	for _, n := range r.nodes {
		s, ok := n.Stage.(Starter)
		if !ok {
			continue
		}
		if err := guard(s.Start); err != nil {
			return &StageError{Stage: n.label, Err: err}
		}
	}
	return nil
}

// saveSpec writes the resolved spec into the run's folder.
func (r *runner) saveSpec() error {
	return atomicfile.WriteFile(filepath.Join(r.env.Run.Dir, "spec.yaml"), r.env.Spec)
}

// pick limits the source to the seeds of this shard that still lack a keeper's result.
func (r *runner) pick(ctx context.Context) error {
	picker, ok := r.nodes[r.source].Stage.(Picker)
	if !ok || !r.hasKeeper() {
		return nil
	}
	missing, kept := map[frames.Part]bool{}, false
	for i, n := range r.nodes {
		k, ok := n.Stage.(Keeper)
		if !ok {
			continue
		}
		r.env.Progress.Work(display.Work{Name: "checking earlier results of " + n.name})
		finished, err := k.Resume(ctx, r.key(i, r.spec.Flow[i].Config))
		if err != nil {
			return &StageError{Stage: n.label, Err: err}
		}
		if finished == nil {
			continue
		}
		kept = true
		for _, s := range r.metas[r.source].Seeds {
			missing[s.Part()] = missing[s.Part()] || !finished[s.Part()]
		}
	}
	wanted := map[frames.Part]bool{}
	for i, s := range r.metas[r.source].Seeds {
		wanted[s.Part()] = (missing[s.Part()] || !kept) && r.env.Shard.Has(i)
	}
	r.env.Wants = func(part frames.Part) bool { return wanted[part] }
	picker.Pick(r.env.Wants)
	return nil
}

// main runs the flow itself.
func (r *runner) main(ctx context.Context) error {
	how := Once
	if r.spec.Trains() {
		how = Endless // the trainer calls Finish
	}
	p, finish := newPass(ctx, r.env)
	r.env.finish = finish
	for _, n := range r.nodes {
		n.tally.reset()
	}
	receive := r.receive
	if receive == nil {
		receive = func(Element) error { return nil }
	}
	flow := r.fuse()
	r.env.Progress.flow(r.nodes)
	if how == Once {
		p.through = r.counter("working", r.frames()*max(1, r.metas[len(r.metas)-1].Samples))
	}
	return p.run(flow, how, receive)
}

// frames returns how many frames the source sends in a single pass.
func (r *runner) frames() (n int) {
	from := r.metas[r.source]
	if from.Seeds == nil {
		for _, frames := range from.Frames {
			n += frames
		}
	}
	for _, s := range from.Seeds {
		if r.env.Wants == nil || r.env.Wants(s.Part()) {
			n += s.Frames
		}
	}
	return n
}

// counter returns a function that shows how many of so many frames have come.
func (r *runner) counter(what string, total int) func(Element) {
	w := display.Work{Name: what, Unit: "frames", Total: total}
	r.env.Progress.Work(w)
	return func(e Element) {
		if f, ok := e.(*frames.Frames); ok {
			w.Done += f.N()
			r.env.Progress.Work(w)
		}
	}
}
