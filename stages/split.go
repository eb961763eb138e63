package stages

import (
	"fmt"
	"maps"
	"slices"

	"fmsr/internal/frames"
)

// seedSplit is a seed and what its frames are for.
type seedSplit struct {
	seed  int
	split frames.Split
}

// checkSplit reports unknown names of splits, and seeds in two of them.
func checkSplit(split map[string][]int, report func(key, format string, args ...any)) {
	owner := map[int]string{}
	for _, name := range slices.Sorted(maps.Keys(split)) {
		if _, err := frames.ParseSplit(name); err != nil {
			report("split", "%v", err)
		}
		for _, seed := range split[name] {
			if other, ok := owner[seed]; ok && other != name {
				report("split", "puts seed %d into both %s and %s", seed, other, name)
			}
			owner[seed] = name
		}
	}
}

// chooseSeeds is the seeds to read of those found, in order: those wanted, or
// all. It errs on a seed that seeds or split names and that is not found in place.
func chooseSeeds(found, seeds []int, split map[string][]int, place string) ([]int, error) {
	named := slices.Clone(seeds)
	for _, name := range slices.Sorted(maps.Keys(split)) {
		named = append(named, split[name]...)
	}
	for _, s := range named {
		if !slices.Contains(found, s) {
			return nil, fmt.Errorf("seed %d is not in %s: it has %s", s, place, seedList(found))
		}
	}
	if len(seeds) == 0 {
		seeds = found
	}
	seeds = slices.Sorted(slices.Values(seeds))
	return slices.Compact(seeds), nil
}

// splitSeeds gives each seed its split and keeps those of the wanted splits. To
// overfit, the first seed is in both val and train.
func splitSeeds(seeds []int, splits []string, split map[string][]int, overfit bool) ([]seedSplit, error) {
	if overfit {
		return []seedSplit{{seeds[0], frames.Val}, {seeds[0], frames.Train}}, nil
	}
	var plan []seedSplit
	for i, s := range seeds {
		of, ok := splitOf(split, s, i, len(seeds))
		if ok && (len(splits) == 0 || slices.Contains(splits, of.String())) {
			plan = append(plan, seedSplit{s, of})
		}
	}
	if len(plan) == 0 {
		return nil, fmt.Errorf("no seed of %s is in the wanted splits", seedList(seeds))
	}
	return plan, nil
}

// splitOf is the split of the i-th of n seeds: as the spec says, or in order.
func splitOf(split map[string][]int, seed, i, n int) (frames.Split, bool) {
	for name, seeds := range split {
		if slices.Contains(seeds, seed) {
			of, err := frames.ParseSplit(name)
			return of, err == nil
		}
	}
	if len(split) > 0 {
		return 0, false
	}
	val, test := 0, 0
	if n >= 2 {
		val = max(1, n/10)
	}
	if n >= 3 {
		test = max(1, n/10)
	}
	switch {
	case i < n-val-test:
		return frames.Train, true
	case i < n-test:
		return frames.Val, true
	default:
		return frames.Test, true
	}
}

func seedList(seeds []int) string {
	if len(seeds) == 1 {
		return fmt.Sprintf("seed %d", seeds[0])
	}
	return fmt.Sprintf("%d seeds, %d to %d", len(seeds), seeds[0], seeds[len(seeds)-1])
}
