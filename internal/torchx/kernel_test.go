package torchx

import (
	"fmt"
	"math"
	"testing"
)

// distance is the root mean square of x - want over that of want.
func distance(s *Scope, x, want Tensor) float64 {
	read := func(x Tensor) []float64 {
		v := make([]float64, Numel(x))
		Read(s, s.To(x, Float64, CPU, NCHW), v)
		return v
	}
	a, b := read(x), read(want)
	if s.Err() != nil || len(a) != len(b) {
		return math.NaN()
	}
	off, total := 0.0, 0.0
	for i := range a {
		off += (a[i] - b[i]) * (a[i] - b[i])
		total += b[i] * b[i]
	}
	return math.Sqrt(off / total)
}

// TestNormSiLUKernel: the fused kernel, which float32 and bf16 take, against the
// composition in float64, forward and backward, with rows shorter and longer than
// its pieces of 2048 cells. x lies far from zero, where statistics in bf16 would
// be lost. Float32 agrees to its round-off times the mean over the deviation;
// what bf16 rounds is what goes in and out, 2^-9 each.
func TestNormSiLUKernel(t *testing.T) {
	names := []string{"y", "dx", "dw", "db", "dfilm"}
	for _, c := range []struct {
		dtype        DType
		format       Format
		channels     int64
		groups, h, w int64
		film         bool
		tol          float64
	}{
		{Float32, NCHW, 6, 3, 3, 5, false, 1e-5},
		{Float32, NCHW, 6, 3, 3, 5, true, 1e-5},
		{Float32, NCHW, 4, 1, 47, 48, true, 1e-5},
		{Float32, NCHW, 4, 4, 47, 48, true, 1e-5},
		{Float32, NHWC, 6, 3, 5, 4, true, 1e-5}, // not the kernel's: composed
		{BFloat16, NCHW, 6, 3, 3, 5, false, 0.01},
		{BFloat16, NCHW, 4, 2, 47, 48, true, 0.01},
		{BFloat16, NHWC, 32, 8, 31, 33, true, 0.01},
	} {
		t.Run(fmt.Sprintf("%d/%d/%dx%dx%d/groups=%d/film=%v", c.dtype, c.format, c.channels, c.h, c.w, c.groups, c.film), func(t *testing.T) {
			device := testDevice(t)
			inThread(t, func(s *Scope) error {
				noise := func(seed uint64, shape ...int64) Tensor { return s.Randn(seed, shape...) }
				x := s.To(s.Affine(noise(1, 2, c.channels, c.h, c.w), 1, 5), c.dtype, device, c.format)
				w, b, film := noise(2, c.channels), noise(3, c.channels), noise(4, 2, 2*c.channels)
				weights := s.To(noise(5, 2, c.channels, c.h, c.w), c.dtype, device, c.format)
				run := func(dtype DType) []Tensor {
					in := []Tensor{s.Clone(s.To(x, dtype, device, c.format))}
					parameters := dtype
					if dtype == BFloat16 {
						parameters = Float32
					}
					for _, p := range []Tensor{w, b, film} {
						in = append(in, s.Clone(s.To(p, parameters, device, NCHW)))
					}
					for _, p := range in {
						s.RequiresGrad(p, true)
					}
					last := 3
					y := s.NormSiLU(in[0], c.groups, in[1], in[2], 1e-5, Tensor{})
					if c.film {
						last = 4
						y = s.NormSiLU(in[0], c.groups, in[1], in[2], 1e-5, in[3])
					}
					s.Backward(s.Mean(s.Mul(y, s.To(weights, dtype, device, c.format))))
					out := []Tensor{y}
					for _, p := range in[:last] {
						out = append(out, s.Grad(p))
					}
					return out
				}
				got, want := run(c.dtype), run(Float64)
				if got[0].Dtype() != c.dtype {
					t.Errorf("y is of type %d, want x's", got[0].Dtype())
				}
				for i := range got {
					if off := distance(s, got[i], want[i]); !(off <= c.tol) {
						t.Errorf("%s is off by %.2g of its size, want at most %g", names[i], off, c.tol)
					}
				}
				return s.Err()
			})
		})
	}
}
