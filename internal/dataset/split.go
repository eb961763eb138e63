package dataset

import (
	"fmt"
	"maps"
	"slices"

	"fmsr.example/fmsr/internal/frames"
)

// Selection is a user's choice among the seeds that were found.
type Selection struct {
	Seeds   []int            // seeds to read; empty: all
	Splits  []string         // splits to read: train, val, test; empty: all
	Split   map[string][]int // seeds of each split; empty: the first 80% train, then 10% val, 10% test
	InTime  *InTime          // cuts every seed instead; nil: a seed is of one split
	Overfit bool             // the first seed is both val and train, whatever the others say
}

// Assignment is a seed and the split that its frames are for.
type Assignment struct {
	Seed  int
	Split frames.Split
	Cut   bool // only some frames of the seed are for the split: see Selection.Cut
}

// Part returns the name of these frames.
func (a Assignment) Part() frames.Part { return frames.PartOf(a.Seed, a.Split, a.Cut) }

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

// Assign gives each of the chosen seeds its split, or each of its splits in time, and
// returns the seeds of the wanted splits.
func (s Selection) Assign(seeds []int) ([]Assignment, error) {
	if s.Overfit {
		return []Assignment{{Seed: seeds[0], Split: frames.Val}, {Seed: seeds[0], Split: frames.Train}}, nil
	}
	var assigned []Assignment
	add := func(a Assignment) {
		if len(s.Splits) == 0 || slices.Contains(s.Splits, a.Split.String()) {
			assigned = append(assigned, a)
		}
	}
	for i, seed := range seeds {
		if s.InTime != nil {
			for _, split := range s.InTime.Splits() {
				add(Assignment{Seed: seed, Split: split, Cut: true})
			}
		} else if split, ok := splitOf(s.Split, seed, i, len(seeds)); ok {
			add(Assignment{Seed: seed, Split: split})
		}
	}
	if len(assigned) == 0 {
		return nil, fmt.Errorf("no seed of %s is in the wanted splits", SeedList(seeds))
	}
	return assigned, nil
}

// Cut returns the positions in numbers, the frame numbers of an assignment's seed that
// are read, of the frames for its split.
func (s Selection) Cut(a Assignment, numbers []int) ([]int, error) {
	if a.Cut {
		return s.InTime.cut(numbers, a.Split)
	}
	all := make([]int, len(numbers))
	for i := range all {
		all[i] = i
	}
	return all, nil
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
