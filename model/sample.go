package model

import (
	"context"
	"math"

	"fmsr.example/fmsr/internal/torchx"
)

// Sampler carries samples from t = TMin to TMax in Steps steps: by the ODE
// dx = v dt and its Solver, or with Delta > 0 by the SDE of sde.go, which has the
// same marginals.
type Sampler struct {
	Flow
	Solver     Solver // of the ODE
	Steps      int
	TMin, TMax float64
	Delta      float64
	Schedule   Schedule

	// Mean is the base's (N,C,H,W), for the SDE's score. nil: x_lo.
	Mean torchx.Tensor
	// Watch sees x (N,C,H,W) at the start, step 0 at t = TMin, and after each step:
	// the frames of a film of x_t. It must not change x. nil: nobody watches.
	Watch func(s *torchx.Scope, step int, t float64, x torchx.Tensor)
	// Constrain returns the fields nearest to x1 (N,C,H,W) that satisfy a constraint,
	// given x_lo (N,C,H,W). Each step ends on the straight path to the constrained x1
	// instead of the path to
	//
	//	x1 = x + (1-t) k,   k = (y - x) / dt
	//
	// with y the solver's own result of the step from t, before an SDE's noise.
	// A step that ends at t = 1 and adds no noise ends at the constrained x1 itself.
	// nil: no constraint.
	Constrain func(s *torchx.Scope, x1, xLo torchx.Tensor) torchx.Tensor
}

// Noise returns the standard normal noise (N,C,H,W) of a step.
type Noise func(s *torchx.Scope, step int) torchx.Tensor

// run is the state of one sampling.
type run struct {
	Sampler
	velocity Velocity
	xLo      torchx.Tensor // (N,C,H,W)

	x            torchx.Tensor // (N,C,H,W), at the start of the step
	from, to, dt float64       // times of the step
	past         [2]slope      // of the steps before, the newest first; filled for solvers that return slopes
}

// slope is dx/dt (N,C,H,W) at the middle of a step.
type slope struct {
	k torchx.Tensor
	t float64
}

// Sample returns x (N,C,H,W) at t = TMax for x0 at TMin under the condition x_lo,
// both (N,C,H,W), in x0's type. The ODE asks for no noise. When ctx ends, Sample
// stops between two steps with ctx's cause.
func (p Sampler) Sample(ctx context.Context, s *torchx.Scope, v Velocity, x0, xLo torchx.Tensor, noise Noise) torchx.Tensor {
	r := &run{Sampler: p, velocity: v, xLo: xLo, x: s.Clone(x0)}
	defer r.forget()
	method := p.method()
	r.watch(s, 0, p.TMin)
	for i := range p.Steps {
		if ctx.Err() != nil {
			s.Fail(context.Cause(ctx))
			return torchx.Tensor{}
		}
		r.from, r.to, r.dt = method.times(p, i)
		next := s.Within(func(s *torchx.Scope) torchx.Tensor {
			y, k := method.step(r, s)
			if p.Constrain != nil {
				y, k = r.constrain(s, y, k)
			}
			r.remember(s, k)
			if w := p.noiseAt(i, r.from); w > 0 {
				y = s.AddScaled(y, noise(s, i), math.Sqrt(2*w*r.dt))
			}
			return y
		})
		torchx.Free(s.Keep(r.x))
		r.x = next
		if s.Err() != nil {
			return torchx.Tensor{}
		}
		r.watch(s, i+1, r.to)
	}
	return r.x
}

func (r *run) watch(s *torchx.Scope, step int, t float64) {
	if r.Watch != nil && s.Err() == nil {
		r.Watch(s, step, t, r.x)
	}
}

// constrain returns the step's end y (N,C,H,W) and, where the solver gave one, its
// slope k, moved to the straight path to the constrained x1: Sampler.Constrain has
// the formula.
func (r *run) constrain(s *torchx.Scope, y, k torchx.Tensor) (torchx.Tensor, torchx.Tensor) {
	left := (1 - r.from) / r.dt // how many such steps lead to t = 1
	step := s.AddScaled(y, r.x, -1)
	x1 := r.Constrain(s, s.AddScaled(r.x, step, left), r.xLo)
	path := s.AddScaled(x1, r.x, -1)
	if !torchx.IsNil(k) {
		k = s.Affine(path, 1/(1-r.from), 0)
	}
	return s.AddScaled(r.x, path, 1/left), k
}

// remember keeps the step's slope k (N,C,H,W) in past. It ignores a nil k.
func (r *run) remember(s *torchx.Scope, k torchx.Tensor) {
	if torchx.IsNil(k) {
		return
	}
	torchx.Free(r.past[1].k)
	r.past[1], r.past[0] = r.past[0], slope{s.Keep(k), (r.from + r.to) / 2}
}

func (r *run) forget() {
	for _, past := range r.past {
		torchx.Free(past.k)
	}
}
