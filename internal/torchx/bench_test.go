package torchx

import (
	"context"
	"fmt"
	"testing"
)

// BenchmarkNormSiLU times forward and backward of the fused kernel, and of the
// composition of libtorch's ops.
func BenchmarkNormSiLU(b *testing.B) {
	thread, err := StartThread(2)
	if err != nil {
		b.Fatal(err)
	}
	defer thread.Close()
	for _, fused := range []bool{true, false} {
		for _, dtype := range []DType{Float32, BFloat16} {
			b.Run(fmt.Sprintf("fused=%v/dtype=%d", fused, dtype), func(b *testing.B) {
				for b.Loop() {
					err := thread.Do(context.Background(), func(s *Scope) error {
						format := NHWC
						if !fused {
							format = NCHW
						}
						x := s.To(s.Randn(1, 4, 64, 64, 64), dtype, CPU, format)
						w, bias, film := s.Randn(2, 64), s.Randn(3, 64), s.Randn(4, 4, 128)
						for range 10 {
							s.RequiresGrad(x, true)
							var y Tensor
							if fused {
								y = s.NormSiLU(x, 32, w, bias, 1e-5, film)
							} else {
								y = s.SiLU(s.GroupNorm(x, 32, w, bias, 1e-5))
							}
							s.Backward(s.Mean(y))
							s.ZeroGrads([]Tensor{x})
						}
						return nil
					})
					if err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkUpdate times a step of the optimizer on a list of parameters like the small network's (width 64, 2.7 M
// scalars) and the full one's (256, 43 M).
func BenchmarkUpdate(b *testing.B) {
	thread, err := StartThread(2)
	if err != nil {
		b.Fatal(err)
	}
	defer thread.Close()
	for _, w := range []int64{64, 256} {
		for _, averaged := range []bool{false, true} {
			b.Run(fmt.Sprintf("width=%d/ema=%v", w, averaged), func(b *testing.B) {
				err := thread.Do(context.Background(), func(s *Scope) error {
					var params, m, v, ema []Tensor
					add := func(n int, shape ...int64) {
						for range n {
							zeros := func() Tensor { return s.Clone(s.To(s.Full(0, Float32, CPU, shape...), Float32, CPU, NHWC)) }
							p := s.Clone(s.To(s.Randn(uint64(len(params)), shape...), Float32, CPU, NHWC))
							s.RequiresGrad(p, true)
							s.Backward(s.Mean(s.Mul(p, p)))
							params, m, v = append(params, p), append(m, zeros()), append(v, zeros())
							if averaged {
								ema = append(ema, s.Clone(s.Detach(p)))
							}
						}
					}
					add(42, w, w, 3, 3)
					add(8, w, 2*w, 3, 3)
					add(8, w, 2*w, 1, 1)
					add(23, 2*w, 2*w)
					add(6, 3*w, w, 1)
					add(40, 2*w)
					add(200, w)
					adamw := AdamW{Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, WeightDecay: 0.1}
					loss, schedule, report := s.Full(0, Float64, CPU), s.UpdateSchedule(CPU, 1e-4, 0.999), s.NewReport(CPU, 0)
					for b.Loop() {
						s.Update(adamw, 1e-3, params, m, v, ema, loss, schedule, report)
					}
					return s.Err()
				})
				if err != nil {
					b.Fatal(err)
				}
			})
		}
	}
}
