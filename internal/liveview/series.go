package liveview

import "math"

// most is how many points a series keeps.
const most = 512

// series is a curve. When it has too many points, it joins neighbours.
type series struct {
	all    []float64
	stride int // values that a point is the mean of
	sum    float64
	n      int // values in sum
	newest float64

	from, to int // the first step and the last; zeros: not known
}

// add adds a value. It skips one that is not finite.
func (s *series) add(v float64) {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return
	}
	s.stride = max(1, s.stride)
	s.newest = v
	s.sum += v
	if s.n++; s.n < s.stride {
		return
	}
	s.all = append(s.all, s.sum/float64(s.n))
	s.sum, s.n = 0, 0
	if len(s.all) == most {
		for i := range most / 2 {
			s.all[i] = (s.all[2*i] + s.all[2*i+1]) / 2
		}
		s.all, s.stride = s.all[:most/2], 2*s.stride
	}
}

func (s *series) last() float64 { return s.newest }

// values returns at most n means of neighbouring points, in order.
func (s *series) values(n int) []float64 {
	if len(s.all) <= n {
		return s.all
	}
	out := make([]float64, n)
	for i := range out {
		from, to := i*len(s.all)/n, (i+1)*len(s.all)/n
		for _, v := range s.all[from:to] {
			out[i] += v / float64(to-from)
		}
	}
	return out
}

// blocks are the heights of a sparkline.
var blocks = []rune("▁▂▃▄▅▆▇█")

// sparkline returns a character for each value, as high as heights says.
func sparkline(values []float64) string {
	at, _, _ := heights(values)
	text := make([]rune, len(values))
	for i, h := range at {
		text[i] = blocks[int(math.Round(h*float64(len(blocks)-1)))]
	}
	return string(text)
}

// heights returns where each value is between the least and the greatest of them, from 0 to 1,
// on a log scale where all are positive.
func heights(values []float64) (at []float64, least, greatest float64) {
	least, greatest = math.Inf(1), math.Inf(-1)
	for _, v := range values {
		least, greatest = min(least, v), max(greatest, v)
	}
	scale := func(v float64) float64 { return v }
	if least > 0 {
		scale = math.Log
	}
	at = make([]float64, len(values))
	for i, v := range values {
		if greatest > least {
			at[i] = (scale(v) - scale(least)) / (scale(greatest) - scale(least))
		}
	}
	return at, least, greatest
}
