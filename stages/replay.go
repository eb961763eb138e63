package stages

import (
	"context"

	"fmsr/internal/frames"
	"fmsr/internal/rng"
	"fmsr/pipeline"
)

// replayed is the number of frames that replay sends at once.
const replayed = 16

// replay sends stored frames in their order: the validation frames, then the training
// frames, shuffled as a function of the run's seed and the epoch. A single pass has one
// epoch and ends with the test frames. An endless pass has epoch after epoch, skipping
// the first skip training frames, which a resumed run has already consumed. splits[i]
// is the split of frame i; send gets indices of frames, a few at a time.
func replay(ctx context.Context, pass pipeline.Pass, seed uint64, skip int, splits []frames.Split, send func(some []int) error) error {
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
	first := uint64(0)
	if pass == pipeline.Endless && len(train) > 0 {
		first, skip = uint64(skip/len(train)), skip%len(train)
	} else {
		skip = 0
	}
	for epoch := first; len(train) > 0 && (epoch == 0 || pass == pipeline.Endless); epoch++ {
		for i, j := range rng.Permutation(rng.Stream(seed, rng.Order, epoch), len(train)) {
			shuffled[i] = train[j]
		}
		if err := inTurn(shuffled[skip:]); err != nil {
			return err
		}
		skip = 0
	}
	if pass == pipeline.Once {
		return inTurn(of[frames.Test])
	}
	return nil
}
