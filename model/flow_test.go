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

// normals are n standard normal numbers, a function of the stream.
func normals(stream uint64, n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = golden.N(stream, uint64(i))
	}
	return v
}

// grid is a float64 tensor (N,C,H,W) of those values.
func grid(s *torchx.Scope, v []float64, shape ...int64) torchx.Tensor {
	return s.Reshape(vector(s, v), shape...)
}

func TestSampleBase(t *testing.T) {
	xLo, noise := normals(1, 24), normals(2, 24)
	onThread(t, func(s *torchx.Scope) error {
		base := func(f Flow) []float64 {
			return doubles(s, f.SampleBase(s, grid(s, xLo, 2, 1, 3, 4), grid(s, noise, 2, 1, 3, 4)))
		}
		for _, sigma := range []float64{0, 0.1, 0.7} {
			for i, x := range base(Flow{Base: XLoPlusNoise, NoiseScale: sigma}) {
				golden.Near(t, "x_lo_plus_noise", x, xLo[i]+sigma*noise[i], 1e-15)
			}
		}
		for i, x := range base(Flow{Base: Gaussian, NoiseScale: 0.1}) { // the scale is the other one's
			golden.Near(t, "gaussian", x, noise[i], 0)
		}
		return nil
	})
	golden.Near(t, "sigma of x_lo_plus_noise", Flow{Base: XLoPlusNoise, NoiseScale: 0.1}.Sigma(), 0.1, 0)
	golden.Near(t, "sigma of gaussian", Flow{Base: Gaussian, NoiseScale: 0.1}.Sigma(), 1, 0)
}

// TestInterpolate: every sample at its own time; at 0 and 1 the ends themselves.
func TestInterpolate(t *testing.T) {
	x0, x1, times := normals(1, 48), normals(2, 48), []float64{0, 0.25, 0.9, 1}
	onThread(t, func(s *torchx.Scope) error {
		xt := Flow{}.Interpolate(s, grid(s, x0, 4, 2, 2, 3), grid(s, x1, 4, 2, 2, 3), vector(s, times))
		for i, x := range doubles(s, xt) {
			at := times[i/12]
			golden.Near(t, fmt.Sprintf("xt at %g", at), x, (1-at)*x0[i]+at*x1[i], 1e-15)
		}
		return nil
	})
}

func TestFlowValidate(t *testing.T) {
	for _, c := range []struct {
		flow Flow
		ok   bool
	}{
		{Flow{Base: XLoPlusNoise, NoiseScale: 0.1}, true},
		{Flow{Base: XLoPlusNoise}, true},
		{Flow{Base: Gaussian}, true},
		{Flow{Base: "uniform", NoiseScale: 0.1}, false},
		{Flow{}, false},
		{Flow{Base: XLoPlusNoise, NoiseScale: -0.1}, false},
	} {
		if err := c.flow.Validate(); (err == nil) != c.ok {
			t.Errorf("%+v: error %v", c.flow, err)
		}
	}
}

// TestLossOfAFreshNetwork: its output convolution is zero, so v = 0 and the loss
// is loss_scale mean((x1-x0)^2), whatever the time.
func TestLossOfAFreshNetwork(t *testing.T) {
	x0, x1, xLo := normals(1, 512), normals(2, 512), normals(3, 512)
	square := 0.0
	for i := range x0 {
		square += (x1[i] - x0[i]) * (x1[i] - x0[i]) / 512
	}
	onOneCore(t, func(s *torchx.Scope) error {
		net, err := NewNet(s, Config{Fields: 1, Channels: 16, DType: torchx.Float64}, 3)
		if err != nil {
			return err
		}
		defer net.Free()
		in := func(v []float64) torchx.Tensor { return grid(s, v, 2, 1, 16, 16) }
		for _, scale := range []float64{1, 100} {
			f := Flow{Base: XLoPlusNoise, NoiseScale: 0.1, LossScale: scale}
			loss := s.Item(f.Loss(s, net, in(xLo), in(x1), in(x0), vector(s, []float64{0.1, 0.8})))
			golden.Near(t, "loss of a fresh network", loss, scale*square, 1e-12*scale)
		}
		return nil
	})
}

// randomized fills every parameter, also those that start at zero, from its
// index, so that all of the network takes part.
func randomized(s *torchx.Scope, u Net) {
	for j, p := range u.Params() {
		values := make([]float64, numel(p.Shape))
		for i := range values {
			values[i] = golden.Weight(uint64(j), uint64(i), p.Name, p.Shape)
		}
		w := s.Full(0, torchx.Float64, torchx.CPU, p.Shape...)
		torchx.Write(s, w, values)
		s.Copy(p.Tensor, w)
	}
}

// onOneCore is onThread on one core: the team of two, in many small kernels on
// cores that others use, would spend ten times the work in waiting for itself.
func onOneCore(t *testing.T, f func(s *torchx.Scope) error) {
	t.Helper()
	onCores(t, 1, f)
}

// forward is a randomized network's velocity and gradient norms for one of many inputs.
func forward(t *testing.T, config Config, bf16 bool, input uint64) (v, norms []float64) {
	onOneCore(t, func(s *torchx.Scope) error {
		config.Fields, config.Channels = 2, 16
		net, err := NewNet(s, config, 1)
		if err != nil {
			return err
		}
		defer net.Free()
		randomized(s, net)
		for _, p := range net.Params() {
			s.RequiresGrad(p.Tensor, true)
		}
		x := s.To(grid(s, normals(2*input+1, 2*4*16*16), 2, 4, 16, 16), net.Config().DType, torchx.CPU, net.Config().Format)
		times := s.To(vector(s, []float64{0.2, 0.7}), net.Config().DType, torchx.CPU, torchx.NCHW)
		var out torchx.Tensor
		s.Autocast(torchx.CPU, bf16, func() { out = net.Forward(s, x, times) })
		v = doubles(s, out)
		// not the mean square: behind a norm that hardly depends on the weights
		weights := s.To(grid(s, normals(2*input+2, 2*2*16*16), 2, 2, 16, 16), out.Dtype(), torchx.CPU, net.Config().Format)
		s.Backward(s.Mean(s.Mul(out, weights)))
		for _, p := range net.Params() {
			norms = append(norms, l2(doubles(s, s.Grad(p.Tensor))))
		}
		return s.Err()
	})
	return v, norms
}

// apart is the root mean square of a - b over that of b.
func apart(a, b []float64) float64 {
	d := make([]float64, len(a))
	for i := range a {
		d[i] = a[i] - b[i]
	}
	return l2(d) / l2(b)
}

// TestFormatsAndTypes: the memory format changes nothing but round-off, padding
// changes much, and bf16 stays within a few percent of float32; its gradients, on
// a grid whose coarsest norms are over four cells, within 15. That is their median
// over inputs: some are close to where such a norm has no derivative.
func TestFormatsAndTypes(t *testing.T) {
	const inputs = 5
	for _, c := range []struct {
		name                string
		config              Config
		bf16                bool
		low, high, gradient float64 // how far off: the velocity, at least and at most, and the gradients
	}{
		{"channels first", Config{Format: torchx.NCHW}, false, 0, 1e-5, 2e-5},
		{"bf16", Config{}, true, 1e-3, 0.04, 0.15},
		{"bf16, channels first", Config{Format: torchx.NCHW}, true, 1e-3, 0.04, 0.15},
		{"periodic", Config{Periodic: true}, false, 0.1, 10, 10},
	} {
		var offs []float64
		for input := range uint64(inputs) {
			v, norms := forward(t, Config{}, false, input)
			got, gotNorms := forward(t, c.config, c.bf16, input)
			if off := apart(got, v); !(off >= c.low && off <= c.high) {
				t.Errorf("%s: the velocity is off by %.2g of its size, want %g to %g", c.name, off, c.low, c.high)
			}
			offs = append(offs, apart(gotNorms, norms))
		}
		slices.Sort(offs)
		if off := offs[inputs/2]; !(off <= c.gradient) {
			t.Errorf("%s: the gradients' norms are off by %.2g of their size, want at most %g", c.name, off, c.gradient)
		}
	}
}

// TestPeriodicShift: a periodic network commutes with a shift of the whole field
// by the coarsest level's cell; one that pads with zeros does not.
func TestPeriodicShift(t *testing.T) {
	const n, by = 32, 8
	x := normals(1, 2*n*n)
	shifted := make([]float64, len(x))
	for i := range x {
		c, y, xx := i/(n*n), i/n%n, i%n
		shifted[(c*n+(y+by)%n)*n+(xx+2*by)%n] = x[i]
	}
	for _, periodic := range []bool{true, false} {
		onOneCore(t, func(s *torchx.Scope) error {
			net, err := NewNet(s, Config{Fields: 1, Channels: 16, Periodic: periodic}, 1)
			if err != nil {
				return err
			}
			defer net.Free()
			randomized(s, net)
			v := func(x []float64) []float64 {
				in := s.To(grid(s, x, 1, 2, n, n), torchx.Float32, torchx.CPU, torchx.NCHW)
				return doubles(s, net.Forward(s, in, s.Full(0.3, torchx.Float32, torchx.CPU, 1)))
			}
			a, b := v(x), v(shifted)
			if s.Err() != nil {
				return s.Err()
			}
			back := make([]float64, len(a))
			for i := range back {
				y, xx := i/n, i%n
				back[i] = b[(y+by)%n*n+(xx+2*by)%n]
			}
			if off := apart(back, a); (off < 1e-5) != periodic {
				t.Errorf("periodic %v: shifting first or last differs by %.2g", periodic, off)
			}
			return nil
		})
	}
}

// trained are the losses of a few steps and the weights, averages and moments
// after them.
func trained(t *testing.T, seed uint64, bf16 bool) (losses []float64, weights []float32) {
	t.Helper()
	before := torchx.Live()
	ctx := context.Background()
	thread, err := torchx.StartThread(1)
	if err != nil {
		t.Fatal(err)
	}
	tr, err := NewTrainer(ctx, thread, Config{Fields: 1, Channels: 16}, Hyper{
		Flow: Flow{Base: XLoPlusNoise, NoiseScale: 0.1, LossScale: 100},
		LR:   1e-3, GradClip: 1, TMin: 1e-4, TMax: 1 - 1e-4, BF16: bf16, Seed: seed,
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		err := tr.Do(ctx, func(s *torchx.Scope) error {
			x1 := s.To(grid(s, golden.Fields(2, 1, 16), 2, 1, 16, 16), torchx.Float32, torchx.CPU, torchx.NCHW)
			r, err := tr.TrainStep(s, s.UpsampleBilinear(s.AvgPool2d(x1, 2), 2), x1)
			losses = append(losses, r.Loss)
			return err
		})
		if err == nil {
			err = tr.UpdateEMA(ctx, Averaging{Decay: 0.9})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	err = tr.Do(ctx, func(s *torchx.Scope) error {
		for _, list := range [][]torchx.Tensor{Tensors(tr.Net), Tensors(tr.EMA), tr.m, tr.v} {
			for _, x := range list {
				weights = append(weights, s.Floats(x)...)
			}
		}
		return nil
	})
	tr.Close()
	if err != nil {
		t.Fatal(err)
	}
	if n := torchx.Live() - before; n != 0 {
		t.Errorf("%d tensors left", n)
	}
	return losses, weights
}

// TestTrainingRepeats: bit for bit with the same seed, and not with another.
func TestTrainingRepeats(t *testing.T) {
	for _, bf16 := range []bool{false, true} {
		losses, weights := trained(t, 1, bf16)
		again, weightsAgain := trained(t, 1, bf16)
		for i := range losses {
			if math.Float64bits(losses[i]) != math.Float64bits(again[i]) || !(losses[i] > 0) {
				t.Errorf("bf16 %v: step %d had the loss %v and then %v", bf16, i+1, losses[i], again[i])
			}
		}
		for i := range weights {
			if math.Float32bits(weights[i]) != math.Float32bits(weightsAgain[i]) {
				t.Fatalf("bf16 %v: weight %d is %v and then %v", bf16, i, weights[i], weightsAgain[i])
			}
		}
		other, _ := trained(t, 2, bf16)
		for i := range losses {
			if losses[i] == other[i] {
				t.Errorf("bf16 %v: step %d has the loss %v with either seed", bf16, i+1, losses[i])
			}
		}
	}
}
