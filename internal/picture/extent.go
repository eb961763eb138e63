package picture

import (
	"math"

	"gonum.org/v1/plot"
)

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
	roundOff   = 1e-12 // of the largest value: lower ones are round-off
	underTruth = 0.1   // of the truth's least value: lower values of other curves say nothing more
	overTruth  = 100   // of the truth's largest value: nor do higher ones
)

// fits reports whether an axis can have a value. The limits of a logarithmic axis are well
// inside float64's range, so that padding stays inside too.
func fits(v float64, linear bool) bool { return v < 1e300 && (v > 1e-300 || linear && v > -1e300) }

func (p Plot) fitsX(x float64) bool { return fits(x, p.LinearX) }
func (p Plot) fitsY(y float64) bool { return fits(y, p.LinearY) }

// shown returns the indices of a curve's points that the axes can have.
func (p Plot) shown(c Curve) (out []int) {
	for i := range c.X {
		if p.fitsX(c.X[i]) && p.fitsY(c.Y[i]) {
			out = append(out, i)
		}
	}
	return out
}

// beyond is how far a plot goes on behind its band: the corners of the plane of wavenumbers
// beyond the Nyquist wavenumber hold only some of the modes of a shell.
const beyond = 1.06

// places returns the span of X, including points beyond the Y axis.
func (p Plot) places() span {
	all := nothing
	for _, c := range p.Curves {
		for _, i := range p.shown(c) {
			all = all.with(c.X[i])
		}
		if shown := p.shown(c); c.Steps && len(shown) > 1 {
			all = all.with(c.stepAt(shown, 0)).with(c.stepAt(shown, len(shown)))
		}
	}
	if p.Band.From < p.Band.To && p.Band.To > all.lo {
		all.hi = min(all.hi, p.Band.To*beyond)
	}
	return all
}

// values returns the span of Y in the points of the curves that keep chooses, and of the
// upper ends of their bands, up to the end of the plot's band.
func (p Plot) values(keep func(c Curve, y float64) bool) span {
	all, last := nothing, p.places().hi
	if p.Band.From < p.Band.To && p.Band.To >= p.places().lo {
		last = min(last, p.Band.To)
	}
	for _, c := range p.Curves {
		for _, i := range p.shown(c) {
			if c.X[i] > last || !keep(c, c.Y[i]) {
				continue
			}
			all = all.with(c.Y[i])
			if c.High != nil && p.fitsY(c.High[i]) {
				all = all.with(c.High[i])
			}
		}
	}
	return all
}

func every(Curve, float64) bool { return true }

func (p Plot) empty() bool { return p.values(every).empty() }

// extent returns the ranges of the axes.
func (p Plot) extent() (x, y span) {
	if p.like != nil {
		return p.like.extent()
	}
	y = p.values(every)
	if y.empty() {
		return span{1, 10}, span{0.1, 1}
	}
	x = p.places()
	if p.LinearX {
		x = x.widened(0.02)
	} else {
		x = x.padded(0.01, 1.06)
	}
	if !p.LinearY {
		y = p.decades(y)
	}
	if p.Shows != [2]float64{} {
		y = y.with(p.Shows[0]).with(p.Shows[1])
	}
	if p.Within != [2]float64{} {
		y = span{min(max(y.lo, p.Within[0]), p.Within[1]), max(min(y.hi, p.Within[1]), p.Within[0])}
	}
	if p.LinearY {
		return x, y.widened(0.05)
	}
	return x, y.padded(0.03, 1.15)
}

// decades returns the part of a span that matters.
func (p Plot) decades(all span) span {
	floor := all.hi * roundOff
	y := p.values(func(_ Curve, v float64) bool { return v >= floor })
	truth := p.values(func(c Curve, v float64) bool { return c.truth() && v >= floor })
	if truth.empty() {
		return y
	}
	return span{max(y.lo, truth.lo*underTruth), min(y.hi, truth.hi*overTruth)}
}

// ticks returns the ticks of an axis that is so many pixels long.
func (p Plot) ticks(a axis, pixels int) []plot.Tick {
	if a.log {
		return decades{most: max(2, pixels/24)}.Ticks(a.lo, a.hi)
	}
	return linear{most: max(3, min(7, pixels/30))}.Ticks(a.lo, a.hi)
}
