package torchx

import (
	"context"
	"fmt"
	"math"
	"runtime"
)

// tryKernels runs fmsr's kernels for a device on small tensors and compares the results with
// those of libtorch's ops. It finds a library that has no code for the GPU at hand, or
// whose code is wrong on it, before a training does.
func tryKernels(device Device) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return inScope(context.Background(), nil, func(s *Scope) error {
		for _, dtype := range []DType{Float32, BFloat16} {
			tolerance := 1e-4
			if dtype == BFloat16 {
				tolerance = 2e-2
			}
			ours, theirs := tryNorm(s, device, dtype, NHWC), tryNorm(s, device, dtype, NCHW) // ours want NHWC
			if err := compare(s, "norm_silu", ours, theirs, tolerance); err != nil {
				return err
			}
		}
		ours, theirs := tryUpdate(s, device, Float32), tryUpdate(s, device, Float64) // ours want float32
		return compare(s, "update", ours, theirs, 1e-4)
	})
}

// tryNorm returns NormSiLU with FiLM of x (2,64,6,5) and its gradients.
func tryNorm(s *Scope, device Device, dtype DType, format Format) []Tensor {
	leaf := func(seed uint64, dtype DType, shape ...int64) Tensor {
		x := s.Detach(s.To(s.Randn(seed, shape...), dtype, device, format))
		s.RequiresGrad(x, true)
		return x
	}
	x, w, b, film := leaf(1, dtype, 2, 64, 6, 5), leaf(2, Float32, 64), leaf(3, Float32, 64), leaf(4, dtype, 2, 128)
	var y Tensor
	s.Autocast(device, dtype == BFloat16, func() { y = s.NormSiLU(x, 32, w, b, 1e-5, film) })
	s.Backward(s.Mean(s.Mul(y, s.To(s.Randn(5, 2, 64, 6, 5), dtype, device, format))))
	return []Tensor{y, s.Grad(x), s.Grad(w), s.Grad(b), s.Grad(film)}
}

// tryUpdate returns parameters (3000), their moments and their average after an update.
func tryUpdate(s *Scope, device Device, dtype DType) []Tensor {
	made := func(seed uint64, scale float64) Tensor {
		return s.Clone(s.To(s.Affine(s.Randn(seed, 3000), scale, 0), dtype, device, NCHW))
	}
	p, m, v, ema := made(1, 1), made(0, 0), made(0, 0), made(2, 1)
	s.RequiresGrad(p, true)
	s.Backward(s.Mean(s.Mul(p, made(3, 1e4))))
	one := func(x Tensor) []Tensor { return []Tensor{x} }
	s.Update(AdamW{Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, WeightDecay: 0.1}, 1, one(p), one(m), one(v), one(ema),
		s.Full(1, Float64, device, 1), s.UpdateSchedule(device, 1e-2, 0.9), s.NewReport(device, 0))
	return []Tensor{s.Detach(p), m, v, ema}
}

// compare returns an error unless each tensor of got is as its counterpart of want, of the same
// shape, to that tolerance of the rms of want.
func compare(s *Scope, what string, got, want []Tensor, tolerance float64) error {
	for i := range want {
		if s.Err() != nil {
			return fmt.Errorf("%s: %w", what, s.Err())
		}
		g, w := make([]float64, Numel(got[i])), make([]float64, Numel(want[i]))
		Read(s, s.To(got[i], Float64, CPU, NCHW), g)
		Read(s, s.To(want[i], Float64, CPU, NCHW), w)
		var off, size float64
		for j := range w {
			off += (g[j] - w[j]) * (g[j] - w[j])
			size += w[j] * w[j]
		}
		if !(off <= tolerance*tolerance*size) {
			return fmt.Errorf("%s: result %d is off by %.2g of its size, want at most %g", what, i+1, math.Sqrt(off/size), tolerance)
		}
	}
	return nil
}
