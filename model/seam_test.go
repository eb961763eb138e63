package model

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"

	"fmsr.example/fmsr/internal/testkit/golden"
	"fmsr.example/fmsr/internal/torchx"
)

// every is a sampler of each method: of each solver, and the SDE's.
func every(f Flow) map[string]Sampler {
	all := map[string]Sampler{}
	for _, m := range methods {
		all[string(m.name)] = Sampler{Flow: f, Solver: m.name, Steps: 5, TMin: 1e-4, TMax: 1 - 1e-4, Schedule: Constant}
	}
	all["sde"] = Sampler{Flow: f, Steps: 5, TMin: 1e-4, TMax: 1 - 1e-4, Delta: 0.5, Schedule: Matched}
	return all
}

// TestMethodsEvaluate: as often as the table says, Multistep once more in all.
func TestMethodsEvaluate(t *testing.T) {
	c := gaussianCases(t)[XLoPlusNoise]
	for name, p := range every(c.flow) {
		onThread(t, func(s *torchx.Scope) error {
			count := 0
			v := func(s *torchx.Scope, x torchx.Tensor, at ...float64) torchx.Tensor {
				count++
				return c.field(s, x, at...)
			}
			x0 := vector(s, c.Start)
			p.Sample(context.Background(), s, v, x0, x0, func(s *torchx.Scope, _ int) torchx.Tensor { return s.Affine(x0, 0, 1) })
			want := p.Steps * p.method().evaluations
			if p.Solver == Multistep {
				want++
			}
			if count != want || count != p.Evaluations() {
				t.Errorf("%s: %d evaluations in %d steps, want %d", name, count, p.Steps, want)
			}
			return nil
		})
	}
}

// TestWatch: every step is seen once, in order, at the time where it ends, and the
// last x is the result; nothing is different for being watched.
func TestWatch(t *testing.T) {
	c := gaussianCases(t)[XLoPlusNoise]
	for name, p := range every(c.flow) {
		onThread(t, func(s *torchx.Scope) error {
			noise := func(s *torchx.Scope, step int) torchx.Tensor { return vector(s, normals(uint64(step), len(c.Start))) }
			plain := c.run(s, p, c.Start, noise)
			var film [][]float64
			var at []float64
			p.Watch = func(s *torchx.Scope, step int, t float64, x torchx.Tensor) {
				if step == len(film) {
					film, at = append(film, doubles(s, x)), append(at, t)
				}
			}
			got := c.run(s, p, c.Start, noise)
			if len(film) != p.Steps+1 || !slices.Equal(film[0], c.Start) || !slices.Equal(film[p.Steps], got) {
				t.Errorf("%s: %d pictures of %d steps, from %v to %v", name, len(film), p.Steps, film[0], film[len(film)-1])
			}
			if !slices.IsSorted(at) || at[0] != p.TMin || math.Abs(at[p.Steps]-p.TMax) > 1e-12 {
				t.Errorf("%s: times %v", name, at)
			}
			if !slices.Equal(got, plain) {
				t.Errorf("%s: x is %v when it is watched, and %v when not", name, got, plain)
			}
			return nil
		})
	}
}

// TestConstrainNothing: a constraint that every field satisfies changes nothing.
func TestConstrainNothing(t *testing.T) {
	c := gaussianCases(t)[XLoPlusNoise]
	for name, p := range every(c.flow) {
		onThread(t, func(s *torchx.Scope) error {
			noise := func(s *torchx.Scope, step int) torchx.Tensor { return vector(s, normals(uint64(step), len(c.Start))) }
			plain := c.run(s, p, c.Start, noise)
			calls := 0
			p.Constrain = func(s *torchx.Scope, x1, _ torchx.Tensor) torchx.Tensor { calls++; return x1 }
			for i, x := range c.run(s, p, c.Start, noise) {
				golden.Near(t, name+": under no constraint", x, plain[i], 1e-12)
			}
			if calls != p.Steps {
				t.Errorf("%s: %d projections in %d steps", name, calls, p.Steps)
			}
			return nil
		})
	}
}

// TestConstrainPooled: a sample whose steps end at t = 1 has, pooled, the given
// coarse field, to round-off, by every method; without the constraint it has not.
func TestConstrainPooled(t *testing.T) {
	const n, coarse = 8, 4
	c := gaussianCases(t)[XLoPlusNoise]
	want := normals(9, coarse*coarse)
	project := func(s *torchx.Scope, x1, _ torchx.Tensor) torchx.Tensor { // x1 + up(want - pool(x1))
		off := s.AddScaled(grid(s, want, 1, 1, coarse, coarse), s.AvgPool2d(x1, 2), -1)
		return s.Add(x1, s.UpsampleNearest(off, 2))
	}
	for name, p := range every(c.flow) {
		p.TMin, p.TMax = 0, 1
		onThread(t, func(s *torchx.Scope) error {
			x0, xLo := grid(s, normals(10, n*n), 1, 1, n, n), s.Full(c.Mu0, torchx.Float64, torchx.CPU, 1, 1, n, n)
			noise := func(s *torchx.Scope, step int) torchx.Tensor { return grid(s, normals(uint64(step), n*n), 1, 1, n, n) }
			off := func() float64 {
				x := p.Sample(context.Background(), s, c.field, x0, xLo, noise)
				worst := 0.0
				for i, got := range doubles(s, s.AvgPool2d(x, 2)) {
					worst = max(worst, math.Abs(got-want[i]))
				}
				return worst
			}
			if free := off(); free < 0.1 {
				t.Errorf("%s: off by %g without the constraint: the test shows nothing", name, free)
			}
			p.Constrain = project
			if held := off(); !(held < 1e-12) {
				t.Errorf("%s: off by %g under the constraint", name, held)
			}
			return nil
		})
	}
}

// TestSamplerConfig: the defaults of sample_steps, and every problem at its own key.
func TestSamplerConfig(t *testing.T) {
	good := SamplerConfig{Solver: "multistep", TMin: 1e-4, TMax: 1 - 1e-4, SDESchedule: "matched"}
	for _, one := range []struct {
		change func(*SamplerConfig)
		steps  int
		keys   []string
	}{
		{func(*SamplerConfig) {}, 9, nil},
		{func(c *SamplerConfig) { c.SampleSteps = 4 }, 4, nil},
		{func(c *SamplerConfig) { c.Solver = "euler" }, 100, nil},
		{func(c *SamplerConfig) { c.SDEDelta = 1 }, 100, nil},
		{func(c *SamplerConfig) { c.SampleSteps = -1 }, -1, []string{"sample_steps"}},
		{func(c *SamplerConfig) { c.TMin = math.NaN() }, 9, []string{"t_min"}},
		{func(c *SamplerConfig) { c.TMin = 1 }, 9, []string{"t_min"}},
		{func(c *SamplerConfig) { c.TMax = math.NaN() }, 9, []string{"t_max"}},
		{func(c *SamplerConfig) { c.TMax = math.Inf(1) }, 9, []string{"t_max"}},
		{func(c *SamplerConfig) { c.SDEDelta = math.NaN() }, 100, []string{"sde_delta"}},
		{func(c *SamplerConfig) { c.Solver, c.SDESchedule = "ab2", "wild" }, 100, []string{"solver", "sde_schedule"}},
	} {
		c := good
		one.change(&c)
		var keys []string
		c.Validate(func(key, _ string, _ ...any) { keys = append(keys, key) })
		if !slices.Equal(keys, one.keys) {
			t.Errorf("%+v: reported at %v, want %v", c, keys, one.keys)
		}
		if steps := c.Sampler(Flow{}).Steps; steps != one.steps {
			t.Errorf("%s", fmt.Sprintf("%+v: %d steps, want %d", c, steps, one.steps))
		}
	}
}
