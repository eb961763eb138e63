package model

import (
	"fmt"
	"math"

	"fmsr.example/fmsr/internal/torchx"
)

// Schedule is w(t), the strength of the noise that an SDE sampler adds and its
// score takes away again.
type Schedule string

// The schedules. With sigma the base's deviation and delta the strength:
// constant: w = delta, stiff near t = 1 where the truth is nearly determined;
// matched: w = delta (1-t) sigma^2, stable for delta <= 1 at any number of steps;
// quadratic: w = delta sigma^2 (1-t)^2, delta being how many times over the noise is forgotten.
const (
	Constant  Schedule = "constant"
	Matched   Schedule = "matched"
	Quadratic Schedule = "quadratic"
)

// drift is a step of Euler and Maruyama for dx = [v + w s] dt + sqrt(2 w) dW
// (Song et al. 2021, arXiv:2011.13456), without its noise:
//
//	y = x + dt v(x, t) + w(t) dt score(x, t)
//
// The loop adds sqrt(2 w dt) N(0,I), see noiseAt. If the base's noise has another covariance C,
// then so has the SDE's, and Score is C s. With a constant C, dx = [v + w C s] dt + sqrt(2 w C) dW
// has the same marginals: the terms with w add w div(p C s - C grad p) = 0 to dp/dt.
func (r *run) drift(s *torchx.Scope) (y, k torchx.Tensor) {
	v, mean := r.velocity(s, r.x, r.from), r.Mean
	if torchx.IsNil(mean) {
		mean = r.xLo
	}
	y = s.AddScaled(r.x, v, r.dt)
	return s.AddScaled(y, r.Score(s, r.x, r.from, v, mean), r.strength(r.from)*r.dt), torchx.Tensor{}
}

// noiseAt returns w(t) for the noise of the i-th step, which starts at t. It is 0 for
// the ODE, and in the last step unless the schedule is constant.
func (p Sampler) noiseAt(i int, t float64) float64 {
	if p.Delta == 0 || p.lastIsQuiet() && i == p.Steps-1 {
		return 0
	}
	return p.strength(t)
}

// strength returns w(t).
func (p Sampler) strength(t float64) float64 {
	sigma := p.Sigma()
	switch p.Schedule {
	case Matched:
		return p.Delta * (1 - t) * sigma * sigma
	case Quadratic:
		return p.Delta * sigma * sigma * (1 - t) * (1 - t)
	default:
		return p.Delta
	}
}

// lastIsQuiet reports whether the last step keeps its drift and drops its noise. The
// constant schedule, which the original code has, adds noise in every step.
func (p Sampler) lastIsQuiet() bool { return p.Schedule == Matched || p.Schedule == Quadratic }

// Spread returns the deviation of the SDE's samples where the truth, given x_lo,
// is Gaussian with deviation s1: about s1, unless the chain is stiff. On a Gaussian
// a step is x' = a x + b + sqrt(2 w dt) noise, which gives the variance exactly.
func (p Sampler) Spread(s1 float64) float64 {
	s0 := p.Sigma()
	dt := (p.TMax - p.TMin) / float64(p.Steps)
	variance := (1-p.TMin)*(1-p.TMin)*s0*s0 + p.TMin*p.TMin*s1*s1
	for i := range p.Steps {
		t := p.TMin + float64(i)*dt
		slope := (t*s1*s1 - (1-t)*s0*s0) / ((1-t)*(1-t)*s0*s0 + t*t*s1*s1) // dv/dx
		w := p.strength(t)
		a := 1 + dt*(slope-w*(1-t*slope)/((1-t)*s0*s0))
		variance *= a * a
		variance += 2 * p.noiseAt(i, t) * dt
	}
	return math.Sqrt(variance)
}

// narrow is the spread of a well-determined cell, in normalized units.
const narrow = 0.01

// Stiff returns a warning if cells of spread 0.01 would get at least twice that
// spread, else an empty string.
func (p Sampler) Stiff() string {
	if p.Delta == 0 {
		return ""
	}
	spread := p.Spread(narrow)
	if spread < 2*narrow {
		return ""
	}
	return fmt.Sprintf("warning: the SDE is stiff: where the spread should be %g it comes out as %.2g (sde_schedule %s, sde_delta %g, %d steps): use the matched or quadratic schedule, or more steps",
		narrow, spread, p.Schedule, p.Delta, p.Steps)
}
