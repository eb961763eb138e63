package torchx

import (
	"context"
	"fmt"
	"testing"
)

// BenchmarkSelfAttention times self-attention in heads of 64 channels: our kernel, and libtorch's ops on contiguous
// tensors.
func BenchmarkSelfAttention(b *testing.B) {
	const samples, width = 4, 64
	thread, err := StartThread(2)
	if err != nil {
		b.Fatal(err)
	}
	defer thread.Close()
	run := func(b *testing.B, side, heads int64, dtype DType, backward bool, format Format) error {
		return thread.Do(context.Background(), func(s *Scope) error {
			qkv := s.To(s.Randn(1, samples, 3*heads*width, side, side), dtype, CPU, format)
			s.RequiresGrad(qkv, backward)
			for b.Loop() {
				scope := NewScope()
				y := scope.SelfAttention(qkv, heads)
				if backward {
					scope.Backward(scope.Mean(y))
					scope.ZeroGrads([]Tensor{qkv})
				}
				scope.Close()
			}
			products := 2
			if backward {
				products = 7
			}
			flops := 2 * float64(products) * float64(samples*heads*width*side*side*side*side)
			b.ReportMetric(flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
			return s.Err()
		})
	}
	for _, side := range []int64{16, 32, 64} {
		for _, heads := range []int64{1, 4} {
			for _, dtype := range []DType{Float32, BFloat16} {
				for _, backward := range []bool{false, true} {
					for _, format := range []Format{NHWC, NCHW} {
						b.Run(fmt.Sprintf("%dx%d/heads=%d/dtype=%d/backward=%v/fused=%v", side, side, heads, dtype, backward, format == NHWC), func(b *testing.B) {
							if err := run(b, side, heads, dtype, backward, format); err != nil {
								b.Fatal(err)
							}
						})
					}
				}
			}
		}
	}
}
