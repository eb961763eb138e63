package torchx

// #include "csrc/fx.h"
import "C"

// Add is a + b, broadcast.
func (s *Scope) Add(a, b Tensor) Tensor { return s.AddScaled(a, b, 1) }

// AddScaled is a + alpha b, broadcast.
func (s *Scope) AddScaled(a, b Tensor, alpha float64) Tensor {
	return s.one("add", func(out *C.fx_tensor) C.fx_error {
		return C.fx_add(handle(a), handle(b), C.double(alpha), out)
	})
}

// AddInPlace is a += alpha b.
func (s *Scope) AddInPlace(a, b Tensor, alpha float64) {
	s.do("add_", func() C.fx_error { return C.fx_add_(handle(a), handle(b), C.double(alpha)) })
}

// Mul is a b, elementwise and broadcast.
func (s *Scope) Mul(a, b Tensor) Tensor {
	return s.one("mul", func(out *C.fx_tensor) C.fx_error { return C.fx_mul(handle(a), handle(b), out) })
}

// Affine is scale x + shift.
func (s *Scope) Affine(x Tensor, scale, shift float64) Tensor {
	return s.one("affine", func(out *C.fx_tensor) C.fx_error {
		return C.fx_affine(handle(x), C.double(scale), C.double(shift), out)
	})
}

// Cos is the elementwise cosine.
func (s *Scope) Cos(x Tensor) Tensor {
	return s.one("cos", func(out *C.fx_tensor) C.fx_error { return C.fx_cos(handle(x), out) })
}

// Sin is the elementwise sine.
func (s *Scope) Sin(x Tensor) Tensor {
	return s.one("sin", func(out *C.fx_tensor) C.fx_error { return C.fx_sin(handle(x), out) })
}

// Mean is the mean over the given dimensions, or over all of them.
func (s *Scope) Mean(x Tensor, over ...int64) Tensor {
	return s.one("mean", func(out *C.fx_tensor) C.fx_error {
		p, n := dims(over)
		return C.fx_mean(handle(x), p, n, out)
	})
}

// Cat concatenates along dim.
func (s *Scope) Cat(dim int64, xs ...Tensor) Tensor {
	return s.one("cat", func(out *C.fx_tensor) C.fx_error {
		p, n := handles(xs)
		return C.fx_cat(p, n, C.int64_t(dim), out)
	})
}

// Narrow is the view of x that holds length entries along dim from start on.
func (s *Scope) Narrow(x Tensor, dim, start, length int64) Tensor {
	return s.one("narrow", func(out *C.fx_tensor) C.fx_error {
		return C.fx_narrow(handle(x), C.int64_t(dim), C.int64_t(start), C.int64_t(length), out)
	})
}

// Reshape is x in another shape, without a copy where its strides allow; one
// dimension may be -1.
func (s *Scope) Reshape(x Tensor, shape ...int64) Tensor {
	return s.one("reshape", func(out *C.fx_tensor) C.fx_error {
		p, n := dims(shape)
		return C.fx_reshape(handle(x), p, n, out)
	})
}

// Transpose is the view of x with dimensions a and b exchanged.
func (s *Scope) Transpose(x Tensor, a, b int64) Tensor {
	return s.one("transpose", func(out *C.fx_tensor) C.fx_error {
		return C.fx_transpose(handle(x), C.int64_t(a), C.int64_t(b), out)
	})
}

// Conv2d convolves x (N,C,H,W) with w (O,C,k,k), k odd, stride 1; the output
// is (N,O,H,W). Beyond the edges x is zero, or repeats when periodic.
func (s *Scope) Conv2d(x, w, b Tensor, periodic bool) Tensor {
	return s.AddConv2d(Tensor{}, x, w, b, periodic)
}

// AddConv2d is r plus Conv2d, in one pass where it can be. A nil r adds nothing.
func (s *Scope) AddConv2d(r, x, w, b Tensor, periodic bool) Tensor {
	return s.one("conv2d", func(out *C.fx_tensor) C.fx_error {
		return C.fx_conv2d(handle(x), handle(w), handle(b), C.bool(periodic), handle(r), out)
	})
}

// Linear is x w' + b.
func (s *Scope) Linear(x, w, b Tensor) Tensor {
	return s.one("linear", func(out *C.fx_tensor) C.fx_error {
		return C.fx_linear(handle(x), handle(w), handle(b), out)
	})
}

// GroupNorm normalizes x (N,C,...) over each of the groups of channels of each
// sample, then scales by w and shifts by b (C); Wu & He 2018, arXiv:1803.08494.
// Statistics are float32 even for bf16 input.
func (s *Scope) GroupNorm(x Tensor, groups int64, w, b Tensor, eps float64) Tensor {
	return s.one("group_norm", func(out *C.fx_tensor) C.fx_error {
		return C.fx_group_norm(handle(x), C.int64_t(groups), handle(w), handle(b), C.double(eps), out)
	})
}

// SiLU is x sigmoid(x).
func (s *Scope) SiLU(x Tensor) Tensor {
	return s.one("silu", func(out *C.fx_tensor) C.fx_error { return C.fx_silu(handle(x), out) })
}

// NormSiLU is SiLU of GroupNorm of x; with film (N,2C) = [scale | shift] it is
// silu(norm(x) (1 + scale) + shift), FiLM (Perez et al. 2018, arXiv:1709.07871)
// as ADM applies it. A nil film leaves that out.
func (s *Scope) NormSiLU(x Tensor, groups int64, w, b Tensor, eps float64, film Tensor) Tensor {
	return s.one("norm_silu", func(out *C.fx_tensor) C.fx_error {
		return C.fx_norm_silu(handle(x), C.int64_t(groups), handle(w), handle(b), C.double(eps), handle(film), out)
	})
}

// SelfAttention is softmax(q k' / sqrt(d)) v of each of the heads, over the positions H W, for qkv (N,3C,H,W) that
// holds q, k and v, each by head, d = C/heads channels wide: (N,C,H,W).
func (s *Scope) SelfAttention(qkv Tensor, heads int64) Tensor {
	return s.one("self_attention", func(out *C.fx_tensor) C.fx_error {
		return C.fx_self_attention(handle(qkv), C.int64_t(heads), out)
	})
}

// AvgPool2d averages factor x factor cells of x (N,C,H,W).
func (s *Scope) AvgPool2d(x Tensor, factor int64) Tensor {
	return s.one("avg_pool2d", func(out *C.fx_tensor) C.fx_error {
		return C.fx_avg_pool2d(handle(x), C.int64_t(factor), out)
	})
}

// UpsampleNearest repeats each cell of x (N,C,H,W) factor x factor times.
func (s *Scope) UpsampleNearest(x Tensor, factor int64) Tensor {
	return s.one("upsample_nearest2d", func(out *C.fx_tensor) C.fx_error {
		return C.fx_upsample_nearest2d(handle(x), C.int64_t(factor), out)
	})
}

// UpsampleBilinear interpolates x (N,C,H,W), align_corners=False.
func (s *Scope) UpsampleBilinear(x Tensor, factor int64) Tensor {
	return s.one("upsample_bilinear2d", func(out *C.fx_tensor) C.fx_error {
		return C.fx_upsample_bilinear2d(handle(x), C.int64_t(factor), out)
	})
}

// MSE is the mean of (a-b)^2, in float32 at the least.
func (s *Scope) MSE(a, b Tensor) Tensor {
	return s.one("mse_loss", func(out *C.fx_tensor) C.fx_error { return C.fx_mse(handle(a), handle(b), out) })
}

// PowerSpectrum2d is |fft2(x)/(H W)|^2 of x (...,H,W) over the modes that a real
// field's transform keeps: (...,H,W/2+1).
func (s *Scope) PowerSpectrum2d(x Tensor) Tensor {
	return s.one("rfft2", func(out *C.fx_tensor) C.fx_error { return C.fx_power_spectrum2d(handle(x), out) })
}
