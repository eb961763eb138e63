package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/ranks"
	"fmsr.example/fmsr/pipeline/spec"
)

// Leads reports whether this process writes the run's files and shows its progress: it
// is alone, or rank 0 of several.
func (e *Env) Leads() bool { return e.Ranks == nil || e.Ranks.Rank == 0 }

// SetBatch sets the number of frames of a training batch, and returns how many of them
// this rank has.
func (e *Env) SetBatch(size int) (own int, err error) {
	e.Batch = size
	if e.Ranks == nil {
		return size, nil
	}
	return OfBatch(size, e.Ranks.Size)
}

// OfBatch returns how many frames of a batch each of so many ranks has. All have equally
// many.
func OfBatch(size, ranks int) (own int, err error) {
	if size%ranks != 0 {
		return 0, fmt.Errorf("batch.size is %d, which %d ranks cannot share equally: want a multiple of %d", size, ranks, ranks)
	}
	return size / ranks, nil
}

// Trains reports whether this rank trains on the frame at a position in the order of the
// training frames. Rank r of N has the r-th N-th part of each batch.
func (e *Env) Trains(position int) bool {
	return e.Ranks == nil || position%e.Batch*e.Ranks.Size/e.Batch == e.Ranks.Rank
}

// Trains reports whether the flow takes training steps.
func (s *Spec) Trains() bool { return s.Flow[len(s.Flow)-1].Traits&Steps != 0 }

// compareSpecs returns an error unless all ranks run the same version of fmsr and the same
// spec. Each machine may have paths, devices and numbers of cores of its own.
func (r *runner) compareSpecs(ctx context.Context, opt Options) error {
	if r.env.Ranks == nil {
		return nil
	}
	facts := []ranks.Fact{{Name: "version of fmsr", Value: opt.Version}}
	list := func(owner string, config any) {
		spec.EachKey(config, func(key string, f spec.Field, x reflect.Value) {
			if !f.IsPath() && f.Resume != "bits" {
				facts = append(facts, ranks.Fact{Name: owner + "." + key, Value: fmt.Sprint(x.Interface())})
			}
		})
	}
	list("run", &r.spec.Run)
	for _, n := range r.spec.Flow {
		if !n.Decl.Link.Bystander {
			list(n.Name, n.Config)
		}
	}
	return r.env.Ranks.Compare(ctx, facts)
}

// withoutBystanders returns the spec without the stages that change nothing that others
// see: where rank 0 writes, the other ranks need none of them.
func (s *Spec) withoutBystanders() *Spec {
	short := *s
	short.Flow = slices.DeleteFunc(slices.Clone(s.Flow), func(n Node) bool { return n.Decl.Link.Bystander })
	return &short
}

// shareResume tells all ranks what rank 0 has decided about resuming.
func (r *runner) shareResume(ctx context.Context) error {
	if r.env.Ranks == nil {
		return nil
	}
	data, err := r.env.Ranks.Share(ctx, "which looks for a checkpoint", func() ([]byte, error) { return json.Marshal(r.env.Resume) })
	if err == nil {
		err = json.Unmarshal(data, &r.env.Resume)
	}
	return err
}

// compareFrames returns an error unless all ranks have found the same frames. A rank that
// lacks a file would train on others.
func (r *runner) compareFrames(ctx context.Context) error {
	if r.env.Ranks == nil {
		return nil
	}
	m := r.metas[len(r.metas)-1]
	return r.env.Ranks.Compare(ctx, []ranks.Fact{
		{Name: "list of fields", Value: strings.Join(m.Channels, " ")},
		{Name: "grid", Value: m.Grid.String()},
		{Name: "pooling factor", Value: fmt.Sprint(m.Factor)},
		{Name: "number of frames", Value: counts(m.Frames)},
	})
}

// counts lists how many frames each split has.
func counts(of map[frames.Split]int) string {
	var text []string
	for _, split := range []frames.Split{frames.Train, frames.Val, frames.Test} {
		text = append(text, fmt.Sprintf("%d %v", of[split], split))
	}
	return strings.Join(text, ", ")
}

// compareValues returns an error unless the frames of all ranks have the same values.
func (r *runner) compareValues(ctx context.Context) error {
	if r.env.Ranks == nil {
		return nil
	}
	m := r.metas[len(r.metas)-1]
	stats, err := json.Marshal(m.Stats)
	if err != nil {
		return err
	}
	facts := []ranks.Fact{{Name: "digest of mean and deviation", Value: digest(stats)}}
	for _, split := range []frames.Split{frames.Train, frames.Val} {
		facts = append(facts, ranks.Fact{Name: fmt.Sprintf("digest of the %v frames' values", split), Value: fmt.Sprintf("%.16s", m.Digests[split])})
	}
	return r.env.Ranks.Compare(ctx, facts)
}

// digest returns a short hash.
func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}

// inTurn runs f at once or, with several ranks, on rank 0 first and on one rank of a machine
// at a time.
func (r *runner) inTurn(ctx context.Context, doing string, f func() error) error {
	if r.env.Ranks == nil {
		return f()
	}
	return r.env.Ranks.InTurn(ctx, "which "+doing, func() error {
		r.env.Ranks.Doing(0, doing)
		return f()
	})
}

// shared returns what make returns on rank 0.
func (r *runner) shared(ctx context.Context, doing string, make func() ([]byte, error)) ([]byte, error) {
	if r.env.Ranks == nil {
		return make()
	}
	return r.env.Ranks.Share(ctx, "which "+doing, func() ([]byte, error) {
		r.env.Ranks.Doing(0, doing)
		return make()
	})
}
