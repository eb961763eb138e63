package torchx

import (
	"math"
	"testing"

	torch "github.com/wangkuiyi/gotorch"
)

// near compares a float64 tensor with a function of the row-major index.
func near(t *testing.T, s *Scope, what string, x Tensor, tol float64, want func(i int) float64) {
	t.Helper()
	if s.Err() != nil {
		t.Fatalf("%s: %v", what, s.Err())
	}
	got := make([]float64, Numel(x))
	Read(s, s.To(x, Float64, CPU, NCHW), got)
	for i, v := range got {
		if w := want(i); !(math.Abs(v-w) <= tol) {
			t.Errorf("%s[%d] = %g, want %g", what, i, v, w)
			return
		}
	}
}

func random(s *Scope, seed uint64, shape ...int64) (Tensor, []float64) {
	x := s.To(s.Randn(seed, shape...), Float64, CPU, NCHW)
	v := make([]float64, Numel(x))
	Read(s, x, v)
	return x, v
}

func silu(x float64) float64 { return x / (1 + math.Exp(-x)) }

// groupNorm is GroupNorm by its definition, for x (n,c,cells).
func groupNorm(x []float64, n, c, cells, groups int, w, b []float64) []float64 {
	out := make([]float64, len(x))
	size := c / groups * cells
	for g := range n * groups {
		part := x[g*size : (g+1)*size]
		mean, variance := 0.0, 0.0
		for _, v := range part {
			mean += v / float64(size)
		}
		for _, v := range part {
			variance += (v - mean) * (v - mean) / float64(size)
		}
		for i, v := range part {
			channel := (g*size + i) / cells % c
			out[g*size+i] = (v-mean)/math.Sqrt(variance+1e-5)*w[channel] + b[channel]
		}
	}
	return out
}

func TestNorms(t *testing.T) {
	inThread(t, func(s *Scope) error {
		x, xs := random(s, 1, 2, 6, 4, 4)
		w, ws := random(s, 2, 6)
		b, bs := random(s, 3, 6)
		film, fs := random(s, 4, 2, 12)
		want := groupNorm(xs, 2, 6, 16, 3, ws, bs)
		near(t, s, "group norm", s.GroupNorm(x, 3, w, b, 1e-5), 1e-12, func(i int) float64 { return want[i] })
		near(t, s, "norm, silu", s.NormSiLU(x, 3, w, b, 1e-5, Tensor{}), 1e-12, func(i int) float64 { return silu(want[i]) })
		near(t, s, "norm, film, silu", s.NormSiLU(x, 3, w, b, 1e-5, film), 1e-12, func(i int) float64 {
			n, c := i/96, i/16%6
			return silu(want[i]*(1+fs[n*12+c]) + fs[n*12+6+c])
		})
		// bf16 input far from zero: statistics in bf16 would have errors larger than the result
		shifted := s.To(s.Affine(x, 1, 100), BFloat16, CPU, NCHW)
		exact := make([]float64, len(xs))
		Read(s, s.To(shifted, Float64, CPU, NCHW), exact)
		wide := groupNorm(exact, 2, 6, 16, 3, ws, bs)
		as32 := func(x Tensor) Tensor { return s.To(x, Float32, CPU, NCHW) }
		near(t, s, "group norm of bf16", s.GroupNorm(shifted, 3, as32(w), as32(b), 1e-5), 0.05, func(i int) float64 { return wide[i] })
		return s.Err()
	})
}

func TestConvolution(t *testing.T) {
	inThread(t, func(s *Scope) error {
		x, xs := random(s, 1, 1, 2, 5, 6)
		w, ws := random(s, 2, 3, 2, 3, 3)
		b, bs := random(s, 3, 3)
		for _, periodic := range []bool{false, true} {
			near(t, s, "conv2d", s.Conv2d(x, w, b, periodic), 1e-12, func(i int) float64 {
				o, y, xx := i/30, i/6%5, i%6
				sum := bs[o]
				for c := range 2 {
					for ky := range 3 {
						for kx := range 3 {
							sy, sx := y+ky-1, xx+kx-1
							if periodic {
								sy, sx = (sy+5)%5, (sx+6)%6
							} else if sy < 0 || sy >= 5 || sx < 0 || sx >= 6 {
								continue
							}
							sum += ws[((o*2+c)*3+ky)*3+kx] * xs[(c*5+sy)*6+sx]
						}
					}
				}
				return sum
			})
		}
		return s.Err()
	})
}

func TestSelfAttention(t *testing.T) {
	inThread(t, func(s *Scope) error {
		const h, w, heads, d = 2, 3, 2, 4
		const n, c = h * w, heads * d
		qkv, xs := random(s, 1, 2, 3*c, h, w)
		want := func(i int) float64 {
			sample, channel, row := i/(c*n), i/n%c, i%n
			at := func(third, channel, row int) float64 { return xs[((sample*3+third)*c+channel)*n+row] }
			sum, total := 0.0, 0.0
			for j := range n {
				dot := 0.0
				for k := range d {
					dot += at(0, channel/d*d+k, row) * at(1, channel/d*d+k, j)
				}
				weight := math.Exp(dot / math.Sqrt(d))
				total += weight
				sum += weight * at(2, channel, j)
			}
			return sum / total
		}
		near(t, s, "attention", s.SelfAttention(qkv, heads), 1e-12, want)
		near(t, s, "attention, channels last", s.SelfAttention(s.To(qkv, Float64, CPU, NHWC), heads), 1e-12, want)
		return s.Err()
	})
}

func TestResampling(t *testing.T) {
	inThread(t, func(s *Scope) error {
		ramp := s.Reshape(s.FromFloats([]float32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, 16), 1, 1, 4, 4)
		down := s.AvgPool2d(ramp, 2)
		near(t, s, "avg pool", down, 0, func(i int) float64 { return []float64{2.5, 4.5, 10.5, 12.5}[i] })
		near(t, s, "nearest", s.UpsampleNearest(down, 2), 0, func(i int) float64 {
			return []float64{2.5, 4.5, 10.5, 12.5}[i/8*2+i%4/2]
		})
		near(t, s, "bilinear", s.UpsampleBilinear(down, 2), 1e-6, func(i int) float64 {
			return []float64{2.5, 3, 4, 4.5, 4.5, 5, 6, 6.5, 8.5, 9, 10, 10.5, 10.5, 11, 12, 12.5}[i]
		})
		return s.Err()
	})
}

func TestArithmetic(t *testing.T) {
	inThread(t, func(s *Scope) error {
		a, as := random(s, 1, 2, 3)
		b, bs := random(s, 2, 2, 3)
		near(t, s, "add", s.AddScaled(a, b, -2), 1e-15, func(i int) float64 { return as[i] - 2*bs[i] })
		near(t, s, "mul", s.Mul(a, b), 1e-15, func(i int) float64 { return as[i] * bs[i] })
		near(t, s, "affine", s.Affine(a, 3, -1), 1e-15, func(i int) float64 { return 3*as[i] - 1 })
		near(t, s, "silu", s.SiLU(a), 1e-15, func(i int) float64 { return silu(as[i]) })
		near(t, s, "cos", s.Cos(a), 1e-15, func(i int) float64 { return math.Cos(as[i]) })
		near(t, s, "sin", s.Sin(a), 1e-15, func(i int) float64 { return math.Sin(as[i]) })
		near(t, s, "cat", s.Cat(0, a, b), 0, func(i int) float64 { return append(as[:6:6], bs...)[i] })
		near(t, s, "narrow", s.Narrow(a, 1, 1, 2), 0, func(i int) float64 { return as[i/2*3+1+i%2] })
		near(t, s, "transpose", s.Transpose(a, 0, 1), 0, func(i int) float64 { return as[i%2*3+i/2] })
		near(t, s, "mean", s.Mean(a, 0), 1e-15, func(i int) float64 { return (as[i] + as[3+i]) / 2 })
		near(t, s, "mse", s.MSE(a, b), 1e-15, func(int) float64 {
			sum := 0.0
			for i := range as {
				sum += (as[i] - bs[i]) * (as[i] - bs[i]) / 6
			}
			return sum
		})
		w, ws := random(s, 3, 4, 3)
		near(t, s, "linear", s.Linear(a, w, Tensor{}), 1e-15, func(i int) float64 {
			sum := 0.0
			for k := range 3 {
				sum += as[i/4*3+k] * ws[i%4*3+k]
			}
			return sum
		})
		s.AddInPlace(a, b, 1)
		near(t, s, "add_", a, 1e-15, func(i int) float64 { return as[i] + bs[i] })
		same, other := s.Floats(s.Randn(7, 8)), s.Floats(s.Randn(8, 8))
		if again := s.Floats(s.Randn(7, 8)); again[3] != same[3] || other[3] == same[3] {
			t.Errorf("randn is no function of its seed: %v, %v, %v", same, again, other)
		}
		return s.Err()
	})
}

// TestAutocast checks that convolutions run in bf16 inside Autocast and not after it.
func TestAutocast(t *testing.T) {
	inThread(t, func(s *Scope) error {
		x, w := s.Randn(1, 2, 8, 8, 8), s.Randn(2, 8, 8, 3, 3)
		full := s.Conv2d(x, w, Tensor{}, false)
		var cast Tensor
		s.Autocast(CPU, true, func() { cast = s.Conv2d(x, w, Tensor{}, false) })
		if cast.Dtype() != torch.BFloat16 {
			t.Errorf("within autocast the type is %d, want bf16", cast.Dtype())
		}
		if after := s.Conv2d(x, w, Tensor{}, false); after.Dtype() != torch.Float {
			t.Errorf("after autocast the type is %d, want float32", after.Dtype())
		}
		exact := s.Floats(full)
		near(t, s, "bf16 convolution", cast, 0.2, func(i int) float64 { return float64(exact[i]) })
		return s.Err()
	})
}

// TestGradients checks clipped gradients of a sum of squares.
func TestGradients(t *testing.T) {
	inThread(t, func(s *Scope) error {
		x := s.FromFloats([]float32{3, 4}, 2)
		s.RequiresGrad(x, true)
		zero := s.Full(0, Float32, CPU, 2)
		s.Backward(s.MSE(x, zero)) // gradient x: 2 x / 2
		one := func(x Tensor) []Tensor { return []Tensor{x} }
		m, report := s.Full(0, Float32, CPU, 2), s.NewReport(CPU, 0)
		s.Update(AdamW{Beta1: 0.9, Beta2: 0.999, Eps: 1e-8}, 1, one(x), one(m), one(s.Full(0, Float32, CPU, 2)), nil,
			s.Full(7, Float64, CPU), s.UpdateSchedule(CPU, 0, 1), report)
		if r := s.ReadReport(report); math.Abs(r.GradNorm-5) > 1e-6 || r.Loss != 7 {
			t.Errorf("report %+v, want norm 5 and loss 7", r)
		}
		near(t, s, "a tenth of the clipped gradient", m, 1e-6, func(i int) float64 { return []float64{0.06, 0.08}[i] })
		s.ZeroGrads([]Tensor{x})
		NoGrad(func() { s.Add(x, x) })
		return s.Err()
	})
}
