package stages

import (
	"maps"
	"slices"

	"fmsr/internal/frames"
	"fmsr/pipeline"
)

// seedFilter is the pipeline.Picker of a source: it leaves out seeds that nobody wants.
// Its zero value sends every seed.
type seedFilter struct{ want func(seed int) bool }

// Pick keeps the seeds for which want is true.
func (f *seedFilter) Pick(want func(seed int) bool) { f.want = want }

func (f *seedFilter) wants(seed int) bool { return f.want == nil || f.want(seed) }

// checkOverfit reports a key that chooses splits beside run.overfit, which would ignore
// it.
func checkOverfit(run *pipeline.Run, key string, set bool, report func(key, format string, args ...any)) {
	if set && run.Overfit {
		report(key, "is set, but run.overfit (true unless the spec says otherwise) trains and validates on the first seed alone: set run.overfit to false, or leave %s out", key)
	}
}

// checkSplit reports unknown names of splits, and seeds in two splits.
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
