package field

import (
	"math"
	"slices"
)

// Stats are the mean and the population standard deviation of each channel, in
// physical units. A positive field may be normalized by its logarithm: then they are the
// natural logarithm's, and whatever a model makes of the field is positive.
type Stats struct {
	Mean []float64 `json:"mean"`
	Std  []float64 `json:"std"`
	Log  []bool    `json:"log,omitempty"` // channels that are normalized by their logarithm; nil: none
}

// IsLog reports whether a channel is normalized by its logarithm.
func (s *Stats) IsLog(channel int) bool { return s.Log != nil && s.Log[channel] }

// HasLog reports whether any channel is.
func (s *Stats) HasLog() bool { return slices.Contains(s.Log, true) }

// Normalize fills dst with (src - mean) / std of that channel. dst may be src.
// Arithmetic is float32, and 1 / std is rounded to it first, as the kernels do. The
// logarithm's is float64. That of a value that is not positive is not finite.
func (s *Stats) Normalize(dst, src []float32, channel int) {
	if s.IsLog(channel) {
		for i, v := range src {
			dst[i] = float32((math.Log(float64(v)) - s.Mean[channel]) / s.Std[channel])
		}
		return
	}
	mean, scale := s.Factors(channel)
	for i, v := range src {
		dst[i] = (v - mean) * scale
	}
}

// Factors returns the mean and 1 / std of a channel, as Normalize uses them. It is not for
// logarithms.
func (s *Stats) Factors(channel int) (mean, scale float32) {
	return float32(s.Mean[channel]), float32(1 / s.Std[channel])
}

// Physical undoes Normalize: it fills dst with src * std + mean of that channel, or the
// exponential of it, in float64. dst may be src.
func (s *Stats) Physical(dst, src []float32, channel int) {
	mean, std := s.Mean[channel], s.Std[channel]
	if s.IsLog(channel) {
		for i, v := range src {
			dst[i] = float32(math.Exp(float64(v)*std + mean))
		}
		return
	}
	for i, v := range src {
		dst[i] = float32(float64(v)*std + mean)
	}
}

// PhysicalPlanes is Physical for planes (N,C,H,W) of H W = cells values each.
func (s *Stats) PhysicalPlanes(dst, src []float32, cells int) {
	for i := range len(src) / cells {
		s.Physical(dst[i*cells:][:cells], src[i*cells:][:cells], i%len(s.Mean))
	}
}

// Coarse is the function Coarse for a normalized plane lo (H,W) of a channel. It returns the
// normalized plane that lo was interpolated from, in physical units.
func (s *Stats) Coarse(dst, lo []float32, channel int, grid Grid, factor int, periodic bool) {
	if !s.IsLog(channel) { // interpolation commutes with what is linear
		Coarse(dst, lo, grid, factor, periodic)
		return
	}
	physical := make([]float32, len(lo))
	s.Physical(physical, lo, channel)
	Coarse(dst, physical, grid, factor, periodic)
	s.Normalize(dst, dst, channel)
}

// smallestStd keeps a constant channel from being divided by zero, or by the
// round-off of its mean. It is in units of the mean, whatever the field's unit is.
const smallestStd = 1e-8

// StatsOf returns the statistics that channels are normalized by. A channel that
// is constant gets a small deviation in place of zero.
func StatsOf(channels []Welford) Stats {
	var s Stats
	for _, w := range channels {
		std := max(w.Std(), smallestStd*math.Abs(w.Mean))
		if std == 0 {
			std = smallestStd
		}
		s.Mean, s.Std = append(s.Mean, w.Mean), append(s.Std, std)
	}
	return s
}

// Constant reports whether the values do not differ, but for round-off.
func (w Welford) Constant() bool { return w.Std() <= smallestStd*math.Abs(w.Mean) }

// EnoughDigits of a field's variation must be left in float32: round-off is then a
// thousandth of it.
const EnoughDigits = 3

// Digits returns how many decimal digits of the values' variation float32 has, and the
// distance of float32 numbers as large as their mean.
func (w Welford) Digits() (digits, apart float64) {
	mean := float32(math.Abs(w.Mean))
	apart = float64(math.Nextafter32(mean, math.MaxFloat32)) - float64(mean)
	return max(0, math.Log10(w.Std()/apart*math.Sqrt(12))), apart
}

// Welford is the mean and variance of the values seen so far. Two of them merge into
// the mean and variance of all their values (Chan, Golub & LeVeque 1979). The zero
// value has seen none. Moments in package plan returns the Welford of a plane.
type Welford struct {
	Count float64 `json:"count"`
	Mean  float64 `json:"mean"`
	M2    float64 `json:"m2"` // sum of squared distances from the mean
}

// Merge adds the values that o has seen.
func (w *Welford) Merge(o Welford) {
	total := w.Count + o.Count
	if total == 0 {
		return
	}
	d := o.Mean - w.Mean
	w.Mean += d * o.Count / total
	w.M2 += o.M2 + d*d*w.Count*o.Count/total
	w.Count = total
}

// Std returns the population standard deviation.
func (w Welford) Std() float64 {
	if w.Count == 0 {
		return 0
	}
	return math.Sqrt(w.M2 / w.Count)
}
