package stages

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"fmsr.example/fmsr/internal/dataset"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/pipeline"
)

// seedFilter is the pipeline.Picker of a source: it leaves out the parts that nobody
// wants. Its zero value sends everything.
type seedFilter struct{ want func(frames.Part) bool }

// Pick keeps the parts for which want is true.
func (f *seedFilter) Pick(want func(frames.Part) bool) { f.want = want }

func (f *seedFilter) wants(part frames.Part) bool { return f.want == nil || f.want(part) }

// Splitting is the keys of a source that split its frames: by seeds, or in time within
// every seed.
type Splitting struct {
	Splits      []string         `yaml:"splits" oneof:"train|val|test" doc:"splits to read; empty: all"`
	Split       map[string][]int `yaml:"split" doc:"simulations of each split, by their seeds; empty: the first 80% train, then 10% val, 10% test"`
	SplitTime   *SplitTime       `yaml:"split_time" doc:"instead of split: shares of every seed's frames, in the order of time, as {train: 0.8, val: 0.1, test: 0.1, gap: 10}"`
	SplitFrames map[string][]int `yaml:"split_frames" doc:"instead of split: frames of each split, in every seed, as {train: 0-149, val: 160-199}"`
}

// SplitTime cuts every seed into splits that follow each other in time.
type SplitTime struct {
	Train float64 `yaml:"train" min:"0" max:"1" doc:"instead of split: share of every seed's frames, the first ones"`
	Val   float64 `yaml:"val" min:"0" max:"1" doc:"share after train's and a gap"`
	Test  float64 `yaml:"test" min:"0" max:"1" doc:"share after val's and a gap; train, val and test add up to 1"`
	Gap   int     `yaml:"gap" min:"0" doc:"frames left out between two splits"`
}

func (c *SplitTime) shares() [3]float64 { return [3]float64{c.Train, c.Val, c.Test} }

// selection returns the choice among the seeds of a source.
func (c *Splitting) selection(seeds []int, overfit bool) dataset.Selection {
	s := dataset.Selection{Seeds: seeds, Splits: c.Splits, Split: c.Split, Overfit: overfit}
	switch {
	case c.SplitTime != nil:
		s.InTime = &dataset.InTime{Shares: c.SplitTime.shares(), Gap: c.SplitTime.Gap}
	case len(c.SplitFrames) > 0:
		s.InTime = &dataset.InTime{Frames: c.SplitFrames}
	}
	return s
}

// check reports splits that cannot be.
func (c *Splitting) check(run *pipeline.Run, report func(key, format string, args ...any)) {
	checkSplit("split", "seed", c.Split, report)
	checkSplit("split_frames", "frame", c.SplitFrames, report)
	var set []string
	for _, k := range []struct {
		key string
		set bool
	}{{"split", len(c.Split) > 0}, {"split_time", c.SplitTime != nil}, {"split_frames", len(c.SplitFrames) > 0}} {
		if k.set {
			set = append(set, k.key)
		}
	}
	if len(set) > 1 {
		report(set[1], "is set as well as %s: want one of them", set[0])
	}
	if len(c.Splits) > 0 {
		set = append(set, "splits")
	}
	for _, key := range set {
		if run.Overfit {
			report(key, "is set, but run.overfit (true unless the spec says otherwise) trains and validates on the first simulation alone: set run.overfit to false, or leave %s out", key)
		}
	}
	if c.SplitTime == nil {
		return
	}
	sum := c.SplitTime.Train + c.SplitTime.Val + c.SplitTime.Test
	if math.Abs(sum-1) > 1e-6 {
		report("split_time", "has shares that add up to %g: want 1", sum)
	}
}

// checkSplit reports unknown names of splits, empty splits, and seeds or frames in two
// splits.
func checkSplit(key, what string, split map[string][]int, report func(key, format string, args ...any)) {
	owner := map[int]string{}
	for _, name := range slices.Sorted(maps.Keys(split)) {
		if _, err := frames.ParseSplit(name); err != nil {
			report(key, "%v", err)
		}
		if len(split[name]) == 0 && what == "frame" {
			report(key, "has no frame for %s: name some, or leave %s out", name, name)
		}
		for _, n := range split[name] {
			if other, ok := owner[n]; ok && other != name {
				report(key, "puts %s %d into both %s and %s", what, n, other, name)
			}
			owner[n] = name
		}
	}
}

// tooNear is why neighbouring frames should not be in two splits.
const tooNear = "frames that follow each other are nearly alike, so that validation looks better than it is: leave out as many as the flow needs to change"

// Advise warns of splits in time without a gap.
func (c *Splitting) Advise(_ *pipeline.Run, warn func(key, summary, detail string)) {
	if t := c.SplitTime; t != nil && t.Gap == 0 && max(t.Train, t.Val, t.Test) < 1 {
		warn("split_time.gap", "is 0: no frame is left out between two splits", tooNear)
	}
	owner := map[int]string{}
	for name, numbers := range c.SplitFrames {
		for _, n := range numbers {
			owner[n] = name
		}
	}
	for _, n := range slices.Sorted(maps.Keys(owner)) {
		if next, ok := owner[n+1]; ok && next != owner[n] {
			warn("split_frames", fmt.Sprintf("has frame %d in %s and frame %d in %s", n, owner[n], n+1, next), tooNear)
		}
	}
}
