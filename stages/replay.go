package stages

import (
	"context"

	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/parallel"
	"fmsr.example/fmsr/internal/rng"
	"fmsr.example/fmsr/pipeline"
)

// The most frames, and their bytes, that replay reads at once, in parallel.
const (
	replayed      = 16
	replayedBytes = 64 << 20
)

// stored are frames that replay reads.
type stored struct {
	splits []frames.Split                      // of each frame
	bytes  int64                               // of a frame
	sum    func(i int) uint32                  // checksum of frame i's x_hi
	read   func(i int) (*frames.Frames, error) // frame i, from any goroutine
}

// send reads some frames in parallel, and sends them in their order.
func (s stored) send(some []int, send func(pipeline.Element) error) error {
	read := make([]*frames.Frames, len(some))
	err := parallel.Each(len(some), func(i int) (err error) {
		read[i], err = s.read(some[i])
		return err
	})
	for _, f := range read {
		switch {
		case f == nil:
		case err != nil:
			f.Release()
		default:
			err = send(f)
		}
	}
	return err
}

// replay sends stored frames in their order: the validation frames, then the training
// frames, shuffled as a function of the run's seed and the epoch. A single pass has one
// epoch and ends with the test frames. An endless pass has epoch after epoch, skipping
// the first training frames, which a resumed run has already consumed, and those that
// other ranks train on.
func replay(ctx context.Context, pass pipeline.Pass, env *pipeline.Env, s stored, send func(pipeline.Element) error) error {
	of := map[frames.Split][]int{}
	for i, split := range s.splits {
		of[split] = append(of[split], i)
	}
	inTurn := func(all []int) error {
		for len(all) > 0 {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			n := min(len(all), replayed, max(1, int(replayedBytes/s.bytes)))
			if err := s.send(all[:n], send); err != nil {
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
	skip := 0
	if pass == pipeline.Endless {
		skip = env.Resume.Frames
	}
	for epoch := skip / max(1, len(train)); len(train) > 0 && (epoch == 0 || pass == pipeline.Endless); epoch++ {
		var order []int
		for i, j := range rng.Permutation(rng.Stream(env.Run.Seed, rng.Order, uint64(epoch)), len(train)) {
			if position := epoch*len(train) + i; position >= skip && (pass == pipeline.Once || env.Trains(position)) {
				order = append(order, train[j])
			}
		}
		if err := inTurn(order); err != nil {
			return err
		}
	}
	if pass == pipeline.Once {
		return inTurn(of[frames.Test])
	}
	return nil
}
