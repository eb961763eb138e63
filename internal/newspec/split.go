package newspec

import (
	"fmt"
	"strings"

	"fmsr.example/fmsr/internal/dataset"
	"fmsr.example/fmsr/internal/frames"
)

// Frames of a single run below which it is not cut in time, or only in two.
const (
	fewestInTime = 5
	fewestOfTest = 20
)

// split decides which frames are for training. Several runs are split by runs, since frames
// of one are alike; one run is split in time, with a gap.
func (s *Spec) split() error {
	if s.Seeds == nil { // an export says it itself
		s.train, s.val = s.Train, 1
		if s.train == 0 {
			return fmt.Errorf("%s: the set has no training frames", s.Dir)
		}
		return nil
	}
	if len(s.Seeds) > 1 {
		return s.bySeeds()
	}
	n := s.Seeds[0].Frames
	switch {
	case n < 2:
		return fmt.Errorf("%s: %w", s.Dir, ErrFew)
	case n < fewestInTime:
		s.Overfit, s.train, s.val = true, n, n
		s.SplitNote = fmt.Sprintf("%d frames are too few to hold some back: trains and validates on the same ones", n)
		return nil
	case n < fewestOfTest:
		s.inTime(dataset.InTime{Shares: [3]float64{0.8, 0.2, 0}, Gap: 1}, n)
	default:
		s.inTime(dataset.InTime{Shares: [3]float64{0.8, 0.1, 0.1}, Gap: n / 20}, n)
	}
	return nil
}

// inTime writes a split of n frames in time.
func (s *Spec) inTime(t dataset.InTime, n int) {
	pick := dataset.Selection{InTime: &t}
	count := func(split frames.Split) int {
		at, _ := pick.Cut(dataset.Assignment{Split: split, Cut: true}, dataset.Numbers(n))
		return len(at)
	}
	s.train, s.val = count(frames.Train), count(frames.Val)
	shares := fmt.Sprintf("train: %g, val: %g", t.Shares[0], t.Shares[1])
	if t.Shares[2] > 0 {
		shares += fmt.Sprintf(", test: %g", t.Shares[2])
	}
	s.Split = fmt.Sprintf("split_time: {%s, gap: %d}", shares, t.Gap)
	s.SplitNote = fmt.Sprintf("one run, cut in time, with a gap, since frames that follow each other are alike: %d frames for training", s.train)
}

// bySeeds writes a split by runs.
func (s *Spec) bySeeds() error {
	numbers := make([]int, len(s.Seeds))
	counts := map[int]int{}
	for i, seed := range s.Seeds {
		numbers[i], counts[seed.Seed] = seed.Seed, seed.Frames
	}
	assigned, err := dataset.Selection{}.Assign(numbers)
	if err != nil {
		return err
	}
	how := "by runs, in their order"
	if s.Splits != nil {
		how = "as the folders are named"
		for i, a := range assigned {
			assigned[i].Split = s.Splits[a.Seed]
		}
	}
	by := map[frames.Split][]int{}
	for _, a := range assigned {
		by[a.Split] = append(by[a.Split], a.Seed)
		switch a.Split {
		case frames.Train:
			s.train += counts[a.Seed]
		case frames.Val:
			s.val += counts[a.Seed]
		}
	}
	var parts []string
	for _, split := range []frames.Split{frames.Train, frames.Val, frames.Test} {
		if len(by[split]) > 0 {
			parts = append(parts, fmt.Sprintf("%s: %s", split, ranged(by[split])))
		}
	}
	s.Split = "split: {" + strings.Join(parts, ", ") + "}"
	s.SplitNote = fmt.Sprintf("%s: %d frames for training", how, s.train)
	return nil
}

// ranged writes ascending numbers, as 3-7 if none is missing between them.
func ranged(numbers []int) string {
	first, last := numbers[0], numbers[len(numbers)-1]
	if len(numbers) > 2 && last-first == len(numbers)-1 {
		return fmt.Sprintf("%d-%d", first, last)
	}
	return strings.ReplaceAll(fmt.Sprint(numbers), " ", ", ")
}
