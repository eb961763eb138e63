package stages

import (
	"context"

	"fmsr/internal/frames"
	"fmsr/internal/rng"
	"fmsr/pipeline"
)

// replayed is how many frames a replay asks for at once.
const replayed = 16

// replay is the order in which kept frames are sent: the validation frames, then
// the training frames, shuffled as a function of the run's seed and the epoch;
// once, or epoch after epoch. A single pass ends with the test frames. splits are
// the frames'; send gets their indices, a few at a time.
func replay(ctx context.Context, pass pipeline.Pass, seed uint64, splits []frames.Split, send func(some []int) error) error {
	of := map[frames.Split][]int{}
	for i, s := range splits {
		of[s] = append(of[s], i)
	}
	inTurn := func(all []int) error {
		for len(all) > 0 {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			n := min(len(all), replayed)
			if err := send(all[:n]); err != nil {
				return err
			}
			all = all[n:]
		}
		return nil
	}
	if err := inTurn(of[frames.Val]); err != nil {
		return err
	}
	train := of[frames.Train]
	shuffled := make([]int, len(train))
	for epoch := uint64(0); len(train) > 0 && (epoch == 0 || pass == pipeline.Endless); epoch++ {
		for i, j := range rng.Permutation(rng.Stream(seed, rng.Order, epoch), len(train)) {
			shuffled[i] = train[j]
		}
		if err := inTurn(shuffled); err != nil {
			return err
		}
	}
	if pass == pipeline.Once {
		return inTurn(of[frames.Test])
	}
	return nil
}
