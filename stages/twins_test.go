package stages

import (
	"fmt"
	"testing"

	"fmsr.example/fmsr/internal/frames"
)

// TestTwins: a held-out frame with the values of a training frame is named, and one that
// has only its checksum is not.
func TestTwins(t *testing.T) {
	env := testEnv(t)
	type frame struct {
		split frames.Split
		value float32
		sum   uint32
	}
	for name, c := range map[string]struct {
		list []frame
		want string
	}{
		"none":     {[]frame{{frames.Val, 1, 1}, {frames.Train, 2, 2}, {frames.Train, 2, 2}}, ""},
		"held out": {[]frame{{frames.Val, 1, 1}, {frames.Test, 1, 1}, {frames.Train, 2, 2}}, ""},
		"collide":  {[]frame{{frames.Val, 1, 1}, {frames.Train, 2, 1}}, ""},
		"one":      {[]frame{{frames.Val, 1, 1}, {frames.Train, 2, 1}, {frames.Train, 1, 1}}, "1: seed 0, frame 0 (val), seed 2, frame 0 (train)"},
		"several":  {[]frame{{frames.Train, 1, 1}, {frames.Train, 1, 1}, {frames.Val, 3, 3}, {frames.Test, 1, 1}, {frames.Test, 1, 1}}, "2: seed 3, frame 0 (test), seed 0, frame 0 (train)"},
	} {
		s := stored{
			sum: func(i int) uint32 { return c.list[i].sum },
			read: func(i int) (*frames.Frames, error) {
				b := frames.NewBuffer(env.Mem, 1)
				frames.Floats(b)[0] = c.list[i].value
				return frames.New([]string{"a"}, env.Run.Domain(1, 1), []frames.Origin{{Seed: i, Split: c.list[i].split}}, b, nil), nil
			},
		}
		for _, f := range c.list {
			s.splits = append(s.splits, f.split)
		}
		n, held, train, err := s.twins()
		got := ""
		if n > 0 {
			got = fmt.Sprintf("%d: %v (%v), %v (%v)", n, held, held.Split, train, train.Split)
		}
		if err != nil || got != c.want {
			t.Errorf("%s: %q, %v: want %q", name, got, err, c.want)
		}
	}
}
