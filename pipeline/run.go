package pipeline

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
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
	"fmsr.example/fmsr/internal/hostmem"
	"fmsr.example/fmsr/internal/profile"
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

type runner struct {
	spec   *Spec
	env    *Env
	nodes  []*node
	opened int
	metas  []Meta // metas[i] describes what nodes[i] sends
	source int    // index of the stage that frames come from now
	begun  bool   // what the folder holds is this run's
	pool   *frames.Pool

	receive func(Element) error
}

func newRunner(spec *Spec, opt Options) (*runner, error) {
	run := spec.Run
	env := &Env{Run: &run, Spec: spec.YAML(), Lasting: spec.Lasting(), Ends: spec.Flow[len(spec.Flow)-1].Traits, Version: opt.Version, Fresh: opt.Fresh, Mem: opt.Mem, Cache: opt.Cache, Out: opt.Out, Ranks: opt.Ranks}
	env.Local = opt.Place.Local
	switch {
	case env.Ranks != nil:
		env.Local = env.Ranks.Local
		run.Threads = cmp.Or(run.Threads, env.Ranks.Threads())
	case !opt.Place.Alone():
		run.Threads = cmp.Or(run.Threads, opt.Place.Threads())
	}
	if !env.Leads() {
		spec, env.Out, opt.Profile = spec.withoutBystanders(), io.Discard, 0
	}
	if env.Out == nil {
		env.Out = io.Discard
	}
	env.Progress = NewProgress(env.Out)
	r := &runner{spec: spec, env: env, receive: opt.Receive}
	if base, err := os.UserCacheDir(); err == nil && env.Cache == "" {
		env.Cache = filepath.Join(base, "fmsr")
	}
	if env.Mem == nil {
		r.pool = frames.NewPool()
		env.Mem = r.pool
	}
	for i, f := range spec.Flow {
		r.nodes = append(r.nodes, &node{Stage: f.Decl.New(f.Config), label: flowPath(i, f.Name), name: f.Name, index: i, sends: f.Traits, drops: f.Decl.Link.Drops})
	}
	if err := r.share(opt); err != nil {
		return nil, &InputError{Err: err}
	}
	var err error
	if env.Profile, err = r.profile(opt.Profile); err != nil {
		return nil, &InputError{Err: err}
	}
	return r, nil
}

// profile returns a profile of so many steps, or nil for none.
func (r *runner) profile(steps int) (*profile.Profile, error) {
	if steps == 0 {
		return nil, nil
	}
	c := profile.Config{Steps: steps, Leader: -1, Dir: r.env.Run.Dir, Out: r.env.Out}
	for i, n := range r.nodes {
		c.Stages = append(c.Stages, n.name)
		if s, ok := n.Stage.(Stepper); ok {
			c.Leader = i
			c.Unit, c.WarmUp = s.Steps()
		}
	}
	if c.Leader < 0 {
		return nil, errors.New("profile: no stage of this flow trains or samples")
	}
	return profile.New(c), nil
}

func (r *runner) open(ctx context.Context) error {
	var meta Meta
	for _, n := range r.nodes {
		r.env.Progress.Work(display.Work{Name: "opening " + n.name})
		err := guard(func() (err error) {
			above := meta
			if meta, err = n.Open(ctx, r.env, above); err == nil {
				meta, err = n.announced(above, meta)
			}
			if err == nil {
				err = checkFrames(meta, hostmem.Left())
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("%s: %w", n.label, err)
		}
		r.opened++
		r.metas = append(r.metas, meta)
	}
	return nil
}

// framesAtOnce is how many copies of a frame a pass holds at least: a frame, what a
// stage makes of it, and x_lo or a Fourier transform.
const framesAtOnce = 3

// checkFrames returns an error if frames have cells that cannot be meant, or are too
// large for the memory that is left.
func checkFrames(m Meta, left int64) error {
	if m.Cells() == 0 { // each input file has a grid of its own
		return nil
	}
	if err := m.Check(); err != nil {
		return err
	}
	if need := framesAtOnce * 4 * float64(len(m.Channels)) * float64(m.Cells()); need > float64(left) {
		return &hostmem.Lack{What: fmt.Sprintf("%d frames at once, of %d fields on %s cells each,", framesAtOnce, len(m.Channels), m.Grid), Need: need, Left: left,
			Advice: "cut the frames into parts, or use a machine with more memory"}
	}
	return nil
}

// share decides which part of the work is this run's.
func (r *runner) share(opt Options) error {
	_, ok := r.nodes[0].Stage.(Picker)
	able := ok && r.hasKeeper()
	const needs = "that needs a source of seeds or files and a sink that keeps a result for each"
	switch {
	case able:
		r.env.Shard = opt.Shard
		if opt.Shard.N == 0 {
			r.env.Shard = opt.Task
		}
		r.env.Shard = r.env.Shard.Among(opt.Place.Rank, opt.Place.Size)
	case opt.Shard.N > 1:
		return fmt.Errorf("shard %s: this flow cannot be shared: %s", opt.Shard, needs)
	case !opt.Place.Alone():
		return fmt.Errorf("%d processes were started, but this flow neither trains nor can be shared: %s: start one process", opt.Place.Size, needs)
	}
	return nil
}

func (r *runner) hasKeeper() bool {
	return slices.ContainsFunc(r.nodes, func(n *node) bool { _, ok := n.Stage.(Keeper); return ok })
}

// close closes the stages in reverse order, frees the pool, and lets go of the run's folder.
func (r *runner) close() error {
	var errs []error
	for i := r.opened - 1; i >= 0; i-- {
		n := r.nodes[i]
		r.env.Progress.Part(display.Work{Name: "closing " + n.name})
		if err := guard(n.Close); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", n.label, err))
		}
	}
	if r.pool != nil {
		if used := r.pool.InUse(); used != 0 {
			errs = append(errs, fmt.Errorf("internal error: %d bytes of frames were not released", used))
		}
		errs = append(errs, r.pool.Close())
	}
	if r.env.Folder != nil {
		if err := r.env.Folder.Release(); r.env.failed == nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// prepare fills stores and fits fitters in the flow's order, so that each stage
// receives the output of the prepared stages above it.
func (r *runner) prepare(ctx context.Context) error {
	for i, n := range r.nodes {
		if f, ok := n.Stage.(Fitter); ok {
			if err := r.fit(ctx, i, f); err != nil {
				return err
			}
		}
		if s, ok := n.Stage.(Store); ok {
			if err := r.fill(ctx, i, s); err != nil {
				return err
			}
			r.source = i
		}
	}
	return nil
}

// fill runs the stages above a store into it, unless it has a copy. Ranks that share a
// folder make one copy.
func (r *runner) fill(ctx context.Context, i int, s Store) error {
	return r.inTurn(ctx, "fills "+r.nodes[i].name, func() error { return r.fillHere(ctx, i, s) })
}

func (r *runner) fillHere(ctx context.Context, i int, s Store) error {
	r.env.Progress.Work(display.Work{Name: "checking " + r.nodes[i].name})
	ready, err := s.Ready(ctx, r.key(i, nil))
	if err != nil {
		return &StageError{Stage: r.nodes[i].label, Err: err}
	}
	if ready {
		return nil
	}
	p, finish := newPass(ctx, r.env)
	r.env.finish = finish
	count := r.counter("filling "+r.nodes[i].name, r.frames())
	err = p.run(r.nodes[r.source:i], Once, func(e Element) error {
		r.env.Ranks.Doing(0, "fills "+r.nodes[i].name)
		count(e)
		if err := guard(func() error { return s.Write(p.ctx, e) }); err != nil {
			return &StageError{Stage: r.nodes[i].label, Origin: e.Origin(), Err: err}
		}
		return nil
	})
	if err != nil {
		s.Abort()
		return err
	}
	if err := s.Commit(ctx); err != nil {
		s.Abort()
		return &StageError{Stage: r.nodes[i].label, Err: err}
	}
	return nil
}

// fit shows a stage the frames that reach it or, for a stage below the trainer, the
// frames that reach the trainer. If there is a result under the same key, fit restores
// it instead. All ranks get rank 0's result.
func (r *runner) fit(ctx context.Context, i int, f Fitter) error {
	config := f.FitKey()
	if config == nil {
		return nil
	}
	key := r.key(i, config)
	restored := false
	data, err := r.shared(ctx, "fits "+r.nodes[i].name, func() ([]byte, error) {
		if data := r.readFit(r.fitPath(key), key); data != nil && f.Restore(data) == nil {
			restored = true
			return data, nil
		}
		return r.fitNow(ctx, i, f, key)
	})
	if err != nil || restored {
		return err
	}
	if err := f.Restore(data); err != nil {
		return &StageError{Stage: r.nodes[i].label, Err: err}
	}
	return nil
}

// fitNow makes the pass that a fitter needs, or this shard's part of it, and returns the
// result. It stores a result of all frames.
func (r *runner) fitNow(ctx context.Context, i int, f Fitter, key string) (data []byte, err error) {
	partial := false
	if p, ok := f.(PartFitter); ok && r.env.Shard.N > 1 && r.source == 0 {
		partial, err = r.fitParts(ctx, i, p, key)
	} else {
		err = r.fitPass(ctx, i, f, r.fitChain(i, f))
	}
	if err != nil {
		return nil, err
	}
	result, err := f.Fitted()
	if err == nil {
		data, err = encodeFit(result)
	}
	if err != nil {
		return nil, &StageError{Stage: r.nodes[i].label, Err: err}
	}
	if !partial {
		_ = writeFit(r.fitPath(key), key, data) // without it, the next run fits again
	}
	return data, nil
}

// fitChain returns the stages whose frames a fitter sees.
func (r *runner) fitChain(i int, f Fitter) []*node {
	until := i
	for j := r.source; j < i; j++ {
		if r.spec.Flow[j].Decl.Link.Adds&Steps != 0 {
			until = j
			break
		}
	}
	chain := r.nodes[r.source:until]
	if ff, ok := f.(FitFuser); ok && until == i {
		chain = chain[:len(chain)-ff.FuseFit(stagesOf(chain[1:]))]
	}
	return chain
}

// fitPass shows a fitter the frames of a chain.
func (r *runner) fitPass(ctx context.Context, i int, f Fitter, chain []*node) error {
	p, finish := newPass(ctx, r.env)
	r.env.finish = finish
	count := r.counter("fitting "+r.nodes[i].name, r.frames())
	return p.run(chain, Once, func(e Element) error {
		r.env.Ranks.Doing(0, "fits "+r.nodes[i].name)
		count(e)
		var enough bool
		err := guard(func() (err error) {
			enough, err = f.Fit(p.ctx, e)
			return err
		})
		if err != nil {
			return &StageError{Stage: r.nodes[i].label, Origin: e.Origin(), Err: err}
		}
		if enough {
			finish()
		}
		return nil
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

// fuse returns the stages from the source on, without the stages whose work a stage
// below them takes over.
func (r *runner) fuse() []*node {
	flow := slices.Clone(r.nodes[r.source:])
	for i := len(flow) - 1; i > 1; i-- {
		f, ok := flow[i].Stage.(Fuser)
		if !ok {
			continue
		}
		k := f.Fuse(stagesOf(flow[1:i]))
		for _, n := range flow[i-k : i] {
			n.fusedInto = flow[i]
		}
		flow = slices.Delete(flow, i-k, i)
		i -= k
	}
	return flow
}

func stagesOf(nodes []*node) []Stage {
	stages := make([]Stage, len(nodes))
	for i, n := range nodes {
		stages[i] = n.Stage
	}
	return stages
}

// key returns a hash of everything that the result of nodes[i] depends on: the configs
// above it, run.overfit, the input files, and config, a part of the stage's own config.
func (r *runner) key(i int, config any) string {
	type part struct {
		Name     string
		Config   any
		Revision int `json:",omitempty"`
	}
	all := struct {
		Format   int // raised when a stage's output changes with its config unchanged
		Overfit  bool
		Identity string
		Above    []part
		Config   any
	}{Format: 3, Overfit: r.spec.Run.Overfit, Config: config}
	if i > 0 {
		all.Identity = r.metas[i-1].Identity
	}
	for _, f := range r.spec.Flow[:i] {
		if !f.Decl.Store && f.Decl.Link.Adds&Steps == 0 { // a store does not change the frames
			all.Above = append(all.Above, part{f.Name, f.Config, f.Decl.Revision})
		}
	}
	data, err := json.Marshal(all)
	if err != nil {
		panic(err) // configs are plain structs
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:12])
}
