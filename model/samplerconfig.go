package model

import (
	"fmt"
	"math"
	"slices"
)

// SamplerConfig are the keys of a sampler in specs. The constraints are of the x1 that each
// step predicts.
type SamplerConfig struct {
	SampleSteps int     `yaml:"sample_steps" min:"0" max:"100000" flag:"sample-steps" doc:"steps of the sampler; 0: 9 with multistep, 100 otherwise"`
	Solver      string  `yaml:"solver" oneof:"euler|midpoint|heun|rk4|multistep" flag:"solver" doc:"of the ODE"`
	TMin        float64 `yaml:"t_min" min:"0" flag:"t-min-sample" doc:"where sampling starts"`
	TMax        float64 `yaml:"t_max" max:"1" flag:"t-max-sample" doc:"where sampling ends"`
	SDEDelta    float64 `yaml:"sde_delta" min:"0" flag:"sde-delta" doc:"strength of the SDE's noise; 0: the ODE alone"`
	SDESchedule string  `yaml:"sde_schedule" oneof:"constant|matched|quadratic" flag:"sde-schedule" doc:"w(t) of the SDE"`
	ConstraintConfig
}

// Sampler returns the sampler of a flow. With an objective of one evaluation, the keys of
// the solver, the times and the SDE do nothing. A flow map leaves it the number of steps, and
// takes the largest that is not beyond sample_steps.
func (c SamplerConfig) Sampler(f Flow) Sampler {
	if f.Objective.OneEvaluation() {
		return Sampler{Flow: f, Steps: 1, TMax: 1, Schedule: Constant}
	}
	if f.Objective == FlowMap {
		return Sampler{Flow: f, Steps: f.Map.Fitting(c.SampleSteps), TMin: f.Map.From, TMax: f.Map.To, Schedule: Constant}
	}
	return Sampler{
		Flow: f, Solver: Solver(c.Solver), Steps: c.steps(), TMin: c.TMin, TMax: c.TMax,
		Delta: c.SDEDelta, Schedule: Schedule(c.SDESchedule),
	}
}

// steps returns sample_steps or, where it is 0, a number that serves: nine steps of
// Multistep come closer to the ODE than fifty of Euler (docs/sampling.md).
func (c SamplerConfig) steps() int {
	switch {
	case c.SampleSteps != 0:
		return c.SampleSteps
	case c.Solver == string(Multistep) && c.SDEDelta == 0:
		return 9
	default:
		return 100
	}
}

// Idle lists the keys that have another value than usual and do nothing with an objective
// of one evaluation. With a flow map, sample_steps alone does something.
func (c SamplerConfig) Idle(usual SamplerConfig) (keys []string) {
	for _, x := range []struct {
		key        string
		now, usual any
	}{
		{"sample_steps", c.SampleSteps, usual.SampleSteps}, {"solver", c.Solver, usual.Solver},
		{"t_min", c.TMin, usual.TMin}, {"t_max", c.TMax, usual.TMax},
		{"sde_delta", c.SDEDelta, usual.SDEDelta}, {"sde_schedule", c.SDESchedule, usual.SDESchedule},
	} {
		if x.now != x.usual {
			keys = append(keys, x.key)
		}
	}
	return keys
}

// Validate reports unusable values, each under its own key. The flow is not known
// here: Sampler.Validate checks the sampler against it.
func (c SamplerConfig) Validate(report func(key, format string, args ...any)) {
	c.Sampler(Flow{Base: Gaussian}).problems(report)
	c.ConstraintConfig.Validate(report)
}

// Advise warns of an SDE that is stiff at any usual number of steps, and of a schedule
// without an SDE, unless it is the default.
func (c SamplerConfig) Advise(usual Schedule, warn func(key, summary, detail string)) {
	if c.SDEDelta == 0 && c.SDESchedule != string(usual) {
		warn("sde_schedule", fmt.Sprintf("is %s, but does nothing: sde_delta is 0, so there is no SDE", c.SDESchedule), "set sde_delta, or leave it out")
	}
	if c.SDEDelta > 0 && c.SDESchedule == string(Constant) {
		warn("sde_delta", fmt.Sprintf("is %g, with the constant schedule, which is stiff near t = 1", c.SDEDelta),
			"set sde_schedule to matched or quadratic")
	}
}

// Beyond returns a warning if the sampler asks the network for times that it was not
// trained on, else an empty string. A hundredth more at an end is no matter.
func (c SamplerConfig) Beyond(from, to float64) string {
	const slack = 0.01
	if c.TMin >= from-slack && c.TMax <= to+slack {
		return ""
	}
	return fmt.Sprintf("sampling goes from t = %g to %g, but the network was trained on %g to %g alone", c.TMin, c.TMax, from, to)
}

// Validate returns the first problem of the sampler, by its key in specs.
func (p Sampler) Validate() (err error) {
	p.problems(func(key, format string, args ...any) {
		if err == nil {
			err = fmt.Errorf(key+" "+format, args...)
		}
	})
	return err
}

func (p Sampler) problems(report func(key, format string, args ...any)) {
	timesOK := p.TMin >= 0 && p.TMin < p.TMax && p.TMax <= 1 // NaN is not
	if p.Steps < 1 {
		report("sample_steps", "is %d: want at least 1", p.Steps)
	}
	switch {
	case !(p.TMin >= 0):
		report("t_min", "is %g: want at least 0", p.TMin)
	case !(p.TMax <= 1):
		report("t_max", "is %g: want at most 1", p.TMax)
	case !timesOK:
		report("t_min", "is %g: want less than t_max, which is %g", p.TMin, p.TMax)
	}
	switch {
	case !(p.Delta >= 0) || math.IsInf(p.Delta, 0):
		report("sde_delta", "is %g: want a number of at least 0", p.Delta)
	case p.Delta > 0 && p.Sigma() == 0:
		report("sde_delta", "is %g with base_noise_scale 0: the score is not defined", p.Delta)
	case p.Delta > 0 && p.TMax == 1 && p.Steps > 0 && timesOK && p.TMin+(p.TMax-p.TMin)*float64(p.Steps-1)/float64(p.Steps) >= 1:
		report("t_max", "is %g: the score is not defined at t = 1", p.TMax)
	}
	if p.Solver != "" && !slices.ContainsFunc(methods, func(m method) bool { return m.name == p.Solver }) {
		report("solver", "is %q: want %s", p.Solver, solverNames())
	}
	if p.Schedule != Constant && p.Schedule != Matched && p.Schedule != Quadratic {
		report("sde_schedule", "is %q: want %s, %s or %s", p.Schedule, Constant, Matched, Quadratic)
	}
}
