package dataset

import (
	"fmt"
	"math"
	"slices"

	"fmsr.example/fmsr/internal/frames"
)

// InTime cuts the frames of every seed into splits that follow each other in time. It
// says which frames by Shares and Gap, or by Frames.
//
//	frames of a seed   0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15
//	Shares, Gap 2      ------train------- .  . -val-  .  . test
type InTime struct {
	Shares [3]float64       // of train, val and test, in this order; their sum is 1
	Gap    int              // frames left out between two splits
	Frames map[string][]int // numbers of the frames of each split; nil: Shares decide
}

// Splits returns the splits that have frames, in the order of frames.Train, Val and
// Test.
func (t *InTime) Splits() []frames.Split {
	var splits []frames.Split
	for s, share := range t.Shares {
		split := frames.Split(s)
		if share > 0 && t.Frames == nil || len(t.Frames[split.String()]) > 0 {
			splits = append(splits, split)
		}
	}
	return splits
}

// cut returns the positions in numbers, a seed's frame numbers, of a split's frames, in
// the order of time.
func (t *InTime) cut(numbers []int, split frames.Split) ([]int, error) {
	order := make([]int, len(numbers)) // of time
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return numbers[a] - numbers[b] })
	for i := range order[1:] {
		if n := numbers[order[i]]; n == numbers[order[i+1]] {
			return nil, fmt.Errorf("frame %d is read twice: splits in time need every frame once", n)
		}
	}
	if t.Frames != nil {
		return t.listed(numbers, order, split)
	}
	from, to, err := t.bounds(len(order), split)
	if err != nil {
		return nil, err
	}
	return order[from:to], nil
}

// listed returns the positions of the frames that Frames lists. order has the positions
// of all numbers in the order of time.
func (t *InTime) listed(numbers, order []int, split frames.Split) ([]int, error) {
	wanted := slices.Sorted(slices.Values(t.Frames[split.String()]))
	var at []int
	for _, n := range slices.Compact(wanted) {
		i, ok := slices.BinarySearchFunc(order, n, func(at, n int) int { return numbers[at] - n })
		if !ok {
			return nil, fmt.Errorf("frame %d of the split %s is not among the %d frames that are read, %d to %d",
				n, split, len(order), numbers[order[0]], numbers[order[len(order)-1]])
		}
		at = append(at, order[i])
	}
	return at, nil
}

// bounds returns the range of a split among n frames in the order of time.
func (t *InTime) bounds(n int, split frames.Split) (from, to int, err error) {
	splits := t.Splits()
	room := n - t.Gap*(len(splits)-1) // frames that are not in a gap
	switch {
	case n < len(splits):
		return 0, 0, fmt.Errorf("%d frames are too few for %d splits: want shares for fewer splits, or more frames", n, len(splits))
	case room < len(splits):
		return 0, 0, fmt.Errorf("%d frames are too few for %d splits with gaps of %d frames: want a split_time.gap of at most %d", n, len(splits), t.Gap, (n-len(splits))/(len(splits)-1))
	}
	sum := 0.0
	for i, s := range splits {
		from = int(math.Round(sum * float64(room)))
		sum += t.Shares[s]
		to = int(math.Round(sum * float64(room)))
		if s == split {
			from, to = from+i*t.Gap, to+i*t.Gap
			break
		}
	}
	if from == to {
		return 0, 0, fmt.Errorf("the split %s is empty: %g of the %d frames outside gaps: want a larger share", split, t.Shares[split], room)
	}
	return from, to, nil
}
