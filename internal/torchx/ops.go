package torchx

// #include "csrc/fx.h"
import "C"

import torch "github.com/wangkuiyi/gotorch"

// Add returns a + b; the shapes broadcast.
func (s *Scope) Add(a, b Tensor) Tensor { return s.AddScaled(a, b, 1) }

// AddScaled returns a + alpha b; the shapes broadcast.
func (s *Scope) AddScaled(a, b Tensor, alpha float64) Tensor {
	return s.one("add", func(out *C.fx_tensor) C.fx_error {
		return C.fx_add(handle(a), handle(b), C.double(alpha), out)
	})
}

// AddInPlace adds alpha b to a; b broadcasts to a's shape.
func (s *Scope) AddInPlace(a, b Tensor, alpha float64) {
	s.do("add_", func() C.fx_error { return C.fx_add_(handle(a), handle(b), C.double(alpha)) })
}

// Mul returns a b, elementwise; the shapes broadcast.
func (s *Scope) Mul(a, b Tensor) Tensor {
	return s.one("mul", func(out *C.fx_tensor) C.fx_error { return C.fx_mul(handle(a), handle(b), out) })
}

// Affine returns scale x + shift, of x's shape.
func (s *Scope) Affine(x Tensor, scale, shift float64) Tensor {
	return s.one("affine", func(out *C.fx_tensor) C.fx_error {
		return C.fx_affine(handle(x), C.double(scale), C.double(shift), out)
	})
}

// Abs returns |x|, of x's shape. Its gradient where x is 0 is 0.
func (s *Scope) Abs(x Tensor) Tensor {
	relu := func(x Tensor) Tensor {
		if s.over() {
			return Tensor{}
		}
		return s.Adopt(torch.Relu(x))
	}
	return s.Add(relu(x), relu(s.Affine(x, -1, 0)))
}

// Cos returns the elementwise cosine, of x's shape.
func (s *Scope) Cos(x Tensor) Tensor {
	return s.one("cos", func(out *C.fx_tensor) C.fx_error { return C.fx_cos(handle(x), out) })
}

// Sin returns the elementwise sine, of x's shape.
func (s *Scope) Sin(x Tensor) Tensor {
	return s.one("sin", func(out *C.fx_tensor) C.fx_error { return C.fx_sin(handle(x), out) })
}

// Mean returns the mean of x over the given dimensions, which the result lacks. Without
// dimensions it returns the mean of all elements, a scalar.
func (s *Scope) Mean(x Tensor, over ...int64) Tensor {
	return s.one("mean", func(out *C.fx_tensor) C.fx_error {
		p, n := dims(over)
		return C.fx_mean(handle(x), p, n, out)
	})
}

// Cat concatenates xs along dim; all their other dimensions must be equal.
func (s *Scope) Cat(dim int64, xs ...Tensor) Tensor {
	return s.one("cat", func(out *C.fx_tensor) C.fx_error {
		p, n := handles(xs)
		return C.fx_cat(p, n, C.int64_t(dim), out)
	})
}

// Narrow returns the view of x with `length` entries along dim, beginning at start.
func (s *Scope) Narrow(x Tensor, dim, start, length int64) Tensor {
	return s.one("narrow", func(out *C.fx_tensor) C.fx_error {
		return C.fx_narrow(handle(x), C.int64_t(dim), C.int64_t(start), C.int64_t(length), out)
	})
}

// Reshape returns x in another shape with as many elements, without a copy if x's
// strides allow that. One dimension may be -1.
func (s *Scope) Reshape(x Tensor, shape ...int64) Tensor {
	return s.one("reshape", func(out *C.fx_tensor) C.fx_error {
		p, n := dims(shape)
		return C.fx_reshape(handle(x), p, n, out)
	})
}

// Transpose returns the view of x with dimensions a and b exchanged.
func (s *Scope) Transpose(x Tensor, a, b int64) Tensor {
	return s.one("transpose", func(out *C.fx_tensor) C.fx_error {
		return C.fx_transpose(handle(x), C.int64_t(a), C.int64_t(b), out)
	})
}

// Conv2d convolves x (N,C,H,W) with w (O,C,k,k), k odd, stride 1, and adds b (O),
// which may be nil. The result is (N,O,H,W). Beyond the edges x is zero, or repeats
// if periodic.
func (s *Scope) Conv2d(x, w, b Tensor, periodic bool) Tensor {
	return s.AddConv2d(Tensor{}, x, w, b, periodic)
}

// AddConv2d returns r (N,O,H,W) plus Conv2d, in one pass if the kernel can do that.
// A nil r adds nothing.
func (s *Scope) AddConv2d(r, x, w, b Tensor, periodic bool) Tensor {
	return s.one("conv2d", func(out *C.fx_tensor) C.fx_error {
		return C.fx_conv2d(handle(x), handle(w), handle(b), C.bool(periodic), handle(r), out)
	})
}

// Linear returns x w' + b, (N,O), for x (N,K), w (O,K) and b (O), which may be nil.
func (s *Scope) Linear(x, w, b Tensor) Tensor {
	return s.one("linear", func(out *C.fx_tensor) C.fx_error {
		return C.fx_linear(handle(x), handle(w), handle(b), out)
	})
}

// GroupNorm normalizes x (N,C,...) over each group of channels of each sample,
// multiplies by w (C) and adds b (C); Wu & He 2018, arXiv:1803.08494. The result
// has x's shape. Statistics are float32, also for bf16 input.
func (s *Scope) GroupNorm(x Tensor, groups int64, w, b Tensor, eps float64) Tensor {
	return s.one("group_norm", func(out *C.fx_tensor) C.fx_error {
		return C.fx_group_norm(handle(x), C.int64_t(groups), handle(w), handle(b), C.double(eps), out)
	})
}

// SiLU returns x sigmoid(x), of x's shape.
func (s *Scope) SiLU(x Tensor) Tensor {
	return s.one("silu", func(out *C.fx_tensor) C.fx_error { return C.fx_silu(handle(x), out) })
}

// NormSiLU returns silu(norm(x)), where norm is GroupNorm of x (N,C,...) with w and
// b (C). With film (N,2C) = [scale | shift] it returns
// silu(norm(x) (1 + scale) + shift), which is FiLM (Perez et al. 2018,
// arXiv:1709.07871) as ADM applies it; film may be nil. The result has x's shape.
func (s *Scope) NormSiLU(x Tensor, groups int64, w, b Tensor, eps float64, film Tensor) Tensor {
	return s.one("norm_silu", func(out *C.fx_tensor) C.fx_error {
		return C.fx_norm_silu(handle(x), C.int64_t(groups), handle(w), handle(b), C.double(eps), handle(film), out)
	})
}

// SelfAttention returns softmax(q k' / sqrt(d)) v of each head over the H W
// positions, (N,C,H,W). qkv (N,3C,H,W) holds q, k and v, each by head; a head has
// d = C/heads channels.
func (s *Scope) SelfAttention(qkv Tensor, heads int64) Tensor {
	return s.one("self_attention", func(out *C.fx_tensor) C.fx_error {
		return C.fx_self_attention(handle(qkv), C.int64_t(heads), out)
	})
}

// AvgPool2d averages blocks of factor x factor cells of x (N,C,H,W):
// (N,C,H/factor,W/factor).
func (s *Scope) AvgPool2d(x Tensor, factor int64) Tensor {
	return s.one("avg_pool2d", func(out *C.fx_tensor) C.fx_error {
		return C.fx_avg_pool2d(handle(x), C.int64_t(factor), out)
	})
}

// UpsampleNearest repeats each cell of x (N,C,H,W) factor x factor times:
// (N,C,factor H,factor W).
func (s *Scope) UpsampleNearest(x Tensor, factor int64) Tensor {
	return s.one("upsample_nearest2d", func(out *C.fx_tensor) C.fx_error {
		return C.fx_upsample_nearest2d(handle(x), C.int64_t(factor), out)
	})
}

// UpsampleBilinear interpolates x (N,C,H,W) with align_corners=False:
// (N,C,factor H,factor W).
func (s *Scope) UpsampleBilinear(x Tensor, factor int64) Tensor {
	return s.one("upsample_bilinear2d", func(out *C.fx_tensor) C.fx_error {
		return C.fx_upsample_bilinear2d(handle(x), C.int64_t(factor), out)
	})
}

// MSE returns the mean of (a-b)^2 over all elements, a scalar. a and b have one
// shape; bf16 is widened to float32 first.
func (s *Scope) MSE(a, b Tensor) Tensor {
	return s.one("mse_loss", func(out *C.fx_tensor) C.fx_error { return C.fx_mse(handle(a), handle(b), out) })
}

// PowerSpectrum2d returns |fft2(x)/(H W)|^2 of real x (...,H,W) for the modes that
// rfft2 keeps, (...,H,W/2+1).
func (s *Scope) PowerSpectrum2d(x Tensor) Tensor {
	return s.one("rfft2", func(out *C.fx_tensor) C.fx_error { return C.fx_power_spectrum2d(handle(x), out) })
}

// BitSum returns the sum of the bits of all elements of xs, float32 of any shapes, as
// integers modulo 2^64: a tensor (1), int64. The order of the elements does not matter,
// and any one flipped bit changes the sum.
func (s *Scope) BitSum(xs []Tensor) Tensor {
	return s.one("bit_sum", func(out *C.fx_tensor) C.fx_error {
		p, n := handles(xs)
		return C.fx_bit_sum(p, n, out)
	})
}
