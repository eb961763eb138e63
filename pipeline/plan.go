package pipeline

import (
	"context"
	"errors"
	"fmt"

	"fmsr.example/fmsr/internal/words"
)

// Ask is a question about a run that does not start: what would one of so many ranks do?
type Ask struct {
	Ranks       int
	StepSeconds float64 // of a training step of one rank's samples, without communication; 0: not known
	LinkGbit    float64 // Gbit/s that a rank can send, and receive at the same time
}

// Fact is a part of the answer.
type Fact struct{ Name, Text string }

// Planner is a stage whose work the ranks divide.
type Planner interface {
	Stage
	// Plan is called instead of the run, once every stage has been opened. Its error means
	// that the ranks cannot divide the work.
	Plan(Ask) ([]Fact, error)
}

// Plan opens a spec's stages, which reads the headers of the input files, and returns what
// each of the ranks would do. It opens no GPU and asks for no memory: the ranks may run on
// other machines. Its errors are InputErrors.
func Plan(ctx context.Context, spec *Spec, opt Options, ask Ask) (facts []Fact, err error) {
	r, err := newRunner(spec, opt)
	if err != nil {
		return nil, err
	}
	r.env.ctx, r.env.Asked = ctx, &ask
	defer func() {
		r.env.failed = err
		if err = errors.Join(err, r.close()); err != nil {
			err = &InputError{Err: err}
		}
	}()
	if err := r.open(ctx); err != nil {
		return nil, err
	}
	for _, n := range r.nodes {
		p, ok := n.Stage.(Planner)
		if !ok {
			continue
		}
		more, err := p.Plan(ask)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", n.label, err)
		}
		facts = append(facts, more...)
	}
	if len(facts) > 0 {
		return facts, nil
	}
	if _, ok := r.nodes[0].Stage.(Picker); !ok || !r.hasKeeper() {
		return nil, fmt.Errorf("%s: %d ranks cannot divide this flow: it neither trains nor has a source of simulations and a sink that keeps a result for each", spec.File, ask.Ranks)
	}
	return r.planShards(ask.Ranks), nil
}

// planShards returns how many seeds each rank works on.
func (r *runner) planShards(ranks int) []Fact {
	parts, frames := 0, 0
	for i, s := range r.metas[0].Seeds {
		parts++
		if (Shard{I: 1, N: ranks}).Has(i) { // the first has the most
			frames += s.Frames
		}
	}
	text := fmt.Sprintf("%d of %d, %s, for the rank that has the most", (parts+ranks-1)/ranks, parts, words.Count(frames, "frame"))
	if idle := ranks - parts; idle > 0 {
		text += fmt.Sprintf("; idle ranks: %d", idle)
	}
	return []Fact{{"simulations", text}}
}
