package model

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/testkit/golden"
	"fmsr.example/fmsr/internal/torchx"
)

// TestFairCRPS: by hand, members 1, 4, 2 of the truth 3 have errors 2, 1, 1 and are 3, 2, 1
// apart: (2+1+1)/3 - (3+2+1)/(3*2) = 1/3. Of 5, 5 for the truth 5 it is 0, and of 0, 2 for 3
// it is (3+1)/2 - 2/2 = 1.
func TestFairCRPS(t *testing.T) {
	onThread(t, func(s *torchx.Scope) error {
		one := func(v float64) torchx.Tensor { return vector(s, []float64{v}) }
		golden.Near(t, "three members", s.Item(FairCRPS(s, []torchx.Tensor{one(1), one(4), one(2)}, one(3))), 1.0/3, 1e-15)
		golden.Near(t, "equal to the truth", s.Item(FairCRPS(s, []torchx.Tensor{one(5), one(5)}, one(5))), 0, 0)
		golden.Near(t, "two members", s.Item(FairCRPS(s, []torchx.Tensor{one(0), one(2)}, one(3))), 1, 1e-15)
		cells := s.Item(FairCRPS(s, []torchx.Tensor{vector(s, []float64{5, 0}), vector(s, []float64{5, 2})}, vector(s, []float64{5, 3})))
		golden.Near(t, "mean over cells", cells, 0.5, 1e-15)
		return s.Err()
	})
}

// TestFairCRPSGradient: autograd's gradient is that of finite differences, and 0 for the
// distance of two equal members.
func TestFairCRPSGradient(t *testing.T) {
	const cells, h = 7, 1e-6
	y := normals(9, cells)
	onThread(t, func(s *torchx.Scope) error {
		for m := 2; m <= 4; m++ {
			values := make([][]float64, m)
			for i := range values {
				values[i] = normals(uint64(i), cells)
			}
			score := func() (torchx.Tensor, []torchx.Tensor) {
				var members []torchx.Tensor
				for _, v := range values {
					members = append(members, vector(s, v))
					s.RequiresGrad(members[len(members)-1], true)
				}
				return FairCRPS(s, members, vector(s, y)), members
			}
			loss, members := score()
			s.Backward(loss)
			for i, member := range members {
				for j, got := range doubles(s, s.Grad(member)) {
					at := func(v float64) float64 {
						was := values[i][j]
						defer func() { values[i][j] = was }()
						values[i][j] += v
						moved, _ := score()
						return s.Item(moved)
					}
					golden.Near(t, fmt.Sprintf("gradient of member %d of %d in cell %d", i, m, j), got, (at(h)-at(-h))/(2*h), 1e-9)
				}
			}
		}
		a, b := vector(s, []float64{1}), vector(s, []float64{1})
		s.RequiresGrad(a, true)
		s.RequiresGrad(b, true)
		s.Backward(FairCRPS(s, []torchx.Tensor{a, b}, vector(s, []float64{0})))
		golden.Near(t, "gradient of one of two equal members", s.Item(s.Grad(a)), 0.5, 1e-15)
		golden.Near(t, "gradient of the other", s.Item(s.Grad(b)), 0.5, 1e-15)
		return s.Err()
	})
}

// TestFairCRPSIsProper: for a truth N(mu,sigma^2), M members N(a,b^2) have the expectation
//
//	E|x-y| - E|x-x'|/2 = A(a-mu, b^2+sigma^2) - b/sqrt(pi),
//
// A(m,v) = sqrt(2v/pi) exp(-m^2/2v) + m erf(m/sqrt(2v)), whatever M is. It is least at a =
// mu, b = sigma: sigma/sqrt(pi).
func TestFairCRPSIsProper(t *testing.T) {
	const mu, sigma, n = 0.5, 0.3, 1 << 18
	expected := func(a, b float64) float64 {
		m, v := a-mu, b*b+sigma*sigma
		return math.Sqrt(2*v/math.Pi)*math.Exp(-m*m/(2*v)) + m*math.Erf(m/math.Sqrt(2*v)) - b/math.Sqrt(math.Pi)
	}
	golden.Near(t, "the least score", expected(mu, sigma), sigma/math.Sqrt(math.Pi), 1e-15)
	onThread(t, func(s *torchx.Scope) error {
		y := s.Affine(s.Randn(99, n), sigma, mu)
		for m := 2; m <= 4; m++ {
			for _, c := range [][2]float64{{mu, sigma}, {mu + 0.2, sigma}, {mu - 0.2, sigma}, {mu, sigma / 2}, {mu, 2 * sigma}, {mu, 0}} {
				var members []torchx.Tensor
				for i := range m {
					members = append(members, s.Affine(s.Randn(uint64(i), n), c[1], c[0]))
				}
				got := s.Item(FairCRPS(s, members, y))
				golden.Near(t, fmt.Sprintf("%d members N(%g,%g^2)", m, c[0], c[1]), got, expected(c[0], c[1]), 2e-3)
				if c != [2]float64{mu, sigma} && got < expected(mu, sigma)+0.01 {
					t.Errorf("%d members N(%g,%g^2): score %g is as good as the truth's own %g", m, c[0], c[1], got, expected(mu, sigma))
				}
			}
		}
		return s.Err()
	})
}

// objectiveTrainer is tinyTrainer with another objective and rate.
func objectiveTrainer(t *testing.T, o Objective, members int, lr float64) *Trainer {
	t.Helper()
	thread, err := torchx.StartThread(1)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := NewTrainer(context.Background(), thread, Config{Fields: 2, Channels: 8, Mult: []int{1, 1}, Periodic: true},
		Hyper{Flow: Flow{Objective: o, Base: XLoPlusNoise, NoiseScale: 0.5, LossScale: 100}, Members: members, LR: lr, GradClip: 10, TMin: 0.2, TMax: 0.9, Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.Close)
	return tr
}

// TestObjectivesAtTheStart: a new network's v is 0. So regression's loss is 100 times the
// mean of (x1 - x_lo)^2, and CRPS's 100 times that of |x1 - x_lo|, for all members are
// x_lo. Noise and times have no part.
func TestObjectivesAtTheStart(t *testing.T) {
	x1, xLo := normals(1, 2*2*8*12), normals(2, 2*2*8*12)
	var square, size float64
	for i := range x1 {
		d := x1[i] - xLo[i]
		square += d * d / float64(len(x1))
		size += math.Abs(d) / float64(len(x1))
	}
	for _, c := range []struct {
		o       Objective
		members int
		want    float64
	}{{Regression, 2, square}, {CRPS, 2, size}, {CRPS, 4, size}} {
		tr := objectiveTrainer(t, c.o, c.members, 1e-3)
		err := tr.Do(context.Background(), func(s *torchx.Scope) error {
			as := func(v []float64) torchx.Tensor {
				return s.To(grid(s, v, 2, 2, 8, 12), torchx.Float32, torchx.CPU, tr.Net.Config().Format)
			}
			noise, times := tr.draws(s, as(x1), 0)
			if rows := int64(2 * max(1, tr.each())); noise.Shape()[0] != rows || int64(torchx.Numel(times)) != rows || slices.Max(s.Floats(times)) != 0 {
				t.Errorf("%s: noise %v, times %v", c.o, noise.Shape(), s.Floats(times))
			}
			r, err := tr.TrainStep(s, as(xLo), as(x1))
			golden.Near(t, c.o.String(), r.Loss, 100*c.want, 1e-4*c.want)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestCRPSLoss: each member is x_lo plus the network's v at its own x0 and t = 0, and the
// loss is the score of a sample's members, and not of others'.
func TestCRPSLoss(t *testing.T) {
	const n, m, c = 3, 2, 2
	tr := objectiveTrainer(t, CRPS, m, 1e-2)
	err := tr.Do(context.Background(), func(s *torchx.Scope) error {
		format := tr.Net.Config().Format
		as := func(x torchx.Tensor) torchx.Tensor { return s.To(x, torchx.Float32, torchx.CPU, format) }
		x1, xLo := as(s.Randn(1, n, c, 8, 8)), as(s.Randn(2, n, c, 8, 8))
		for range 5 { // a new network ignores its input
			if _, err := tr.TrainStep(s, xLo, x1); err != nil {
				return err
			}
		}
		noise, times := tr.draws(s, x1, 0)
		x0 := tr.SampleBase(s, xLo, noise)
		got := s.Item(tr.Loss(s, tr.Net, xLo, x1, x0, times))
		want, apart := 0.0, 0.0
		for i := range int64(n) {
			row := func(x torchx.Tensor, k int64) torchx.Tensor { return as(s.Narrow(x, 0, k, 1)) }
			var members []torchx.Tensor
			for k := range int64(m) {
				x := s.AddScaled(row(xLo, i), row(noise, m*i+k), tr.NoiseScale)
				v := Forward(s, tr.Net, s.Cat(1, x, row(xLo, i)), s.Full(0, torchx.Float32, torchx.CPU, 1))
				members = append(members, s.Add(row(xLo, i), v))
			}
			want += 100 * s.Item(FairCRPS(s, members, row(x1, i))) / n
			apart += s.Item(s.MSE(members[0], members[1]))
		}
		golden.Near(t, "loss", got, want, 1e-4*want)
		if apart < 1e-6 {
			t.Errorf("members are %g apart: the test sees nothing", apart)
		}
		return s.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestOneEvaluation: samples of the other objectives are x_lo + v(x0, 0), with one
// evaluation, whatever the sampler's keys; with a constraint, its projection.
func TestOneEvaluation(t *testing.T) {
	const n = 24
	xLo, noise := normals(1, n), normals(2, n)
	keys := SamplerConfig{SampleSteps: 7, Solver: string(Heun), TMin: 0.1, TMax: 0.8, SDEDelta: 1, SDESchedule: string(Matched)}
	onThread(t, func(s *torchx.Scope) error {
		for _, o := range []Objective{Regression, CRPS} {
			for _, constrained := range []bool{false, true} {
				p := keys.Sampler(Flow{Objective: o, Base: XLoPlusNoise, NoiseScale: 0.5})
				if constrained {
					p.Constrain = func(s *torchx.Scope, x1, _ torchx.Tensor) torchx.Tensor { return s.Affine(x1, 2, 1) }
				}
				calls := 0
				velocity := func(s *torchx.Scope, x torchx.Tensor, at ...float64) torchx.Tensor {
					calls++
					if len(at) != 1 || at[0] != 0 {
						t.Errorf("%s: evaluated at %v", o, at)
					}
					return s.Affine(x, 3, 5)
				}
				given := grid(s, xLo, 2, 1, 3, 4)
				x0 := p.SampleBase(s, given, grid(s, noise, 2, 1, 3, 4))
				x := p.Sample(context.Background(), s, velocity, x0, given, func(*torchx.Scope, int) torchx.Tensor { panic("asked for noise") })
				for i, got := range doubles(s, x) {
					want := 4*xLo[i] + 5
					if o == CRPS {
						want += 3 * 0.5 * noise[i]
					}
					if constrained {
						want = 2*want + 1
					}
					golden.Near(t, o.String(), got, want, 1e-13)
				}
				if calls != 1 {
					t.Errorf("%s: %d evaluations", o, calls)
				}
			}
		}
		return s.Err()
	})
	if err := keys.Sampler(Flow{Objective: Regression, Base: XLoPlusNoise}).Validate(); err != nil {
		t.Error(err)
	}
	usual := keys
	if got := keys.Idle(usual); got != nil {
		t.Errorf("idle %v", got)
	}
	usual.SampleSteps, usual.SDEDelta, usual.TMax = 8, 0, 1
	if got := keys.Idle(usual); !slices.Equal(got, []string{"sample_steps", "t_max", "sde_delta"}) {
		t.Errorf("idle %v", got)
	}
}

// TestObjectivesLearn: of a truth x1 = x_lo + 0.5 + 0.3 N(0,1), regression learns the mean
// x_lo + 0.5 and CRPS the distribution: the members' mean and their deviation of 0.3.
func TestObjectivesLearn(t *testing.T) {
	if testing.Short() {
		t.Skip("it trains for 250 steps, on one goroutine")
	}
	const shift, sigma, n, steps = 0.5, 0.3, 4, 250
	for _, c := range []struct {
		o              Objective
		members        int
		spread, within float64
	}{{Regression, 0, 0, 0}, {CRPS, 2, sigma, 0.03}} {
		tr := objectiveTrainer(t, c.o, c.members, 1e-2)
		tr.Schedule, tr.TotalSteps = "cosine", steps
		err := tr.Do(context.Background(), func(s *torchx.Scope) error {
			as := func(x torchx.Tensor) torchx.Tensor {
				return s.To(x, torchx.Float32, torchx.CPU, tr.Net.Config().Format)
			}
			given := func(k uint64) torchx.Tensor { return as(s.Randn(1000+k, n, 2, 8, 8)) }
			for k := range uint64(steps) {
				xLo := given(k)
				x1 := s.AddScaled(s.Affine(xLo, 1, shift), as(s.Randn(k, n, 2, 8, 8)), sigma)
				if _, err := tr.TrainStep(s, xLo, x1); err != nil {
					return err
				}
			}
			xLo := given(steps)
			g := Generator{Inference: tr.Inference(false), Sampler: SamplerConfig{}.Sampler(tr.Flow)}
			var samples [2][]float64
			torchx.NoGrad(func() {
				for i := range samples {
					g.Streams = func(k uint64) []uint64 { return []uint64{uint64(7 + i)} }
					samples[i] = doubles(s, g.Sample(context.Background(), s, xLo))
				}
			})
			var mean, off, apart float64
			for i, x := range doubles(s, xLo) {
				a, b := samples[0][i]-x-shift, samples[1][i]-x-shift
				mean += (a + b) / 2
				off += (a + b) * (a + b) / 4
				apart += (a - b) * (a - b) / 2
			}
			cells := float64(len(samples[0]))
			mean, off, apart = mean/cells, math.Sqrt(off/cells), math.Sqrt(apart/cells)
			t.Logf("%s, %d members: mean off by %.3f, mean of two off by %.3f, spread %.3f", c.o, c.members, mean, off, apart)
			golden.Near(t, c.o.String()+": mean", mean, 0, 0.03)
			golden.Near(t, c.o.String()+": spread", apart, c.spread, c.within)
			if c.o == Regression {
				golden.Near(t, "regression: error", off, 0, 0.06)
			}
			return s.Err()
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestObjectiveInCheckpoint: a checkpoint has the objective, unless it is flow matching, and
// training resumes with the same one, to the same bits.
func TestObjectiveInCheckpoint(t *testing.T) {
	ctx := context.Background()
	c := Checkpoint{Channels: []string{"a", "b"}, Stats: &field.Stats{Mean: []float64{0, 0}, Std: []float64{1, 1}}, Input: Input{Factor: 2}, Averaged: true}
	steps := func(tr *Trainer, n int) {
		t.Helper()
		for range n {
			if err := tr.Do(ctx, func(s *torchx.Scope) error {
				x := s.To(s.Randn(uint64(tr.Step), 2, 2, 8, 8), torchx.Float32, torchx.CPU, tr.Net.Config().Format)
				tr.Accumulate(s, x, s.Affine(x, 1, 1), 0, 2)
				tr.Accumulate(s, x, s.Affine(x, 2, 1), 1, 2)
				_, err := tr.Update(s)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			if err := tr.UpdateEMA(ctx, Averaging{Decay: 0.9}); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, o := range []Objective{FlowMatching, Regression, CRPS} {
		whole, first, second := objectiveTrainer(t, o, 3, 1e-3), objectiveTrainer(t, o, 3, 1e-3), objectiveTrainer(t, o, 3, 1e-3)
		steps(whole, 4)
		steps(first, 2)
		path := filepath.Join(t.TempDir(), "checkpoint.pt")
		if err := save(ctx, first, path, c); err != nil {
			t.Fatal(err)
		}
		l, err := OpenCheckpoint(path)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if l.Flow.Objective != o {
			t.Errorf("objective %s, want %s", l.Flow.Objective, o)
		}
		config, err := l.dict("config")
		if err != nil {
			t.Fatal(err)
		}
		if said := config.Get("objective") != nil; said != (o != FlowMatching) {
			t.Errorf("%s: the checkpoint has the key: %v", o, said)
		}
		if err := l.CheckTraining(first.Net.Config(), first.Hyper, c.Input); err != nil {
			t.Error(err)
		}
		other := first.Hyper
		other.Objective = (o + 1) % 3
		want := fmt.Sprintf("its objective was %s, and the run's is %s", o, other.Objective)
		if err := l.CheckTraining(first.Net.Config(), other, c.Input); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
		if err := second.Restore(ctx, l); err != nil {
			t.Fatal(err)
		}
		steps(second, 2)
		if !slices.Equal(state(t, second), state(t, whole)) {
			t.Errorf("%s: the resumed training ends elsewhere", o)
		}
	}
	if _, err := ObjectiveNamed("crsp"); err == nil {
		t.Error("no error for an unknown objective")
	}
}
