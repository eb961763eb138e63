package picture

import "math"

// span is a range of positive numbers, empty if lo > hi.
type span struct{ lo, hi float64 }

var nothing = span{math.Inf(1), 0}

func (s span) with(x float64) span { return span{min(s.lo, x), max(s.hi, x)} }
func (s span) empty() bool         { return s.lo > s.hi }

// padded is wider by a share of its decades, and by at least a factor on either side.
func (s span) padded(share, least float64) span {
	f := max(math.Pow(s.hi/s.lo, share), least)
	return span{s.lo / f, s.hi * f}
}

const (
	roundOff   = 1e-12 // of the largest power: nothing below is looked at
	underTruth = 1e-2  // of the truth's least power: what others do below tells nothing
)

// drawable says whether a point has a place on logarithmic axes, well inside
// float64's range, so that padding cannot leave it.
func drawable(k, p float64) bool {
	return k > 1e-300 && k < 1e300 && p > 1e-300 && p < 1e300
}

// powers is the span of the power in the curves that keep chooses, at least floor.
func (s SpectraPlot) powers(floor float64, keep func(Curve) bool) span {
	all := nothing
	for _, c := range s.Curves {
		for i, p := range c.P {
			if keep(c) && drawable(c.K[i], p) && p >= floor {
				all = all.with(p)
			}
		}
	}
	return all
}

func anyCurve(Curve) bool   { return true }
func truthful(c Curve) bool { return c.Truth }

func (s SpectraPlot) empty() bool { return s.powers(0, anyCurve).empty() }

// extent is the axes' ranges.
func (s SpectraPlot) extent() (k, power span) {
	all := s.powers(0, anyCurve)
	if all.empty() {
		return span{1, 10}, span{0.1, 1}
	}
	floor := all.hi * roundOff
	power = s.powers(floor, anyCurve)
	if truth := s.powers(floor, truthful); !truth.empty() {
		power.lo = max(power.lo, truth.lo*underTruth)
	}
	return s.wavenumbers().padded(0.01, 1.06), power.padded(0.04, 2)
}

// wavenumbers is the span of k, points below the power axis included.
func (s SpectraPlot) wavenumbers() span {
	all := nothing
	for _, c := range s.Curves {
		for i, p := range c.P {
			if drawable(c.K[i], p) {
				all = all.with(c.K[i])
			}
		}
	}
	return all
}
