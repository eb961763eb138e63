package dataset

import (
	"fmt"
	"maps"
	"slices"

	"fmsr/internal/frames"
)

// Selection is a user's choice among the seeds that were found.
type Selection struct {
	Seeds   []int            // seeds to read; empty: all
	Splits  []string         // splits to read: train, val, test; empty: all
	Split   map[string][]int // seeds of each split; empty: the first 80% train, then 10% val, 10% test
	Overfit bool             // the first seed is both val and train, whatever Splits and Split say
}

// Assignment is a seed and the split that its frames are for.
type Assignment struct {
	Seed  int
	Split frames.Split
}

// Choose returns the wanted seeds in ascending order. It returns an error if Seeds or
// Split names a seed that is not among found, the seeds of that place.
func (s Selection) Choose(found []int, place string) ([]int, error) {
	named := slices.Clone(s.Seeds)
	for _, name := range slices.Sorted(maps.Keys(s.Split)) {
		named = append(named, s.Split[name]...)
	}
	for _, seed := range named {
		if !slices.Contains(found, seed) {
			return nil, fmt.Errorf("seed %d is not in %s: it has %s", seed, place, SeedList(found))
		}
	}
	wanted := s.Seeds
	if len(wanted) == 0 {
		wanted = found
	}
	return slices.Compact(slices.Sorted(slices.Values(wanted))), nil
}

// Assign gives each of the chosen seeds its split, and returns the seeds of the wanted
// splits.
func (s Selection) Assign(seeds []int) ([]Assignment, error) {
	if s.Overfit {
		return []Assignment{{seeds[0], frames.Val}, {seeds[0], frames.Train}}, nil
	}
	var assigned []Assignment
	for i, seed := range seeds {
		split, ok := splitOf(s.Split, seed, i, len(seeds))
		if ok && (len(s.Splits) == 0 || slices.Contains(s.Splits, split.String())) {
			assigned = append(assigned, Assignment{seed, split})
		}
	}
	if len(assigned) == 0 {
		return nil, fmt.Errorf("no seed of %s is in the wanted splits", SeedList(seeds))
	}
	return assigned, nil
}

// splitOf returns the split of a seed, the i-th of n: the split that lists it or, if
// split is empty, the split of its place in the order. ok is false if split leaves the
// seed out.
func splitOf(split map[string][]int, seed, i, n int) (of frames.Split, ok bool) {
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

// SeedList describes sorted seeds, for messages: "12 seeds, 0 to 11".
func SeedList(seeds []int) string {
	if len(seeds) == 1 {
		return fmt.Sprintf("seed %d", seeds[0])
	}
	return fmt.Sprintf("%d seeds, %d to %d", len(seeds), seeds[0], seeds[len(seeds)-1])
}
