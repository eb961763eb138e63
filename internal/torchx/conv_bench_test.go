package torchx

import (
	"context"
	"fmt"
	"testing"

	"golang.org/x/sys/unix"
)

// BenchmarkConv2d times a convolution, forward and backward, at the widths and grids of the full and the small network. The
// rates count the operations of the direct sum. %bound divides the rate per second of processor time by the rate that the
// multipliers can reach. It is above 100 with Winograd's algorithm, which needs 2.25 times fewer multiplications.
func BenchmarkConv2d(b *testing.B) {
	thread, err := StartThread(2)
	if err != nil {
		b.Fatal(err)
	}
	defer thread.Close()
	for _, c := range []struct{ in, out, side, kernel int64 }{
		{32, 32, 64, 3}, {96, 32, 64, 3}, {64, 64, 32, 3}, {64, 64, 8, 3}, {128, 64, 16, 3},
		{128, 128, 64, 3}, {384, 128, 64, 3}, {256, 256, 32, 3}, {512, 256, 32, 3}, {256, 256, 16, 3}, {512, 256, 16, 3}, {512, 256, 8, 3}, {256, 128, 64, 1}, {256, 768, 16, 1},
	} {
		for _, bf16 := range []bool{false, true} {
			for _, backward := range []bool{false, true} {
				b.Run(fmt.Sprintf("%d-%d/%d/kernel=%d/bf16=%v/backward=%v", c.in, c.out, c.side, c.kernel, bf16, backward), func(b *testing.B) {
					err := thread.Do(context.Background(), func(s *Scope) error {
						dtype := Float32
						if bf16 {
							dtype = BFloat16
						}
						x := s.To(s.Randn(1, 4, c.in, c.side, c.side), dtype, CPU, NHWC)
						w, bias := s.To(s.Randn(2, c.out, c.in, c.kernel, c.kernel), Float32, CPU, NHWC), s.Randn(3, c.out)
						if backward {
							s.RequiresGrad(x, true)
							s.RequiresGrad(w, true)
							s.RequiresGrad(bias, true)
						}
						bound, used := multiplierRate(bf16), processorTime(b)
						for b.Loop() {
							scope := NewScope()
							var y Tensor
							scope.Autocast(CPU, bf16, func() { y = scope.Conv2d(x, w, bias, false) })
							if backward {
								scope.Backward(scope.Mean(y))
								scope.ZeroGrads([]Tensor{x, w, bias})
							}
							scope.Close()
						}
						passes := 1.0
						if backward {
							passes = 3
						}
						flops := passes * 2 * float64(4*c.side*c.side*c.in*c.out*c.kernel*c.kernel)
						b.ReportMetric(flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "GFLOP/s")
						if bound > 0 {
							b.ReportMetric(100*flops*float64(b.N)/(processorTime(b)-used)/bound, "%bound")
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
}

// processorTime returns the seconds of processor time that this process has used.
func processorTime(b *testing.B) float64 {
	var use unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &use); err != nil {
		b.Fatal(err)
	}
	return float64(use.Utime.Nano()+use.Stime.Nano()) / 1e9
}
