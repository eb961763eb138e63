package model

import (
	"context"
	"testing"

	"fmsr.example/fmsr/internal/torchx"
)

// TestBF16: autocast reaches training's loss and sampling's velocity, which come
// out a little different, and leaves float32 what must be.
func TestBF16(t *testing.T) {
	onOneCore(t, func(s *torchx.Scope) error {
		net, err := NewNet(s, Config{Fields: 1, Channels: 8, Mult: []int{1, 2, 2}}, 1)
		if err != nil {
			return err
		}
		defer net.Free()
		randomized(s, net)
		flow := Flow{Base: XLoPlusNoise, NoiseScale: 0.1, LossScale: 100}
		field := func(seed uint64) torchx.Tensor { return s.Randn(seed, 2, 1, 16, 16) }
		xLo, x1, x0 := field(1), field(2), field(3)
		times := s.FromFloats([]float32{0.3, 0.7}, 2)
		is32 := func(what string, x torchx.Tensor) torchx.Tensor {
			if s.Err() == nil && x.Dtype() != torchx.Float32 {
				t.Errorf("%s is of type %d, want float32", what, x.Dtype())
			}
			return x
		}
		type results struct{ features, loss, velocity, score, sample []float64 }
		run := func(bf16 bool) (r results) {
			torchx.NoGrad(func() {
				s.Autocast(torchx.CPU, bf16, func() {
					r.features = doubles(s, is32("the time features", net.(*UNet).TimeFeatures(s, times)))
					r.loss = doubles(s, is32("the loss", flow.Loss(s, net, xLo, x1, x0, times)))
				})
				v := NewInference(net, bf16).Velocity(xLo)
				velocity := is32("the velocity", v(s, x0, 0.5))
				r.velocity = doubles(s, velocity)
				r.score = doubles(s, is32("the score", flow.Score(s, x0, 0.5, velocity, xLo)))
				p := Sampler{Flow: flow, Solver: Heun, Steps: 2, TMin: 1e-4, TMax: 1 - 1e-4, Schedule: Constant}
				r.sample = doubles(s, is32("the sample", p.Sample(context.Background(), s, v, x0, xLo, nil)))
			})
			return r
		}
		full, half := run(false), run(true)
		if off := apart(half.features, full.features); off != 0 {
			t.Errorf("the time features are off by %.2g", off)
		}
		for name, off := range map[string]float64{
			"loss": apart(half.loss, full.loss), "velocity": apart(half.velocity, full.velocity),
			"score": apart(half.score, full.score), "sample": apart(half.sample, full.sample),
		} {
			if !(off > 1e-6 && off < 0.1) {
				t.Errorf("%s in bf16 is off by %.2g of its size: want a little", name, off)
			}
		}
		return s.Err()
	})
}

// TestBF16Sums: norms and softmax of bf16 tensors sum in float32: 4096 terms
// would stall at 256 in bf16.
func TestBF16Sums(t *testing.T) {
	onOneCore(t, func(s *torchx.Scope) error {
		round := func(x torchx.Tensor) torchx.Tensor { return s.To(x, torchx.BFloat16, torchx.CPU, torchx.NCHW) }
		widen := func(x torchx.Tensor) torchx.Tensor { return s.To(x, torchx.Float32, torchx.CPU, torchx.NCHW) }
		near := func(what string, half, full torchx.Tensor) {
			if off := apart(doubles(s, half), doubles(s, full)); !(off < 1.0/256) {
				t.Errorf("%s in bf16 is off by %.2g of its size", what, off)
			}
		}
		x := round(s.Affine(s.Randn(1, 1, 2, 64, 64), 0.5, 3))
		w, b := s.FromFloats([]float32{1, 2}, 2), s.FromFloats([]float32{0, 1}, 2)
		near("a norm", s.GroupNorm(x, 2, round(w), round(b), 1e-5), s.GroupNorm(widen(x), 2, w, b, 1e-5))
		near("the fused norm", s.NormSiLU(x, 2, w, b, 1e-5, torchx.Tensor{}), s.NormSiLU(widen(x), 2, w, b, 1e-5, torchx.Tensor{}))
		qkv := round(s.Affine(s.Randn(2, 1, 3*16, 64, 64), 0.1, 1))
		near("attention", s.SelfAttention(qkv, 1), s.SelfAttention(widen(qkv), 1))
		near("the fused attention", s.SelfAttention(s.To(qkv, torchx.BFloat16, torchx.CPU, torchx.NHWC), 1), s.SelfAttention(widen(qkv), 1))
		return s.Err()
	})
}
