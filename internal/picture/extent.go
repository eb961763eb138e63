package picture

import "math"

// span is a range of numbers, empty if lo > hi.
type span struct{ lo, hi float64 }

var nothing = span{math.Inf(1), math.Inf(-1)}

func (s span) with(x float64) span { return span{min(s.lo, x), max(s.hi, x)} }
func (s span) empty() bool         { return s.lo > s.hi }

// widened returns the span widened on both sides by a share of its length, for a linear
// axis.
func (s span) widened(share float64) span {
	by := share * (s.hi - s.lo)
	if by == 0 {
		by = max(1, math.Abs(s.lo)) * share
	}
	return span{s.lo - by, s.hi + by}
}

// padded returns the span widened on both sides by a share of its decades, and by at
// least that factor, for a logarithmic axis.
func (s span) padded(share, least float64) span {
	f := max(math.Pow(s.hi/s.lo, share), least)
	return span{s.lo / f, s.hi * f}
}

const (
	roundOff   = 1e-12 // of the largest power: lower powers are round-off
	underTruth = 1e-2  // of the truth's least power: lower powers of other curves say nothing
)

// drawable reports whether the curve's i-th point can be drawn. On logarithmic axes its
// limits are well inside float64's range, so that padding stays inside too.
func (c Curve) drawable(i int) bool {
	return fits(c.K[i], c.linearX) && fits(c.P[i], c.linearY)
}

func fits(v float64, linear bool) bool { return v < 1e300 && (v > 1e-300 || linear && v > -1e300) }

// powers returns the span of the powers of at least floor in the curves that keep
// chooses.
func (s SpectraPlot) powers(floor float64, keep func(Curve) bool) span {
	all := nothing
	for _, c := range s.Curves {
		for i, p := range c.P {
			if keep(c) && c.drawable(i) && p >= floor {
				all = all.with(p)
			}
		}
	}
	return all
}

func anyCurve(Curve) bool   { return true }
func truthful(c Curve) bool { return c.Truth }

func (s SpectraPlot) empty() bool { return s.powers(math.Inf(-1), anyCurve).empty() }

// extent returns the ranges of the axes.
func (s SpectraPlot) extent() (k, power span) {
	all := s.powers(math.Inf(-1), anyCurve)
	if all.empty() {
		return span{1, 10}, span{0.1, 1}
	}
	k = s.wavenumbers().padded(0.01, 1.06)
	if s.LinearX {
		k = s.wavenumbers().widened(0.02)
	}
	if s.LinearY {
		return k, all.widened(0.05)
	}
	floor := all.hi * roundOff
	power = s.powers(floor, anyCurve)
	if truth := s.powers(floor, truthful); !truth.empty() {
		power.lo = max(power.lo, truth.lo*underTruth)
	}
	return k, power.padded(0.04, 2)
}

// wavenumbers returns the span of k, including points below the power axis.
func (s SpectraPlot) wavenumbers() span {
	all := nothing
	for _, c := range s.Curves {
		for i := range c.P {
			if c.drawable(i) {
				all = all.with(c.K[i])
			}
		}
	}
	return all
}
