package model

import (
	"context"
	"math"

	"fmsr/internal/torchx"
)

// averaged is over how many times of a step Multistep averages the network.
// Neighbours are then at most 0.004 apart with ten steps, under the period
// 0.006 of the network's fastest time feature.
const averaged = 64

// slope is dx/dt at the middle of a step.
type slope struct {
	v torchx.Tensor
	t float64
}

// multistep is the midpoint rule with one evaluation a step, the first apart,
// which takes two. Where midpoint asks the network for x in the middle of the
// step, it extrapolates the slopes k of the two steps before:
//
//	y  = x + dt/2 [k' + (t + dt/4 - m') / (m' - m") (k' - k")],  m', m" their middles
//	k  = the mean over [t, t+dt] of v(y, .)
//	x += dt k
//
// a predictor by Adams and Bashforth to an off-step point, a corrector there: of
// order 2 (hybrid multistep methods: Gragg & Stetter 1964, J. ACM 11:188).
//
// The mean is there because a network is less smooth in t than the flow that it
// learned: its time features turn with up to 1000 rad. Many small steps average
// that out, few large ones would catch it at a few times. Where v is linear in
// t the mean is v's in the middle, and the order is the same.
//
// Steps grow with t, as the timestep shift of Esser et al. 2024
// (arXiv:2403.03206) has it: the last is about shift^2 times the first.
func (p Sampler) multistep(ctx context.Context, s *torchx.Scope, v Velocity, x0 torchx.Tensor) torchx.Tensor {
	x := s.Clone(x0)
	var last, before slope
	for i := range p.Steps {
		if ctx.Err() != nil {
			s.Fail(context.Cause(ctx))
			return torchx.Tensor{}
		}
		from, to := p.graded(i), p.graded(i+1)
		k := s.Within(func(s *torchx.Scope) torchx.Tensor {
			return v(s, predict(s, v, x, from, to, last, before), spread(from, to)...)
		})
		s.AddInPlace(x, k, to-from)
		if s.Err() != nil {
			return torchx.Tensor{}
		}
		torchx.Free(s.Keep(before.v))
		before, last = last, slope{k, (from + to) / 2}
	}
	return x
}

// predict is x in the middle of the step.
func predict(s *torchx.Scope, v Velocity, x torchx.Tensor, from, to float64, last, before slope) torchx.Tensor {
	half := (to - from) / 2
	switch {
	case torchx.IsNil(last.v):
		return s.AddScaled(x, v(s, x, spread(from, from+half)...), half)
	case torchx.IsNil(before.v):
		return s.AddScaled(x, last.v, half)
	}
	r := (from + half/2 - last.t) / (last.t - before.t)
	y := s.AddScaled(x, last.v, half*(1+r))
	s.AddInPlace(y, before.v, -half*r)
	return y
}

// spread is times across a step, the middles of its equal parts.
func spread(from, to float64) []float64 {
	times := make([]float64, averaged)
	for i := range times {
		times[i] = from + (to-from)*(float64(i)+0.5)/averaged
	}
	return times
}

// graded is where the i-th step begins.
func (p Sampler) graded(i int) float64 {
	u := float64(i) / float64(p.Steps)
	return p.TMin + (p.TMax-p.TMin)*u/(u+p.shift()*(1-u))
}

// shift is how much time the steps give to the start. A mode of the truth that
// has deviation s1 given x_lo is carried from the base's sigma to s1, and turns
// from the one to the other about t = sigma / (sigma + s1): early where the base
// is narrow. The square root serves modes of many s1 (docs/sampling.md), the
// bound a base without noise.
func (p Sampler) shift() float64 { return min(3, math.Sqrt(0.4/p.Sigma())) }
