package model

import (
	"context"
	"fmt"
	"math"

	"fmsr/internal/torchx"
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

// Solver is a method for the ODE.
type Solver string

// The solvers, of order 1, 2, 2, 4 and 2, with 1, 2, 2, 4 and 1 evaluations a
// step. Multistep has one more in all, and steps that grow.
const (
	Euler     Solver = "euler"
	Midpoint  Solver = "midpoint"
	Heun      Solver = "heun"
	RK4       Solver = "rk4"
	Multistep Solver = "multistep"
)

// Sampler integrates dx = v dt by Solver, or with Delta > 0 the SDE that has the
// same marginals, dx = [v + w s] dt + sqrt(2 w) dW (Song et al. 2021,
// arXiv:2011.13456), by Euler-Maruyama, in Steps steps from TMin to
// TMax: equal ones, but for Multistep.
type Sampler struct {
	Flow
	Solver     Solver // of the ODE
	Steps      int
	TMin, TMax float64
	Delta      float64
	Schedule   Schedule
}

// Noise gives the standard normal noise (N,C,H,W) of a step.
type Noise func(s *torchx.Scope, step int) torchx.Tensor

// Sample carries x0 to t = TMax under the condition x_lo, both (N,C,H,W); noise
// is not asked for by the ODE. x stays in x0's type throughout.
// When ctx ends it stops between steps, with ctx's cause.
func (p Sampler) Sample(ctx context.Context, s *torchx.Scope, v Velocity, x0, xLo torchx.Tensor, noise Noise) torchx.Tensor {
	if p.Solver == Multistep && p.Delta == 0 {
		return s.Within(func(s *torchx.Scope) torchx.Tensor { return p.multistep(ctx, s, v, x0) })
	}
	dt := (p.TMax - p.TMin) / float64(p.Steps)
	x := s.Clone(x0)
	for i := range p.Steps {
		if ctx.Err() != nil {
			s.Fail(context.Cause(ctx))
			return torchx.Tensor{}
		}
		t := p.TMin + float64(i)*dt
		next := s.Within(func(s *torchx.Scope) torchx.Tensor {
			if p.Delta == 0 {
				return p.odeStep(s, v, x, t, dt)
			}
			return p.sdeStep(s, v, x, xLo, i, dt, noise)
		})
		torchx.Free(s.Keep(x))
		x = next
		if s.Err() != nil {
			return torchx.Tensor{}
		}
	}
	return x
}

// odeStep is one step of the ODE's solver.
func (p Sampler) odeStep(s *torchx.Scope, v Velocity, x torchx.Tensor, t, dt float64) torchx.Tensor {
	k1 := v(s, x, t)
	switch p.Solver {
	case Midpoint:
		return s.AddScaled(x, v(s, s.AddScaled(x, k1, dt/2), t+dt/2), dt)
	case Heun:
		k2 := v(s, s.AddScaled(x, k1, dt), t+dt)
		return s.AddScaled(s.AddScaled(x, k1, dt/2), k2, dt/2)
	case RK4:
		k2 := v(s, s.AddScaled(x, k1, dt/2), t+dt/2)
		k3 := v(s, s.AddScaled(x, k2, dt/2), t+dt/2)
		k4 := v(s, s.AddScaled(x, k3, dt), t+dt)
		middle := s.AddScaled(s.AddScaled(x, k2, dt/3), k3, dt/3)
		return s.AddScaled(s.AddScaled(middle, k1, dt/6), k4, dt/6)
	default:
		return s.AddScaled(x, k1, dt)
	}
}

// sdeStep is the i-th step of Euler and Maruyama.
func (p Sampler) sdeStep(s *torchx.Scope, v Velocity, x, xLo torchx.Tensor, i int, dt float64, noise Noise) torchx.Tensor {
	t := p.TMin + float64(i)*dt
	velocity := v(s, x, t)
	w := p.strength(t)
	y := s.AddScaled(x, velocity, dt)
	y = s.AddScaled(y, p.Score(s, x, t, velocity, xLo), w*dt)
	if p.lastIsQuiet() && i == p.Steps-1 {
		return y
	}
	return s.AddScaled(y, noise(s, i), math.Sqrt(2*w*dt))
}

// strength is w(t).
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

// lastIsQuiet says whether the last step keeps its drift and drops its noise:
// the constant schedule, the original's, has noise in every step.
func (p Sampler) lastIsQuiet() bool { return p.Schedule == Matched || p.Schedule == Quadratic }

// Spread is the deviation that the SDE's samples have where the truth, given
// x_lo, is Gaussian with deviation s1: about s1, unless the chain is stiff. On a
// Gaussian x' = a x + b + sqrt(2 w dt) noise, so that variances follow exactly.
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
		if !p.lastIsQuiet() || i < p.Steps-1 {
			variance += 2 * w * dt
		}
	}
	return math.Sqrt(variance)
}

// narrow is a spread, in units of the fields' own, that a well-determined cell has.
const narrow = 0.01

// Stiff is a warning, with the number, where the SDE makes of well-determined
// cells what is far from what it should; else it is empty.
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

// Validate reports unusable settings.
func (p Sampler) Validate() error {
	switch {
	case p.Steps < 1:
		return fmt.Errorf("sample_steps %d: want at least 1", p.Steps)
	case !(p.TMin >= 0 && p.TMin < p.TMax && p.TMax <= 1): // NaN too
		return fmt.Errorf("t_min %g, t_max %g: want 0 <= t_min < t_max <= 1", p.TMin, p.TMax)
	case !(p.Delta >= 0) || math.IsInf(p.Delta, 0):
		return fmt.Errorf("sde_delta %g: want a number of at least 0", p.Delta)
	case p.Delta > 0 && p.Sigma() == 0:
		return fmt.Errorf("sde_delta %g with base_noise_scale 0: the score is not defined", p.Delta)
	case p.Delta > 0 && p.TMax == 1 && p.TMin+(p.TMax-p.TMin)*float64(p.Steps-1)/float64(p.Steps) >= 1:
		return fmt.Errorf("t_max %g: the score is not defined at t = 1", p.TMax)
	case p.Solver != "" && p.Solver != Euler && p.Solver != Midpoint && p.Solver != Heun && p.Solver != RK4 && p.Solver != Multistep:
		return fmt.Errorf("solver %q: want %s, %s, %s, %s or %s", p.Solver, Euler, Midpoint, Heun, RK4, Multistep)
	case p.Schedule != Constant && p.Schedule != Matched && p.Schedule != Quadratic:
		return fmt.Errorf("sde_schedule %q: want %s, %s or %s", p.Schedule, Constant, Matched, Quadratic)
	}
	return nil
}
