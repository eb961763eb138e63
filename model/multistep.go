package model

import (
	"math"

	"fmsr.example/fmsr/internal/torchx"
)

// averaged is the number of times of a step over which Multistep averages the
// network. With ten steps neighbours are at most 0.004 apart, less than the period
// 0.006 of the network's fastest time feature.
const averaged = 64

// multistep is the midpoint rule with one evaluation a step, and two in the first.
// Where midpoint asks the network for x in the middle of the step, multistep
// extrapolates the slopes k' and k" of the two steps before:
//
//	y  = x + dt/2 [k' + (t + dt/4 - m') / (m' - m") (k' - k")],  m', m" their middles
//	k  = the mean over [t, t+dt] of v(y, .)
//	x += dt k
//
// a predictor by Adams and Bashforth to an off-step point and a corrector there, of
// order 2 (hybrid multistep methods: Gragg & Stetter 1964, J. ACM 11:188).
//
// The mean is there because a network is less smooth in t than the flow that it
// learned: its time features turn with up to 1000 rad. Many small steps average
// that out; a few large ones would sample it at a few times. Where v is linear in
// t, the mean is v in the middle, and the order is the same.
func (r *run) multistep(s *torchx.Scope) (y, k torchx.Tensor) {
	k = s.Within(func(s *torchx.Scope) torchx.Tensor {
		return r.velocity(s, r.predict(s), spread(r.from, r.to)...)
	})
	return s.AddScaled(r.x, k, r.dt), k
}

// predict returns x (N,C,H,W) in the middle of the step.
func (r *run) predict(s *torchx.Scope) torchx.Tensor {
	half := r.dt / 2
	last, before := r.past[0], r.past[1]
	switch {
	case torchx.IsNil(last.k):
		return s.AddScaled(r.x, r.velocity(s, r.x, spread(r.from, r.from+half)...), half)
	case torchx.IsNil(before.k):
		return s.AddScaled(r.x, last.k, half)
	}
	q := (r.from + half/2 - last.t) / (last.t - before.t)
	y := s.AddScaled(r.x, last.k, half*(1+q))
	s.AddInPlace(y, before.k, -half*q)
	return y
}

// spread returns times across a step, the middles of its equal parts.
func spread(from, to float64) []float64 {
	times := make([]float64, averaged)
	for i := range times {
		times[i] = from + (to-from)*(float64(i)+0.5)/averaged
	}
	return times
}

// growing returns the i-th step, from steps that grow with t by the timestep shift of
// Esser et al. 2024 (arXiv:2403.03206): the last is about shift^2 times the first.
func (p Sampler) growing(i int) (from, to, dt float64) {
	from, to = p.graded(i), p.graded(i+1)
	return from, to, to - from
}

// graded returns the time at which the i-th step begins.
func (p Sampler) graded(i int) float64 {
	u := float64(i) / float64(p.Steps)
	return p.TMin + (p.TMax-p.TMin)*u/(u+p.shift()*(1-u))
}

// shift returns how strongly the steps concentrate near the start. A mode of the truth
// with deviation s1 given x_lo is carried from the base's sigma to s1. It turns from
// the one to the other at about t = sigma / (sigma + s1): early where the base is
// narrow. The square root serves modes of many s1 (docs/sampling.md), and the bound
// serves a base without noise.
func (p Sampler) shift() float64 { return min(3, math.Sqrt(0.4/p.width())) }
