package model

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"fmsr.example/fmsr/internal/testkit/golden"
	"fmsr.example/fmsr/internal/torchx"
)

// gaussianCase is the closed form: x1 ~ N(m1, s1^2) and x0 ~ N(mu0, s0^2),
// independent, so that the exact velocity is linear in x.
type gaussianCase struct {
	S0        float64                                `json:"s0"`
	S1        float64                                `json:"s1"`
	Mu0       float64                                `json:"mu0"`
	M1        float64                                `json:"m1"`
	ScoreX    []float64                              `json:"score_x"`
	Score     map[string][]float64                   `json:"score"`
	Start     []float64                              `json:"ode_start"`
	Exact     []float64                              `json:"ode_exact"`
	ODE       map[string]struct{ X []float64 }       `json:"ode"`
	Recursion map[string]struct{ Mean, Std float64 } `json:"sde_recursion"`
	Path20    []float64                              `json:"sde_path_20"`

	flow Flow
}

func gaussianCases(t *testing.T) map[BaseDist]*gaussianCase {
	cases := map[BaseDist]*gaussianCase{}
	for _, base := range []BaseDist{XLoPlusNoise, Gaussian} {
		var one struct {
			A *gaussianCase `json:"x_lo_plus_noise"`
			B *gaussianCase `json:"gaussian"`
		}
		golden.Load(t, "samplers", &one)
		c := one.A
		if base == Gaussian {
			c = one.B
		}
		c.flow = Flow{Base: base, NoiseScale: c.S0}
		cases[base] = c
	}
	return cases
}

// slope and offset of the exact velocity at t: v = offset + slope x.
func (c *gaussianCase) velocity(t float64) (slope, offset float64) {
	variance := (1-t)*(1-t)*c.S0*c.S0 + t*t*c.S1*c.S1
	mean := (1-t)*c.Mu0 + t*c.M1
	slope = (t*c.S1*c.S1 - (1-t)*c.S0*c.S0) / variance
	return slope, c.M1 - c.Mu0 - slope*mean
}

func (c *gaussianCase) field(s *torchx.Scope, x torchx.Tensor, times ...float64) torchx.Tensor {
	slope, offset := 0.0, 0.0
	for _, t := range times {
		a, b := c.velocity(t)
		slope, offset = slope+a/float64(len(times)), offset+b/float64(len(times))
	}
	return s.Affine(x, slope, offset)
}

func vector(s *torchx.Scope, v []float64) torchx.Tensor {
	x := s.Full(0, torchx.Float64, torchx.CPU, int64(len(v)))
	torchx.Write(s, x, v)
	return x
}

func (c *gaussianCase) sampler(steps int, delta float64, schedule Schedule) Sampler {
	return Sampler{Flow: c.flow, Steps: steps, TMin: 1e-4, TMax: 1 - 1e-4, Delta: delta, Schedule: schedule}
}

// run samples from start with the condition mu0.
func (c *gaussianCase) run(s *torchx.Scope, p Sampler, start []float64, noise Noise) []float64 {
	x0 := vector(s, start)
	xLo := s.Full(c.Mu0, torchx.Float64, torchx.CPU, int64(len(start)))
	return doubles(s, p.Sample(context.Background(), s, c.field, x0, xLo, noise))
}

func TestScoreGolden(t *testing.T) {
	for base, c := range gaussianCases(t) {
		onThread(t, func(s *torchx.Scope) error {
			for text, want := range c.Score {
				var at float64
				fmt.Sscan(text, &at)
				x := vector(s, c.ScoreX)
				xLo := s.Full(c.Mu0, torchx.Float64, torchx.CPU, int64(len(c.ScoreX)))
				got := doubles(s, c.flow.Score(s, x, at, c.field(s, x, at), xLo))
				for i := range want {
					golden.Near(t, fmt.Sprintf("%s: score at t=%s", base, text), got[i], want[i], 1e-8*math.Max(1, math.Abs(want[i])))
				}
			}
			return nil
		})
	}
}

// TestODEGolden: Euler's own path to round-off, and the exact flow to first order.
func TestODEGolden(t *testing.T) {
	for base, c := range gaussianCases(t) {
		onThread(t, func(s *torchx.Scope) error {
			last := math.Inf(1)
			for _, steps := range []int{10, 100, 1000} {
				got := c.run(s, c.sampler(steps, 0, Constant), c.Start, nil)
				worst := 0.0
				for i, want := range c.ODE[fmt.Sprint(steps)].X {
					golden.Near(t, fmt.Sprintf("%s: x after %d steps", base, steps), got[i], want, 1e-12)
					worst = math.Max(worst, math.Abs(got[i]-c.Exact[i]))
				}
				if ratio := last / worst; ratio < 8 || (steps > 10 && ratio > 12) {
					t.Errorf("%s: error %g at %d steps, %.1f times less than at a tenth: want about 10", base, worst, steps, ratio)
				}
				last = worst
			}
			return nil
		})
	}
}

// TestSolverOrders: halving the step divides the error by 2^order. On the
// Gaussian, whose velocity is linear in x and whose deviation is the root of a
// quadratic, midpoint and RK4 do better than their order; on x' = (1+t) x they
// do not.
func TestSolverOrders(t *testing.T) {
	order := func(s *torchx.Scope, p Sampler, v Velocity, start, exact float64) float64 {
		errorAt := func(steps int) float64 {
			p.Steps = steps
			x := vector(s, []float64{start})
			return math.Abs(doubles(s, p.Sample(context.Background(), s, v, x, x, nil))[0] - exact)
		}
		if p.Solver == Multistep { // its error on the Gaussian changes sign at some fifty steps
			return math.Log2(errorAt(512) / errorAt(1024))
		}
		return math.Log2(errorAt(32) / errorAt(64))
	}
	for base, c := range gaussianCases(t) {
		onThread(t, func(s *torchx.Scope) error {
			for _, m := range methods {
				solver, want := m.name, float64(m.order)
				p := c.sampler(1, 0, Constant)
				p.Solver, p.TMin, p.TMax = solver, 0.05, 0.95
				std := func(t float64) float64 { return math.Hypot((1-t)*c.S0, t*c.S1) }
				mean := func(t float64) float64 { return (1-t)*c.Mu0 + t*c.M1 }
				if got := order(s, p, c.field, mean(p.TMin)+std(p.TMin), mean(p.TMax)+std(p.TMax)); got < want-0.2 {
					t.Errorf("%s: %s converges with order %.2f, want at least %g", base, solver, got, want)
				}
			}
			return nil
		})
	}
	onThread(t, func(s *torchx.Scope) error {
		for _, m := range methods {
			solver, want := m.name, float64(m.order)
			p := Sampler{Solver: solver, TMin: 0, TMax: 1}
			v := func(s *torchx.Scope, x torchx.Tensor, times ...float64) torchx.Tensor {
				mean := 0.0
				for _, t := range times {
					mean += t / float64(len(times))
				}
				return s.Affine(x, 1+mean, 0)
			}
			if got := order(s, p, v, 1, math.Exp(1.5)); math.Abs(got-want) > 0.2 {
				t.Errorf("%s converges with order %.2f, want %g", solver, got, want)
			}
		}
		return nil
	})
}

// TestSDEPathGolden: one noisy path, element by element.
func TestSDEPathGolden(t *testing.T) {
	for base, c := range gaussianCases(t) {
		onThread(t, func(s *torchx.Scope) error {
			start := make([]float64, len(c.Path20))
			for i := range start {
				start[i] = c.Mu0 + c.S0*golden.N(6, uint64(i))
			}
			noise := func(s *torchx.Scope, step int) torchx.Tensor {
				n := make([]float64, len(start))
				for i := range n {
					n[i] = golden.N(7, uint64(step*len(start)+i))
				}
				return vector(s, n)
			}
			got := c.run(s, c.sampler(20, 0.1, Constant), start, noise)
			for i, want := range c.Path20 {
				golden.Near(t, fmt.Sprintf("%s: path", base), got[i], want, 1e-10)
			}
			return nil
		})
	}
}

// chain is the exact mean and deviation of the discrete chain, which on a
// Gaussian is affine in x: x' = a x + b + sqrt(2 w dt) noise. It starts at the
// marginal of t: 0 is the base itself, where samplers start.
func (c *gaussianCase) chain(p Sampler, t0 float64) (mean, std float64) {
	dt := (p.TMax - p.TMin) / float64(p.Steps)
	mean = (1-t0)*c.Mu0 + t0*c.M1
	variance := (1-t0)*(1-t0)*c.S0*c.S0 + t0*t0*c.S1*c.S1
	for i := range p.Steps {
		t := p.TMin + float64(i)*dt
		slope, offset := c.velocity(t)
		sigma2 := p.Sigma() * p.Sigma()
		w := map[Schedule]float64{
			Constant: p.Delta, Matched: p.Delta * (1 - t) * sigma2, Quadratic: p.Delta * sigma2 * (1 - t) * (1 - t),
		}[p.Schedule]
		base := 0.0
		if p.Base == XLoPlusNoise {
			base = c.Mu0
		}
		k := -1 / ((1 - t) * sigma2) // score = k (x - t v - base)
		a := 1 + dt*(slope+w*k*(1-t*slope))
		b := dt * (offset + w*k*(-t*offset-base))
		mean, variance = a*mean+b, a*a*variance
		if p.Schedule == Constant || i < p.Steps-1 {
			variance += 2 * w * dt
		}
	}
	return mean, math.Sqrt(variance)
}

func TestChainGolden(t *testing.T) {
	for base, c := range gaussianCases(t) {
		for text, want := range c.Recursion {
			var delta float64
			var steps int
			fmt.Sscanf(text, "%g/%d", &delta, &steps)
			mean, std := c.chain(c.sampler(steps, delta, Constant), 1e-4)
			golden.Near(t, string(base)+": mean of "+text, mean, want.Mean, 1e-9)
			golden.Near(t, string(base)+": std of "+text, std, want.Std, 1e-9)
		}
	}
	var blowUp struct {
		ByS1 map[string]float64 `json:"sde_std_delta0.1_N100_by_s1"`
	}
	golden.Load(t, "samplers", &blowUp)
	for text, want := range blowUp.ByS1 {
		c := *gaussianCases(t)[XLoPlusNoise]
		fmt.Sscan(text, &c.S1)
		_, std := c.chain(c.sampler(100, 0.1, Constant), 1e-4)
		golden.Near(t, "constant schedule, s1 "+text, std, want, 1e-6*want)
		golden.Near(t, "spread, s1 "+text, c.sampler(100, 0.1, Constant).Spread(c.S1), want, 1e-6*want)
	}
}

// TestSDEMonteCarlo: the sampler's mean and deviation over many samples are the
// chain's, within five standard errors, for every schedule.
func TestSDEMonteCarlo(t *testing.T) {
	const n = 40000
	for base, c := range gaussianCases(t) {
		for _, p := range []Sampler{
			c.sampler(50, 0, Constant), c.sampler(50, 0.1, Constant), c.sampler(50, 1, Matched), c.sampler(50, 10, Quadratic),
		} {
			onThread(t, func(s *torchx.Scope) error {
				normal := func(seed uint64) torchx.Tensor {
					return s.To(s.Randn(seed, n), torchx.Float64, torchx.CPU, torchx.NCHW)
				}
				start := doubles(s, s.Affine(normal(1), c.S0, c.Mu0))
				noise := func(in *torchx.Scope, step int) torchx.Tensor {
					return in.To(in.Randn(uint64(100+step), n), torchx.Float64, torchx.CPU, torchx.NCHW)
				}
				got := c.run(s, p, start, noise)
				mean, m2 := 0.0, 0.0
				for _, x := range got {
					mean += x / n
				}
				for _, x := range got {
					m2 += (x - mean) * (x - mean) / n
				}
				wantMean, wantStd := c.chain(p, 0)
				what := fmt.Sprintf("%s, %s, delta %g: ", base, p.Schedule, p.Delta)
				golden.Near(t, what+"mean", mean, wantMean, 5*wantStd/math.Sqrt(n))
				golden.Near(t, what+"std", math.Sqrt(m2), wantStd, 5*wantStd/math.Sqrt(2*n))
				return nil
			})
		}
	}
}

// TestSchedulesAreStable: where the truth is nearly determined, the matched and
// quadratic schedules keep its spread and the constant one loses it.
func TestSchedulesAreStable(t *testing.T) {
	c := *gaussianCases(t)[XLoPlusNoise]
	c.S1 = 0.01
	for _, p := range []Sampler{c.sampler(100, 1, Matched), c.sampler(100, 10, Quadratic)} {
		if _, std := c.chain(p, 0); std > 0.02 {
			t.Errorf("%s: deviation %g, want about 0.01", p.Schedule, std)
		}
	}
	if _, std := c.chain(c.sampler(100, 0.1, Constant), 0); std < 1 {
		t.Errorf("constant: deviation %g; if it is stable now, its warning can go", std)
	}
}

func TestSamplerValidate(t *testing.T) {
	good := Sampler{Flow: Flow{Base: XLoPlusNoise, NoiseScale: 0.1}, Steps: 10, TMin: 1e-4, TMax: 1 - 1e-4, Schedule: Constant}
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for name, change := range map[string]func(*Sampler){
		"steps":    func(p *Sampler) { p.Steps = 0 },
		"times":    func(p *Sampler) { p.TMin = 1 },
		"beyond":   func(p *Sampler) { p.TMax = 1.1 },
		"delta":    func(p *Sampler) { p.Delta = -1 },
		"no score": func(p *Sampler) { p.Delta, p.NoiseScale = 1, 0 },
		"schedule": func(p *Sampler) { p.Schedule = "wild" },
	} {
		p := good
		change(&p)
		if p.Validate() == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// TestSchedulePaths: noisy paths of every schedule, element by element, against
// the update written out in plain arithmetic.
func TestSchedulePaths(t *testing.T) {
	const n = 5
	for base, c := range gaussianCases(t) {
		for _, p := range []Sampler{c.sampler(20, 0.1, Constant), c.sampler(20, 0.7, Matched), c.sampler(20, 10, Quadratic)} {
			want := make([]float64, n)
			start := make([]float64, n)
			for i := range want {
				start[i] = c.Mu0 + c.S0*golden.N(6, uint64(i))
				want[i] = start[i]
			}
			dt := (p.TMax - p.TMin) / float64(p.Steps)
			sigma2 := p.Sigma() * p.Sigma()
			for step := range p.Steps {
				at := p.TMin + float64(step)*dt
				slope, offset := c.velocity(at)
				w := p.Delta
				switch p.Schedule {
				case Matched:
					w *= (1 - at) * sigma2
				case Quadratic:
					w *= (1 - at) * (1 - at) * sigma2
				}
				for i, x := range want {
					v := offset + slope*x
					mean := 0.0
					if base == XLoPlusNoise {
						mean = c.Mu0
					}
					score := -(x - at*v - mean) / ((1 - at) * sigma2)
					want[i] = x + (v+w*score)*dt
					if p.Schedule == Constant || step < p.Steps-1 {
						want[i] += math.Sqrt(2*w*dt) * golden.N(7, uint64(step*n+i))
					}
				}
			}
			onThread(t, func(s *torchx.Scope) error {
				noise := func(s *torchx.Scope, step int) torchx.Tensor {
					values := make([]float64, n)
					for i := range values {
						values[i] = golden.N(7, uint64(step*n+i))
					}
					return vector(s, values)
				}
				for i, x := range c.run(s, p, start, noise) {
					golden.Near(t, fmt.Sprintf("%s, %s: path", base, p.Schedule), x, want[i], 1e-10)
				}
				return nil
			})
		}
	}
}

// TestSpread: Spread is the chain's deviation, for every schedule and base.
// A drift or a noise that is 1% off would show: they are compared to 1e-9.
func TestSpread(t *testing.T) {
	for base, c := range gaussianCases(t) {
		for _, p := range []Sampler{
			c.sampler(100, 0, Constant), c.sampler(100, 0.1, Constant), c.sampler(7, 0.8, Matched), c.sampler(100, 10, Quadratic),
		} {
			for _, s1 := range []float64{0.003, 0.1, 1} {
				one := *c
				one.S1 = s1
				_, want := one.chain(p, p.TMin)
				golden.Near(t, fmt.Sprintf("%s, %s, delta %g: spread for s1 %g", base, p.Schedule, p.Delta, s1), p.Spread(s1), want, 1e-9*want)
			}
		}
	}
}

// TestChainsLimit: with more steps the chain's deviation approaches that of the
// marginal at t_max, which every w(t) has, and to first order.
func TestChainsLimit(t *testing.T) {
	for base, c := range gaussianCases(t) {
		for _, p := range []Sampler{c.sampler(1, 0, Constant), c.sampler(1, 0.1, Constant), c.sampler(1, 1, Matched), c.sampler(1, 3, Quadratic)} {
			what := fmt.Sprintf("%s, %s, delta %g: ", base, p.Schedule, p.Delta)
			off := func(steps int) float64 {
				p.Steps = steps
				mean, std := c.chain(p, p.TMin)
				golden.Near(t, what+"mean", mean, (1-p.TMax)*c.Mu0+p.TMax*c.M1, 1e-9)
				return math.Abs(std - math.Hypot((1-p.TMax)*c.S0, p.TMax*c.S1))
			}
			if coarse, fine := off(4000), off(16000); !(fine < 1e-3*c.S1 && fine < coarse/3 && fine > coarse/5) {
				t.Errorf("%sdeviation off by %g with 4000 steps and %g with 16000: want a quarter", what, coarse, fine)
			}
		}
	}
}

// TestNoiseIsAskedFor: by the constant schedule in every step, by the others in
// all but the last, and by the ODE never.
func TestNoiseIsAskedFor(t *testing.T) {
	c := gaussianCases(t)[XLoPlusNoise]
	for _, one := range []struct {
		delta    float64
		schedule Schedule
		want     []int
	}{
		{0, Constant, nil}, {0, Matched, nil},
		{0.1, Constant, []int{0, 1, 2, 3}}, {1, Matched, []int{0, 1, 2}}, {10, Quadratic, []int{0, 1, 2}},
	} {
		onThread(t, func(s *torchx.Scope) error {
			var asked []int
			got := c.run(s, c.sampler(4, one.delta, one.schedule), c.Start, func(s *torchx.Scope, step int) torchx.Tensor {
				asked = append(asked, step)
				return s.Full(0, torchx.Float64, torchx.CPU, int64(len(c.Start)))
			})
			if !slices.Equal(asked, one.want) {
				t.Errorf("%s, delta %g: noise for the steps %v, want %v", one.schedule, one.delta, asked, one.want)
			}
			if one.delta == 0 {
				for i, x := range c.run(s, c.sampler(4, 0, Constant), c.Start, nil) {
					golden.Near(t, "delta 0", got[i], x, 0)
				}
			}
			return nil
		})
	}
}

// TestSamplingStops: between two steps, with the context's cause, or at the
// velocity's own error; no tensor is left.
func TestSamplingStops(t *testing.T) {
	c := gaussianCases(t)[XLoPlusNoise]
	before := torchx.Live()
	thread, err := torchx.StartThread(1)
	if err != nil {
		t.Fatal(err)
	}
	defer thread.Close()
	stopped := errors.New("stopped")
	for _, cancelled := range []bool{true, false} {
		ctx, cancel := context.WithCancelCause(context.Background())
		steps := 0
		velocity := func(s *torchx.Scope, x torchx.Tensor, at ...float64) torchx.Tensor {
			if steps++; steps == 3 && cancelled {
				cancel(stopped)
			} else if steps == 3 {
				s.Fail(stopped)
			}
			return c.field(s, x, at...)
		}
		err := thread.Do(context.Background(), func(s *torchx.Scope) error {
			x0 := vector(s, c.Start)
			if x := c.sampler(10, 0, Constant).Sample(ctx, s, velocity, x0, x0, nil); !torchx.IsNil(x) {
				t.Error("a result of a sampling that was stopped")
			}
			return nil
		})
		cancel(nil)
		if !errors.Is(err, stopped) || steps != 3 {
			t.Errorf("error %v after %d steps, want the cause after 3", err, steps)
		}
	}
	if n := torchx.Live() - before; n != 0 {
		t.Errorf("%d tensors left", n)
	}
}

// TestSamplerValidateNames: an error names the key and the value.
func TestSamplerValidateNames(t *testing.T) {
	good := Sampler{Flow: Flow{Base: Gaussian}, Solver: RK4, Steps: 1, TMin: 0, TMax: 1, Delta: 0.1, Schedule: Matched}
	if err := good.Validate(); err != nil { // one step, from 0: the score is taken where it is defined
		t.Error(err)
	}
	for want, change := range map[string]func(*Sampler){
		"sample_steps is -3": func(p *Sampler) { p.Steps = -3 },
		"t_min is 0.6: want less than t_max, which is 0.4": func(p *Sampler) { p.TMin, p.TMax = 0.6, 0.4 },
		"t_min is -0.1: want at least 0":                   func(p *Sampler) { p.TMin = -0.1 },
		"t_min is 0.5: want less than t_max, which is 0.5": func(p *Sampler) { p.TMin, p.TMax = 0.5, 0.5 },
		"sde_delta is -0.5":                                func(p *Sampler) { p.Delta = -0.5 },
		`sde_schedule is "linear"`:                         func(p *Sampler) { p.Schedule = "linear" },
		`solver is "dopri5"`:                               func(p *Sampler) { p.Solver = "dopri5" },
		"sde_delta is 0.1 with bas":                        func(p *Sampler) { p.Flow = Flow{Base: XLoPlusNoise} },
	} {
		p := good
		change(&p)
		if err := p.Validate(); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("error %v, want one that begins with %s", err, want)
		}
	}
}
