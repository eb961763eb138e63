package sinks

import (
	"context"
	"errors"
	"fmt"

	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/parallel"
	"fmsr.example/fmsr/internal/store/parts"
	"fmsr.example/fmsr/pipeline"
)

// keeper is the common part of sinks that keep a result for each seed. It skips
// finished seeds and gathers the frames of the others in groups. The run that finishes
// the last seed makes the summary.
//
//	frames            -- seed 0: 1 - 2 - 3 - 4 ------- seed 1: 1 - 2 --
//	                  [ begin   work      work  end   begin   work ... ]
//	DIR/              ------------------------- seed_0000 -------------
type keeper struct {
	kept

	group int // frames in a group
	held  []*frames.Frames
	index []int // which frame of each
	seed  pipeline.Seed
	count int // frames of seed so far; 0: no seed is begun

	ending parallel.Background // writes the files of the seed before
}

// heldBytes is how many bytes of frames end a group: large frames make smaller groups.
const heldBytes = 2 << 30

// seedWork is what a sink does with a seed.
type seedWork interface {
	begin(pipeline.Seed) error
	work() error // on the held frames
	end() error
}

// open checks that the frames will come seed by seed, and each seed once.
func (k *keeper) open(name string, env *pipeline.Env, in pipeline.Meta) error {
	if len(in.Seeds) == 0 || in.Files != nil {
		return errors.New("frames do not come simulation by simulation: put npy_load or arrow_load at the start, and no arrow_cache")
	}
	if in.Stats != nil && in.Stats.HasLog() {
		return fmt.Errorf("some frames' logarithms are normalized (normalize.log): put %s above normalize", name)
	}
	k.kept = kept{name: name, env: env, in: in}
	there := map[frames.Part]bool{}
	for _, s := range in.Seeds {
		if there[s.Part()] {
			return fmt.Errorf("seed %d would come twice", s.Seed)
		}
		there[s.Part()] = true
	}
	return nil
}

// resume is kept's, and notes what is finished.
func (k *keeper) resume(ctx context.Context, key string, about any, frame room, summary ...string) (map[frames.Part]bool, error) {
	finished, err := k.kept.resume(ctx, key, about, frame, summary...)
	if err == nil {
		k.noteFinished(finished)
	}
	return finished, err
}

// Replaces is false: results of another spec are refused.
func (k *keeper) Replaces() bool { return false }

// take holds frames, and works on the group when it is full or its seed ends.
func (k *keeper) take(f *frames.Frames, w seedWork) error {
	for n := range f.N() {
		if err := k.takeOne(f, n, w); err != nil {
			return err
		}
	}
	return nil
}

func (k *keeper) takeOne(f *frames.Frames, n int, w seedWork) error {
	origin := f.Origins[n]
	if k.count == 0 {
		k.seed = k.part(frames.PartOf(origin.Seed, origin.Split, k.cut()))
		if err := w.begin(k.seed); err != nil {
			return err
		}
	}
	if frames.PartOf(origin.Seed, origin.Split, k.seed.Cut) != k.seed.Part() {
		return frames.At(origin, fmt.Errorf("internal error: it comes before the end of %s", k.seed.Part()))
	}
	f.Retain()
	k.held, k.index = append(k.held, f), append(k.index, n)
	k.count++
	last := k.count == k.seed.Frames
	if last || len(k.held) == k.group || len(k.held)*4*f.FrameLen() >= heldBytes {
		err := w.work()
		k.drop()
		if err != nil {
			return err
		}
	}
	if !last {
		return nil
	}
	k.count = 0
	return w.end()
}

// origin returns the origin of the i-th held frame.
func (k *keeper) origin(i int) frames.Origin { return k.held[i].Origins[k.index[i]] }

// results waits for the last seed's files, and returns the records of the finished
// seeds, in the order of the seeds, and how many seeds are missing.
func (k *keeper) results(ctx context.Context) (records []parts.Record, missing int, err error) {
	if err := k.ending.Wait(); err != nil {
		return nil, 0, err
	}
	if k.count > 0 {
		return nil, 0, fmt.Errorf("seed %d ended after %d frames, want %d", k.seed.Seed, k.count, k.seed.Frames)
	}
	return k.kept.results(ctx)
}

// drop releases the held frames.
func (k *keeper) drop() {
	for _, f := range k.held {
		f.Release()
	}
	k.held, k.index = k.held[:0], k.index[:0]
}

// close releases the frames that an interrupted run still holds.
func (k *keeper) close() {
	k.drop()
	_ = k.ending.Wait() // the run has failed with its error already, or was stopped
}
