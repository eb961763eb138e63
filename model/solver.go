package model

import (
	"strings"

	"fmsr.example/fmsr/internal/torchx"
)

// Solver is the name of a method for the ODE.
type Solver string

// The solvers; an empty name is Euler.
const (
	Euler     Solver = "euler"
	Midpoint  Solver = "midpoint"
	Heun      Solver = "heun"
	RK4       Solver = "rk4"
	Multistep Solver = "multistep"
)

// method is a way to take a step.
type method struct {
	name        Solver
	order       int // the error of a whole path is proportional to dt^order
	evaluations int // of the network, a step

	// step returns x (N,C,H,W) at the end of the current step. A multistep method also
	// returns the step's slope dx/dt (N,C,H,W), and later finds it in r.past. Other
	// methods return a nil slope.
	step func(r *run, s *torchx.Scope) (y, k torchx.Tensor)
	// times returns the times at which the i-th step begins and ends, and dt.
	times func(p Sampler, i int) (from, to, dt float64)
}

// methods are the solvers. A new one is a step and a line here.
var methods = []method{
	{Euler, 1, 1, (*run).euler, Sampler.equal},
	{Midpoint, 2, 2, (*run).midpoint, Sampler.equal},
	{Heun, 2, 2, (*run).heun, Sampler.equal},
	{RK4, 4, 4, (*run).rk4, Sampler.equal},
	{Multistep, 2, 1, (*run).multistep, Sampler.growing}, // and one evaluation more in the first step
}

// eulerMaruyama is the SDE's method.
var eulerMaruyama = method{"euler-maruyama", 1, 1, (*run).drift, Sampler.equal}

// prediction is the method of networks that are trained for one evaluation.
var prediction = method{"prediction", 1, 1, (*run).once, Sampler.whole}

// method returns the sampler's method.
func (p Sampler) method() method {
	switch {
	case p.Objective.OneEvaluation():
		return prediction
	case p.Objective == FlowMap:
		return flowMap
	case p.Delta > 0:
		return eulerMaruyama
	}
	for _, m := range methods {
		if m.name == p.Solver {
			return m
		}
	}
	return methods[0]
}

// Evaluations returns how often a sample takes the network.
func (p Sampler) Evaluations() int {
	n := p.Steps * p.method().evaluations
	if p.method().name == Multistep {
		n++
	}
	return n
}

// solverNames lists the solvers, for messages.
func solverNames() string {
	var names []string
	for _, m := range methods {
		names = append(names, string(m.name))
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// equal returns the i-th step, from steps of equal length.
func (p Sampler) equal(i int) (from, to, dt float64) {
	dt = (p.TMax - p.TMin) / float64(p.Steps)
	from = p.TMin + float64(i)*dt
	return from, from + dt, dt
}

// whole returns the only step from t = 0 to 1.
func (p Sampler) whole(int) (from, to, dt float64) { return 0, 1, 1 }

// once: y = x_lo + v(x0, 0).
func (r *run) once(s *torchx.Scope) (y, k torchx.Tensor) {
	return s.Add(r.xLo, r.velocity(s, r.x, 0)), torchx.Tensor{}
}

// euler: y = x + dt v(x, t).
func (r *run) euler(s *torchx.Scope) (y, k torchx.Tensor) {
	return s.AddScaled(r.x, r.velocity(s, r.x, r.from), r.dt), torchx.Tensor{}
}

// midpoint: y = x + dt v(x + dt/2 v(x, t), t + dt/2).
func (r *run) midpoint(s *torchx.Scope) (y, k torchx.Tensor) {
	x, t, dt, v := r.x, r.from, r.dt, r.velocity
	k1 := v(s, x, t)
	k2 := v(s, s.AddScaled(x, k1, dt/2), t+dt/2)
	return s.AddScaled(x, k2, dt), torchx.Tensor{}
}

// heun: y = x + dt/2 (k1 + k2), k1 = v(x, t), k2 = v(x + dt k1, t + dt).
func (r *run) heun(s *torchx.Scope) (y, k torchx.Tensor) {
	x, t, dt, v := r.x, r.from, r.dt, r.velocity
	k1 := v(s, x, t)
	k2 := v(s, s.AddScaled(x, k1, dt), t+dt)
	return s.AddScaled(s.AddScaled(x, k1, dt/2), k2, dt/2), torchx.Tensor{}
}

// rk4 is the classical method of Runge and Kutta:
//
//	k1 = v(x, t)               k2 = v(x + dt/2 k1, t + dt/2)
//	k3 = v(x + dt/2 k2, t + dt/2)   k4 = v(x + dt k3, t + dt)
//	y = x + dt/6 (k1 + 2 k2 + 2 k3 + k4)
func (r *run) rk4(s *torchx.Scope) (y, k torchx.Tensor) {
	x, t, dt, v := r.x, r.from, r.dt, r.velocity
	k1 := v(s, x, t)
	k2 := v(s, s.AddScaled(x, k1, dt/2), t+dt/2)
	k3 := v(s, s.AddScaled(x, k2, dt/2), t+dt/2)
	k4 := v(s, s.AddScaled(x, k3, dt), t+dt)
	middle := s.AddScaled(s.AddScaled(x, k2, dt/3), k3, dt/3)
	return s.AddScaled(s.AddScaled(middle, k1, dt/6), k4, dt/6), torchx.Tensor{}
}
