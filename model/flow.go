package model

import (
	"fmt"
	"math"

	"fmsr/internal/field"
	"fmsr/internal/torchx"
)

// BaseDist is the distribution that sampling starts from.
type BaseDist string

// The base distributions: x0 ~ N(0,I); x0 = x_lo + base_noise_scale N(0,I); and MeasuredBase.
const (
	Gaussian     BaseDist = "gaussian"
	XLoPlusNoise BaseDist = "x_lo_plus_noise"
	LostBand     BaseDist = "x_lo_plus_lost_band"
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
}

// Velocity returns a velocity model's v (N,C,H,W) at x (N,C,H,W) and the time t of
// all samples, or the mean of v over several times.
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

// SampleBase returns x0 for x_lo (N,C,H,W) and the noise of a GridBase (N M,C,H,W), in
// noise's shape: M draws in a row for each sample of x_lo.
func (f Flow) SampleBase(s *torchx.Scope, xLo, noise torchx.Tensor) torchx.Tensor {
	switch {
	case f.Objective == Regression:
		return s.Alias(xLo)
	case f.Base == Gaussian:
		return s.Alias(noise)
	}
	return s.AddScaled(repeated(s, xLo, noise.Shape()[0]/xLo.Shape()[0]), noise, f.NoiseScale)
}

// Interpolate returns xt = (1-t) x0 + t x1 (N,C,H,W), for a time of each sample, t (N).
func (f Flow) Interpolate(s *torchx.Scope, x0, x1, t torchx.Tensor) torchx.Tensor {
	t = s.Reshape(t, -1, 1, 1, 1)
	return s.Add(s.Mul(s.Affine(t, -1, 1), x0), s.Mul(t, x1))
}

// Loss returns the loss of the network, a tensor of one element, for x_lo, x1 and x0
// (N,C,H,W) and times t (N). Regression is flow matching with x0 = x_lo and t = 0. CRPS has
// as many x0 and times for each sample as the ensemble has members: see crpsLoss.
func (f Flow) Loss(s *torchx.Scope, net Net, xLo, x1, x0, t torchx.Tensor) torchx.Tensor {
	if f.Objective == CRPS {
		return f.crpsLoss(s, net, xLo, x1, x0, t)
	}
	xt := f.Interpolate(s, x0, x1, t)
	v := s.AddScaled(x1, x0, -1)
	predicted := Forward(s, net, s.Cat(1, xt, xLo), t)
	return s.Affine(s.MSE(predicted, v), f.LossScale, 0)
}

// Score returns grad log p_t(x) (N,C,H,W) of the marginal, from the velocity v at x:
// for a Gaussian base of mean m (x_lo, or 0) and deviation sigma,
//
//	-(x - t v - m) / ((1-t) sigma^2)
//
// For noise of another covariance C, a MeasuredBase's, or its projection's, this is C grad log p_t(x).
func (f Flow) Score(s *torchx.Scope, x torchx.Tensor, t float64, v, xLo torchx.Tensor) torchx.Tensor {
	r := s.AddScaled(x, v, -t)
	if f.Base != Gaussian {
		r = s.AddScaled(r, xLo, -1)
	}
	sigma := f.Sigma()
	return s.Affine(r, -1/((1-t)*sigma*sigma), 0)
}

// Validate reports an unusable flow, by the keys base_dist and base_noise_scale of specs.
func (f Flow) Validate() error {
	if f.Base != Gaussian && f.Base != XLoPlusNoise && f.Base != LostBand {
		return fmt.Errorf("base_dist %q: want %s, %s or %s", f.Base, XLoPlusNoise, Gaussian, LostBand)
	}
	if !(f.NoiseScale >= 0) || math.IsInf(f.NoiseScale, 0) {
		return fmt.Errorf("base_noise_scale %g: want a number of at least 0", f.NoiseScale)
	}
	return nil
}
