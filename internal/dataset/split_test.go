package dataset

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"fmsr.example/fmsr/internal/frames"
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

// TestInTime: which frames of a seed are for which split.
func TestInTime(t *testing.T) {
	shares := func(train, val, test float64, gap int) *InTime {
		return &InTime{Shares: [3]float64{train, val, test}, Gap: gap}
	}
	number := func(n int) (numbers []int) {
		for i := range n {
			numbers = append(numbers, 10+i)
		}
		return numbers
	}
	listed := &InTime{Frames: map[string][]int{"val": {15, 14}, "train": {10, 11}}}
	for _, c := range []struct {
		in      *InTime
		numbers []int
		want    string
	}{
		{shares(0.5, 0.25, 0.25, 0), number(8), "train [10 11 12 13], val [14 15], test [16 17]"},
		{shares(0.5, 0.25, 0.25, 2), number(12), "train [10 11 12 13], val [16 17], test [20 21]"},
		{shares(0.8, 0.1, 0.1, 1), number(12), "train [10 11 12 13 14 15 16 17], val [19], test [21]"},
		{shares(0.75, 0.25, 0, 5), number(9), "train [10 11 12], val [18]"},
		{shares(1, 0, 0, 5), number(3), "train [10 11 12]"},
		{shares(0.5, 0.5, 0, 1), []int{8, 2, 6, 4, 0}, "train [0 2], val [6 8]"}, // in the order of time
		{shares(0.9, 0.1, 0, 0), number(4), "the split val is empty: 0.1 of the 4 frames outside gaps: want a larger share"},
		{shares(0.5, 0.25, 0.25, 4), number(10), "10 frames are too few for 3 splits with gaps of 4 frames: want a split_time.gap of at most 3"},
		{shares(0.5, 0.25, 0.25, 0), number(2), "2 frames are too few for 3 splits: want shares for fewer splits, or more frames"},
		{shares(0.5, 0.5, 0, 0), []int{1, 3, 1}, "frame 1 is read twice: splits in time need every frame once"},
		{listed, number(6), "train [10 11], val [14 15]"},
		{listed, number(5), "frame 15 of the split val is not among the 5 frames that are read, 10 to 14"},
	} {
		if got := c.in.describe(c.numbers); got != c.want {
			t.Errorf("%+v of %v: %s, want %s", *c.in, c.numbers, got, c.want)
		}
	}
	if got := selected(Selection{InTime: listed, Splits: []string{"val"}}, []int{0, 1}); got != "0 val, 1 val" {
		t.Errorf("validation frames of both seeds: %s", got)
	}
	if got := selected(Selection{InTime: listed, Overfit: true}, []int{0, 1}); got != "0 val, 0 train" {
		t.Errorf("overfit: %s", got)
	}
}

// describe lists the frame numbers of each split, or is the error.
func (t *InTime) describe(numbers []int) string {
	var text []string
	for _, split := range t.Splits() {
		at, err := t.cut(numbers, split)
		if err != nil {
			return err.Error()
		}
		var of []int
		for _, i := range at {
			of = append(of, numbers[i])
		}
		text = append(text, fmt.Sprintf("%s %v", split, of))
	}
	return strings.Join(text, ", ")
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
