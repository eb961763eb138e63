package torchx

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"testing"
)

// TestUpdateKernel compares the CPU's float32 kernel with the composition in float64, for tensors of several layouts that
// fill no, some and many vectors and chunks, with and without clipping. The bits are the same for any number of threads.
func TestUpdateKernel(t *testing.T) {
	shapes := [][]int64{{1}, {7}, {16}, {40}, {0}, {5, 3, 3, 3}, {8, 4, 1, 1}, {6, 4, 1}, {8192}, {8193}, {130, 90, 3, 3}, {33}, {70001}}
	adamw := AdamW{Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, WeightDecay: 0.1}
	run := func(threads int, dtype DType, averaged bool, maxNorm float64) (lists [][]float64, r Report) {
		thread, err := StartThread(threads)
		if err != nil {
			t.Fatal(err)
		}
		defer thread.Close()
		err = thread.Do(context.Background(), func(s *Scope) error {
			tensor := func(seed int, scale float64, shape []int64) Tensor {
				return s.Clone(s.To(s.Affine(s.Randn(uint64(seed), shape...), scale, 0), dtype, CPU, NHWC))
			}
			var p, m, v, ema []Tensor
			for i, shape := range shapes {
				p, m, v = append(p, tensor(i, 1, shape)), append(m, tensor(0, 0, shape)), append(v, tensor(0, 0, shape))
				if averaged {
					ema = append(ema, tensor(100+i, 1, shape))
				}
				s.RequiresGrad(p[i], true)
			}
			report := s.NewReport(CPU, 0)
			for step := range 3 {
				s.ZeroGrads(p)
				for i, x := range p {
					n := float64(Numel(x))
					s.Backward(s.Affine(s.Mean(s.Mul(x, tensor(1000*(step+1)+i, 1, shapes[i]))), n, 0))
				}
				s.Update(adamw, maxNorm, p, m, v, ema, s.Full(0, Float64, CPU), s.UpdateSchedule(CPU, 1e-2, 0.7), report)
			}
			r = s.ReadReport(report)
			for _, list := range [][]Tensor{p, m, v, ema} {
				for _, x := range list {
					lists = append(lists, doublesOf(s, x))
				}
			}
			return s.Err()
		})
		if err != nil {
			t.Fatal(err)
		}
		return lists, r
	}
	for _, averaged := range []bool{false, true} {
		for _, maxNorm := range []float64{1, 1e6} {
			t.Run(fmt.Sprintf("ema=%v/norm=%g", averaged, maxNorm), func(t *testing.T) {
				got, report := run(2, Float32, averaged, maxNorm)
				want, exact := run(2, Float64, averaged, maxNorm)
				for i := range want {
					for j, w := range want[i] {
						if d := math.Abs(got[i][j] - w); !(d <= 2e-6*(1+math.Abs(w))) {
							t.Fatalf("list %d, element %d: %g, want %g", i, j, got[i][j], w)
						}
					}
				}
				if d := math.Abs(report.GradNorm - exact.GradNorm); !(d <= 1e-7*exact.GradNorm) || report.Taken != 3 {
					t.Errorf("report %+v, want %+v", report, exact)
				}
				if alone, r := run(1, Float32, averaged, maxNorm); !reflect.DeepEqual(alone, got) || r != report {
					t.Error("one thread gives other numbers than two")
				}
			})
		}
	}
}
