package torchx

import (
	"context"
	"fmt"
	"testing"
)

// BenchmarkNormSiLU is the fused kernel, forward and backward, against the
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
