package sinks

import (
	"errors"
	"fmt"

	"fmsr/pipeline"
)

// seedsOf are the seeds that will come, by number, for a sink that keeps a result
// of each: they must come one after the other, and once.
func seedsOf(in pipeline.Meta) (map[int]pipeline.Seed, error) {
	if len(in.Seeds) == 0 {
		return nil, errors.New("frames do not come seed by seed: it wants npy_load or arrow_load at the start, and no arrow_cache")
	}
	seeds := map[int]pipeline.Seed{}
	for _, s := range in.Seeds {
		if _, ok := seeds[s.Seed]; ok {
			return nil, fmt.Errorf("seed %d would come twice: set run.overfit to false", s.Seed)
		}
		seeds[s.Seed] = s
	}
	return seeds, nil
}
