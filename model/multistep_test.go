package model

import (
	"context"
	"math"
	"slices"
	"testing"

	"fmsr.example/fmsr/internal/torchx"
)

// TestMultistepEvaluates: once a step and once more, over times that cover each
// step, the steps growing from TMin to TMax; no tensor is left but the result.
func TestMultistepEvaluates(t *testing.T) {
	p := Sampler{Flow: Flow{Base: XLoPlusNoise, NoiseScale: 0.1}, Solver: Multistep, Steps: 9, TMin: 1e-4, TMax: 1 - 1e-4}
	before := torchx.Live()
	onThread(t, func(s *torchx.Scope) error {
		var over [][]float64
		v := func(s *torchx.Scope, x torchx.Tensor, times ...float64) torchx.Tensor {
			over = append(over, times)
			return s.Affine(x, 0, 1)
		}
		x0 := vector(s, []float64{2})
		x := p.Sample(context.Background(), s, v, x0, x0, nil)
		if n := torchx.Live() - before; n != 2 { // x0 and x
			t.Errorf("%d tensors are held", n)
		}
		if got, want := doubles(s, x)[0], 2+p.TMax-p.TMin; math.Abs(got-want) > 1e-12 {
			t.Errorf("x = %g after the velocity 1, want %g", got, want)
		}
		if len(over) != 10 {
			t.Fatalf("%d evaluations, want 10", len(over))
		}
		begin, last := p.TMin, 0.0
		for i, times := range over[1:] { // the first is the first step's predictor
			dt := 2 * (mean(times) - begin) // times are spread evenly
			if dt <= last || times[0] <= begin || slices.Max(times) >= begin+dt {
				t.Errorf("step %d from %g: times %g to %g, step %g after one of %g", i, begin, times[0], slices.Max(times), dt, last)
			}
			begin, last = begin+dt, dt
		}
		if math.Abs(begin-p.TMax) > 1e-9 {
			t.Errorf("the steps end at %g, want %g", begin, p.TMax)
		}
		return nil
	})
	if n := torchx.Live() - before; n != 0 {
		t.Errorf("%d tensors left", n)
	}
}

func mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

// TestMultistepIsClose: with a tenth of Euler's evaluations no further from the
// flow of a Gaussian, for the deviations that modes have in superres.
func TestMultistepIsClose(t *testing.T) {
	for _, s0 := range []float64{0.05, 0.1} {
		for _, s1 := range []float64{0.05, 0.1, 0.2, 0.4} {
			c := &gaussianCase{S0: s0, S1: s1, flow: Flow{Base: XLoPlusNoise, NoiseScale: s0}}
			onThread(t, func(s *torchx.Scope) error {
				off := func(solver Solver, steps int) float64 {
					p := c.sampler(steps, 0, Constant)
					p.Solver = solver
					start := math.Hypot((1-p.TMin)*s0, p.TMin*s1)
					return math.Abs(c.run(s, p, []float64{start}, nil)[0]/math.Hypot((1-p.TMax)*s0, p.TMax*s1) - 1)
				}
				if got, want := off(Multistep, 9), off(Euler, 100); got > want {
					t.Errorf("from %g to %g: off by %.4f, Euler by %.4f", s0, s1, got, want)
				}
				return nil
			})
		}
	}
}

// TestSeveralTimes: a mean over times is one evaluation that is the mean of
// theirs to first order in their distance.
func TestSeveralTimes(t *testing.T) {
	onThread(t, func(s *torchx.Scope) error {
		net, err := NewNet(s, Config{Fields: 2, Channels: 16, DType: torchx.Float64}, 3)
		if err != nil {
			return err
		}
		defer net.Free()
		randomized(s, net)
		at := func(x torchx.Tensor) torchx.Tensor { return s.To(x, torchx.Float64, torchx.CPU, torchx.NCHW) }
		x, xLo := at(s.Randn(1, 2, 2, 16, 16)), at(s.Randn(2, 2, 2, 16, 16))
		v := NewInference(net, false).Velocity(xLo)
		apart := func(a, b torchx.Tensor) float64 {
			worst, other := 0.0, doubles(s, b)
			for i, value := range doubles(s, a) {
				worst = max(worst, math.Abs(value-other[i]))
			}
			return worst
		}
		if diff := apart(v(s, x, 0.3, 0.3, 0.3), v(s, x, 0.3)); diff > 1e-12 {
			t.Errorf("the mean over one time thrice is off by %g", diff)
		}
		low, high := v(s, x, 0.3), v(s, x, 0.30001)
		whole := apart(low, high)
		if diff := apart(v(s, x, 0.3, 0.30001), s.Affine(s.Add(low, high), 0.5, 0)); whole < 1e-3 || diff > 0.05*whole {
			t.Errorf("the mean over two times is off by %g, where their velocities differ by %g", diff, whole)
		}
		return nil
	})
}
