package stages

import (
	"context"
	"errors"

	"fmsr.example/fmsr/internal/ranks/dist"
	"fmsr.example/fmsr/model"
)

// join makes the trainer one of several ranks, if there are any: all get rank 0's state.
func (t *train) join(ctx context.Context) error {
	g := t.env.Ranks
	if g == nil {
		return nil
	}
	return g.Waiting(ctx, "connect the trainers", func() error {
		group, err := g.Collectives.(*dist.Collectives).On(ctx, t.config.Device)
		if err != nil {
			return err
		}
		return t.trainer.Join(ctx, group, t.Wire == "bf16")
	})
}

// compareRanks returns an error that names the rank whose weights, average or moments are
// not those of the others. The newest step has come back from the stages below.
func (t *train) compareRanks(ctx context.Context) error {
	g := t.env.Ranks
	if g == nil {
		return nil
	}
	var apart error
	err := g.Waiting(ctx, "compare the ranks", func() error {
		err := t.trainer.CheckRanks(ctx)
		if errors.Is(err, model.ErrApart) {
			apart, err = err, nil
		}
		return err
	})
	return errors.Join(err, apart)
}
