package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"fmsr.example/fmsr/internal/display"
)

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
