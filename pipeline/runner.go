package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"fmsr.example/fmsr/internal/display"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/hostmem"
	"fmsr.example/fmsr/internal/profile"
)

// runner is one run of a spec.
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
	const needs = "that needs a source of simulations or files and a sink that keeps a result for each"
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
