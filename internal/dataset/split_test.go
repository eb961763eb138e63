package dataset

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"fmsr/internal/frames"
)

// TestSplits: 80/10/10 in order, in proportion with fewer seeds.
func TestSplits(t *testing.T) {
	for n, want := range map[int]string{1: "1/0/0", 2: "1/1/0", 3: "1/1/1", 4: "2/1/1", 10: "8/1/1", 25: "21/2/2", 100: "80/10/10"} {
		count := map[frames.Split]int{}
		last := frames.Train
		for i := range n {
			split, ok := splitOf(nil, i, i, n)
			if !ok || split < last {
				t.Errorf("%d seeds: seed %d is %v after %v", n, i, split, last)
			}
			last = split
			count[split]++
		}
		if got := fmt.Sprintf("%d/%d/%d", count[frames.Train], count[frames.Val], count[frames.Test]); got != want {
			t.Errorf("%d seeds split %s, want %s", n, got, want)
		}
	}
}

// TestSelection: which seeds are chosen, and what they are for.
func TestSelection(t *testing.T) {
	found := []int{0, 1, 2, 3, 7}
	for want, s := range map[string]Selection{
		"0 train, 1 train, 2 train, 3 val, 7 test": {},
		"0 train, 7 val": {Seeds: []int{7, 0, 7}, Split: map[string][]int{"train": {0}, "val": {7}}},
		"3 val":          {Splits: []string{"val"}},
		"1 val, 1 train": {Seeds: []int{2, 1}, Splits: []string{"test"}, Overfit: true},
		"seed 5 is not in here: it has 5 seeds, 0 to 7": {Seeds: []int{5}},
		"seed 4 is not in here: it has 5 seeds, 0 to 7": {Split: map[string][]int{"test": {4}}},
		"no seed of seed 1 is in the wanted splits":     {Seeds: []int{1}, Splits: []string{"test"}},
	} {
		if got := selected(s, found); got != want {
			t.Errorf("%+v: %s, want %s", s, got, want)
		}
	}
	if !slices.Equal(found, []int{0, 1, 2, 3, 7}) {
		t.Errorf("it has changed its argument: %v", found)
	}
}

func selected(s Selection, found []int) string {
	seeds, err := s.Choose(found, "here")
	if err != nil {
		return err.Error()
	}
	assigned, err := s.Assign(seeds)
	if err != nil {
		return err.Error()
	}
	var text []string
	for _, a := range assigned {
		text = append(text, fmt.Sprintf("%d %s", a.Seed, a.Split))
	}
	return strings.Join(text, ", ")
}
