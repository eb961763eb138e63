package model

import (
	"fmt"
	"math"
	"slices"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/torchx"
)

// BaseDist is the distribution that sampling starts from.
type BaseDist string

// The base distributions: x0 ~ N(0,I); x0 = x_lo + base_noise_scale N(0,I); and MeasuredBase.
const (
	Gaussian     BaseDist = "gaussian"
	XLoPlusNoise BaseDist = "x_lo_plus_noise"
	LostBand     BaseDist = "x_lo_plus_lost_band"
	Learned      BaseDist = "learned"
)

// Flow is conditional flow matching along straight paths (Lipman et al. 2023,
// arXiv:2210.02747; Tong et al. 2024, arXiv:2302.00482):
//
//	xt = (1-t) x0 + t x1,   target v = x1 - x0,   loss = scale mean((v_pred - v)^2)
type Flow struct {
	Objective  Objective
	Base       BaseDist
	NoiseScale float64       // sigma of x_lo_plus_noise, in normalized units; a factor of a MeasuredBase's noise
	Measured   *MeasuredBase // nil unless Base has one
	LossScale  float64
	Noise      field.Constraints // what noise is limited to: Projection.Noise; zero: free noise
	Map        Distilled         // of FlowMap
}

// Velocity returns a network's flow velocity v (N,C,H,W) at x (N,C,H,W) and the time t of
// all samples, or the mean of v over several times. Of a flow map, it returns u from t to s, the
// two times.
type Velocity func(s *torchx.Scope, x torchx.Tensor, t ...float64) torchx.Tensor

// Sigma returns the deviation of x0 about its mean, for a MeasuredBase in units of its noise.
func (f Flow) Sigma() float64 {
	switch {
	case f.Objective == Regression:
		return 0
	case f.Base == Gaussian:
		return 1
	}
	return f.NoiseScale
}

// width returns the deviation of x0 about its mean, in normalized units.
func (f Flow) width() float64 {
	if f.Measured == nil {
		return f.Sigma()
	}
	return f.Sigma() * f.Measured.rms()
}

// SampleBase returns x0 for the mean (N,C,H,W) and the noise (N M,C,H,W) of a GridBase, in
// noise's shape: M draws in a row for each sample of the mean.
func (f Flow) SampleBase(s *torchx.Scope, mean, noise torchx.Tensor) torchx.Tensor {
	switch {
	case f.Objective == Regression:
		return s.Alias(mean)
	case f.Base == Gaussian:
		return s.Alias(noise)
	}
	return s.AddScaled(repeated(s, mean, noise.Shape()[0]/mean.Shape()[0]), noise, f.NoiseScale)
}

// Interpolate returns xt = (1-t) x0 + t x1 (N,C,H,W), for a time of each sample, t (N).
func (f Flow) Interpolate(s *torchx.Scope, x0, x1, t torchx.Tensor) torchx.Tensor {
	t = s.Reshape(t, -1, 1, 1, 1)
	return s.Add(s.Mul(s.Affine(t, -1, 1), x0), s.Mul(t, x1))
}

// Loss returns the loss of the network, a tensor of one element, for x_lo, x1 and x0
// (N,C,H,W) and times t (N). Regression is flow matching with x0 = x_lo and t = 0. CRPS has
// as many x0 and times for each sample as the ensemble has members.
func (f Flow) Loss(s *torchx.Scope, net Net, xLo, x1, x0, t torchx.Tensor) torchx.Tensor {
	made, truth := f.compared(s, net, xLo, x1, x0, t)
	return f.score(s, net.Config(), nil, made, truth)
}

// compared returns what the loss compares, (N,C,H,W): the network's velocity and the
// target or, of CRPS, the members and x1. Of a flow map, x1 is the target, x0 is x_t, and times
// are t and s (N,2).
func (f Flow) compared(s *torchx.Scope, net Net, xLo, x1, x0, t torchx.Tensor) (made []torchx.Tensor, truth torchx.Tensor) {
	if f.Objective == CRPS {
		return f.members(s, net, xLo, x0, t), x1
	}
	if f.Objective == FlowMap {
		return []torchx.Tensor{Forward(s, net, s.Cat(1, x0, xLo), t)}, x1
	}
	xt := f.Interpolate(s, x0, x1, t)
	truth = s.AddScaled(x1, x0, -1)
	return []torchx.Tensor{Forward(s, net, s.Cat(1, xt, xLo), t)}, truth
}

// score returns the loss of what compared returns, its mean over the given dimensions, or
// over all. Weights are of the fields; nil: all are 1. A weight w is a factor sqrt(w) of
// values whose squares count, and w of values whose sizes do.
func (f Flow) score(s *torchx.Scope, c Config, weights []float64, made []torchx.Tensor, truth torchx.Tensor, over ...int64) torchx.Tensor {
	if weights != nil {
		factors := make([]float64, len(weights))
		for i, w := range weights {
			if factors[i] = w; f.Objective != CRPS {
				factors[i] = math.Sqrt(w)
			}
		}
		by := weightTensor(s, c, factors, 1, int64(len(factors)), 1, 1)
		weighted := make([]torchx.Tensor, len(made))
		for i, x := range made {
			weighted[i] = s.Mul(x, by)
		}
		made, truth = weighted, s.Mul(truth, by)
	}
	var mean torchx.Tensor
	switch {
	case f.Objective == CRPS:
		mean = FairCRPS(s, made, truth, over...)
	case over == nil:
		mean = s.MSE(made[0], truth)
	default:
		d := s.AddScaled(made[0], truth, -1)
		mean = s.Mean(s.Mul(d, d), over...)
	}
	return s.Affine(mean, f.LossScale, 0)
}

// weightTensor returns the fields' weights in a shape. It is made on the device: a CUDA
// graph records no copies from the host.
func weightTensor(s *torchx.Scope, c Config, weights []float64, shape ...int64) torchx.Tensor {
	each := make([]torchx.Tensor, len(weights))
	for i, w := range weights {
		each[i] = s.Full(w, c.DType, c.Device, 1)
	}
	return s.Reshape(s.Cat(0, each...), shape...)
}

// Score returns grad log p_t(x) (N,C,H,W) of the marginal, from the velocity v at x:
// for a base N(m, sigma^2), m being mean (N,C,H,W), or 0 for Gaussian,
//
//	-(x - t v - m) / ((1-t) sigma^2)
//
// For noise of another covariance C, a MeasuredBase's, or its projection's, this is C grad log p_t(x).
func (f Flow) Score(s *torchx.Scope, x torchx.Tensor, t float64, v, mean torchx.Tensor) torchx.Tensor {
	r := s.AddScaled(x, v, -t)
	if f.Base != Gaussian {
		r = s.AddScaled(r, mean, -1)
	}
	sigma := f.Sigma()
	return s.Affine(r, -1/((1-t)*sigma*sigma), 0)
}

// Validate reports an unusable flow, by the keys base_dist and base_noise_scale of specs.
func (f Flow) Validate() error {
	if !slices.Contains([]BaseDist{Gaussian, XLoPlusNoise, LostBand, Learned}, f.Base) {
		return fmt.Errorf("base_dist %q: want %s, %s, %s or %s", f.Base, XLoPlusNoise, Gaussian, LostBand, Learned)
	}
	if !(f.NoiseScale >= 0) || math.IsInf(f.NoiseScale, 0) {
		return fmt.Errorf("base_noise_scale %g: want a number of at least 0", f.NoiseScale)
	}
	return nil
}
