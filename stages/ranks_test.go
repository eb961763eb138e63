package stages

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/ranks"
	"fmsr.example/fmsr/pipeline"
)

// batchesOf returns the origins in a rank's first training batches, and in its validation
// batches, replayed from a cache.
func batchesOf(t *testing.T, env pipeline.Env, place *ranks.Group, size, count int) (train, val [][]frames.Origin) {
	t.Helper()
	env.Ranks = place
	ctx := context.Background()
	b := &batch{Batch: Batch{Size: size}}
	if _, err := b.Open(ctx, &env, pipeline.Meta{}); err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	c := cacheOf(t, &env, testKey)
	defer c.Close()
	err := c.Emit(ctx, pipeline.Endless, func(e pipeline.Element) error {
		defer e.Release()
		out, err := b.Process(ctx, e)
		for _, o := range out {
			f := o.(*frames.Frames)
			if f.Split() == frames.Train {
				train = append(train, slices.Clone(f.Origins))
			} else {
				val = append(val, slices.Clone(f.Origins))
			}
			f.Release()
		}
		if len(train) >= count {
			return errEnough
		}
		return err
	})
	if !errors.Is(err, errEnough) {
		t.Fatal(err)
	}
	return train[:count], val
}

// TestRanksShareBatches: the batches of all ranks, joined, are those of one process, over
// several epochs and after resuming in the middle of one.
func TestRanksShareBatches(t *testing.T) {
	const size, count = 4, 6
	for _, skip := range []int{0, 3 * size} {
		env := *testEnv(t)
		env.Resume.Frames = skip
		want, wantVal := batchesOf(t, env, nil, size, count)
		for _, n := range []int{2, 4} {
			got := make([][]frames.Origin, count)
			for rank := range n {
				own, val := batchesOf(t, env, &ranks.Group{Place: ranks.Place{Rank: rank, Size: n}}, size, count)
				if fmt.Sprint(val) != fmt.Sprint(wantVal) {
					t.Errorf("rank %d of %d: validation frames %v, want %v", rank, n, val, wantVal)
				}
				for k := range own {
					got[k] = append(got[k], own[k]...)
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%d ranks from frame %d: batches %v, want %v", n, skip, got, want)
			}
		}
	}
}

func TestRanksMustShareEqually(t *testing.T) {
	b := &batch{Batch: Batch{Size: 6}}
	env := &pipeline.Env{Ranks: &ranks.Group{Place: ranks.Place{Size: 4}}}
	if _, err := b.Open(context.Background(), env, pipeline.Meta{}); err == nil || !strings.Contains(err.Error(), "batch.size is 6, which 4 ranks cannot share equally: want a multiple of 4") {
		t.Error(err)
	}
}
