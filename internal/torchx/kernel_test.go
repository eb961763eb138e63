package torchx

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
)

// distance returns rms(x - want) / rms(want).
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

// TestNormSiLUKernel compares the fused kernel, in float32 and bf16, with the
// composition in float64, forward and backward, for fewer and more cells than a
// chunk has, and for channels that fill no, some and all vectors. x is far from
// zero, where statistics in bf16 would be lost. Float32 agrees to its round-off
// times the mean over the deviation; bf16 rounds input and output, 2^-9 each.
func TestNormSiLUKernel(t *testing.T) { onEachLevel(t, testNormSiLUKernel) }

func testNormSiLUKernel(t *testing.T) {
	names := []string{"y", "dx", "dw", "db", "dfilm"}
	for _, c := range []struct {
		dtype        DType
		format       Format
		channels     int64
		groups, h, w int64
		film         bool
		tol          float64
	}{
		{Float32, NHWC, 6, 3, 3, 5, false, 1e-5},
		{Float32, NHWC, 6, 3, 3, 5, true, 1e-5},
		{Float32, NHWC, 4, 1, 47, 48, true, 1e-5},
		{Float32, NHWC, 4, 4, 47, 48, true, 1e-5},
		{Float32, NHWC, 40, 8, 11, 13, true, 1e-5},
		{Float32, NHWC, 256, 32, 5, 5, true, 1e-5},
		{Float32, NCHW, 6, 3, 5, 4, true, 1e-5}, // no kernel: composed
		{BFloat16, NHWC, 6, 3, 3, 5, false, 0.01},
		{BFloat16, NHWC, 4, 2, 47, 48, true, 0.01},
		{BFloat16, NHWC, 40, 8, 11, 13, true, 0.01},
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

// TestConv2dKernel compares our convolution, in float32 and bf16, with libtorch's in
// float64, forward and backward, and forward without gradients, at widths and grids that
// fill the kernel's blocks and at others. bf16 rounds input and output, 2^-9 each.
func TestConv2dKernel(t *testing.T) { onEachLevel(t, testConv2dKernel) }

func testConv2dKernel(t *testing.T) {
	names := []string{"y", "dx", "dw", "db", "dr", "y without gradients"}
	for _, c := range []struct {
		bf16                bool
		in, out, h, w, side int64
		periodic            bool
		tol                 float64
	}{
		{false, 16, 48, 5, 7, 3, false, 2e-6},
		{false, 32, 16, 6, 13, 3, true, 2e-6},
		{false, 96, 32, 9, 8, 3, false, 2e-6},
		{false, 48, 32, 4, 20, 1, false, 2e-6},
		{false, 16, 16, 1, 1, 3, false, 2e-6},
		{false, 12, 16, 4, 4, 3, false, 2e-6},   // no kernel: libtorch's
		{false, 48, 16, 15, 13, 3, false, 2e-6}, // by Winograd, as are the next ones
		{false, 16, 48, 14, 17, 3, true, 2e-6},
		{false, 64, 32, 40, 41, 3, false, 2e-6},
		{true, 16, 48, 5, 7, 3, false, 0.005},
		{true, 32, 16, 6, 13, 3, true, 0.005},
		{true, 16, 48, 14, 17, 3, true, 0.005},
		{true, 64, 64, 8, 8, 1, false, 0.005},
		{true, 16, 16, 1, 1, 3, true, 0.005},
		{true, 48, 32, 4, 20, 1, false, 0.005},
		{true, 48, 80, 20, 32, 3, true, 0.005}, // a multiple of AMX's tiles wide, as is the next one
		{true, 128, 32, 70, 48, 3, false, 0.005},
		{true, 32, 80, 50, 43, 3, false, 0.005},
	} {
		t.Run(fmt.Sprintf("bf16=%v/%d-%d/%dx%d/side=%d/periodic=%v", c.bf16, c.in, c.out, c.h, c.w, c.side, c.periodic), func(t *testing.T) {
			inThread(t, func(s *Scope) error {
				noise := func(seed uint64, shape ...int64) Tensor { return s.To(s.Randn(seed, shape...), Float32, CPU, NHWC) }
				x, w, b := noise(1, 3, c.in, c.h, c.w), noise(2, c.out, c.in, c.side, c.side), noise(3, c.out)
				weights, r := noise(4, 3, c.out, c.h, c.w), noise(5, 3, c.out, c.h, c.w)
				run := func(dtype DType, bf16 bool) []Tensor {
					added := dtype // the type of the tensor that it is added to
					if bf16 {
						added = BFloat16
					}
					var in []Tensor
					for _, p := range []Tensor{x, w, b, r} {
						in = append(in, s.Clone(s.To(p, dtype, CPU, NHWC)))
						s.RequiresGrad(in[len(in)-1], true)
					}
					var y, alone Tensor
					convolve := func() Tensor { return s.AddConv2d(s.To(in[3], added, CPU, NHWC), in[0], in[1], in[2], c.periodic) }
					s.Autocast(CPU, bf16, func() {
						y = convolve()
						NoGrad(func() { alone = convolve() })
					})
					s.Backward(s.Mean(s.Mul(s.To(y, dtype, CPU, NHWC), s.To(weights, dtype, CPU, NHWC))))
					return []Tensor{y, s.Grad(in[0]), s.Grad(in[1]), s.Grad(in[2]), s.Grad(in[3]), alone}
				}
				got, want := run(Float32, c.bf16), run(Float64, false)
				if c.bf16 != (got[0].Dtype() == BFloat16) {
					t.Errorf("y is of type %d", got[0].Dtype())
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

// TestKeepPacked checks that kept weights give the same bits, that a second convolution takes them, and that changed
// weights are seen with gradients at once, and without gradients when nothing is kept any more.
func TestKeepPacked(t *testing.T) {
	for _, c := range []struct{ side, grid int64 }{{3, 32}, {3, 4}, {1, 4}} { // by Winograd's algorithm, and directly
		inThread(t, func(s *Scope) error {
			noise := func(seed uint64, shape ...int64) Tensor { return s.To(s.Randn(seed, shape...), Float32, CPU, NHWC) }
			x, w, b := noise(1, 1, 32, c.grid, c.grid), noise(2, 48, 32, c.side, c.side), s.Randn(3, 48)
			conv := func() Tensor { return s.Conv2d(x, w, b, false) }
			NoGrad(func() {
				fresh := conv()
				end := KeepPacked()
				kept := conv()
				KeepPacked()() // ends nothing
				s.AddInPlace(w, noise(4, 48, 32, c.side, c.side), 1)
				stale := conv()
				end()
				if a, b := distance(s, kept, fresh), distance(s, stale, fresh); a != 0 || b != 0 {
					t.Errorf("%+v: off by %g with kept weights, and %g the second time", c, a, b)
				}
			})
			end := KeepPacked()
			changed := conv() // with gradients
			end()
			NoGrad(func() {
				if off := distance(s, conv(), changed); !(off < 2e-6) {
					t.Errorf("%+v: off by %g with changed weights", c, off)
				}
			})
			return s.Err()
		})
	}
}

// TestLinearKernel compares our linear map, which few rows of float32 take, with
// libtorch's in float64, forward and backward, at sizes that fill the vectors and at
// others.
func TestLinearKernel(t *testing.T) { onEachLevel(t, testLinearKernel) }

func testLinearKernel(t *testing.T) {
	names := []string{"y", "dx", "dw", "db"}
	for _, c := range []struct{ rows, in, out int64 }{{1, 1, 1}, {4, 16, 33}, {3, 130, 7}, {64, 100, 300}, {65, 20, 30}} {
		t.Run(fmt.Sprintf("%dx%d-%d", c.rows, c.in, c.out), func(t *testing.T) {
			inThread(t, func(s *Scope) error {
				run := func(dtype DType) []Tensor {
					in := []Tensor{s.Randn(1, c.rows, c.in), s.Randn(2, c.out, c.in), s.Randn(3, c.out)}
					for i := range in {
						in[i] = s.Clone(s.To(in[i], dtype, CPU, NCHW))
						s.RequiresGrad(in[i], true)
					}
					y := s.Linear(in[0], in[1], in[2])
					s.Backward(s.Mean(s.Mul(y, s.To(s.Randn(4, c.rows, c.out), dtype, CPU, NCHW))))
					return []Tensor{y, s.Grad(in[0]), s.Grad(in[1]), s.Grad(in[2])}
				}
				got, want := run(Float32), run(Float64)
				for i := range got {
					if off := distance(s, got[i], want[i]); !(off <= 1e-6) {
						t.Errorf("%s is off by %.2g of its size, want at most 1e-6", names[i], off)
					}
				}
				return s.Err()
			})
		})
	}
}

// attend returns self-attention of noise of that deviation and its gradient, in that type and format.
func attend(s *Scope, heads, width, h, w int64, deviation float64, dtype DType, format Format) []Tensor {
	const samples = 3
	round := func(x Tensor) Tensor { return s.To(x, BFloat16, CPU, NCHW) }
	qkv := s.Clone(s.To(round(s.Affine(s.Randn(1, samples, 3*heads*width, h, w), deviation, 0)), dtype, CPU, format))
	weights := s.To(round(s.Randn(2, samples, heads*width, h, w)), dtype, CPU, format)
	s.RequiresGrad(qkv, true)
	y := s.SelfAttention(qkv, heads)
	s.Backward(s.Mean(s.Mul(y, weights)))
	return []Tensor{y, s.Grad(qkv)}
}

// TestSelfAttentionKernel compares our attention, in float32 and bf16, with libtorch's in float64, forward and backward,
// for positions that fill no, one and several blocks and pieces of keys. A large deviation makes softmax a maximum. bf16
// rounds input, output and probabilities, 2^-9 each.
func TestSelfAttentionKernel(t *testing.T) { onEachLevel(t, testSelfAttentionKernel) }

func testSelfAttentionKernel(t *testing.T) {
	names := []string{"y", "dqkv"}
	for _, c := range []struct {
		dtype              DType
		format             Format
		heads, width, h, w int64
		deviation, tol     float64
	}{
		{Float32, NHWC, 1, 64, 1, 1, 1, 1e-5},
		{Float32, NHWC, 2, 16, 5, 7, 1, 1e-5},
		{Float32, NHWC, 1, 48, 8, 8, 1, 1e-5},
		{Float32, NHWC, 3, 32, 16, 16, 1, 1e-5},
		{Float32, NHWC, 4, 64, 20, 33, 1, 1e-5},
		{Float32, NHWC, 1, 32, 33, 67, 1, 1e-5},
		{Float32, NHWC, 2, 64, 20, 33, 10, 2e-5},
		{Float32, NHWC, 1, 24, 5, 7, 1, 1e-5}, // no kernel: composed
		{Float32, NCHW, 2, 16, 5, 7, 1, 1e-5},
		{BFloat16, NHWC, 1, 64, 1, 1, 1, 0.01},
		{BFloat16, NHWC, 2, 16, 5, 7, 1, 0.01},
		{BFloat16, NHWC, 1, 48, 8, 8, 1, 0.01},
		{BFloat16, NHWC, 3, 32, 16, 16, 1, 0.01},
		{BFloat16, NHWC, 4, 64, 20, 33, 1, 0.01},
		{BFloat16, NHWC, 1, 32, 33, 67, 1, 0.01},
		{BFloat16, NHWC, 2, 64, 20, 33, 10, 0.01},
	} {
		if c.dtype == BFloat16 && CPULevel() < min(AVX512BF16, BestCPULevel()) {
			continue // no kernel of ours
		}
		t.Run(fmt.Sprintf("%d/%d/%dx%d/%dx%d/deviation=%g", c.dtype, c.format, c.heads, c.width, c.h, c.w, c.deviation), func(t *testing.T) {
			inThread(t, func(s *Scope) error {
				got := attend(s, c.heads, c.width, c.h, c.w, c.deviation, c.dtype, c.format)
				want := attend(s, c.heads, c.width, c.h, c.w, c.deviation, Float64, NCHW)
				if got[0].Dtype() != c.dtype {
					t.Errorf("y is of type %d, want qkv's", got[0].Dtype())
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

// TestSelfAttentionThreads checks that one thread and two give the same bits.
func TestSelfAttentionThreads(t *testing.T) { onEachLevel(t, testSelfAttentionThreads) }

func testSelfAttentionThreads(t *testing.T) {
	for _, dtype := range []DType{Float32, BFloat16} {
		if dtype == BFloat16 && CPULevel() < min(AVX512BF16, BestCPULevel()) {
			continue // no kernel of ours
		}
		var made [2][][]float64
		for i := range made {
			thread, err := StartThread(1 + i)
			if err != nil {
				t.Fatal(err)
			}
			err = thread.Do(context.Background(), func(s *Scope) error {
				for _, x := range attend(s, 1, 64, 33, 67, 1, dtype, NHWC) {
					v := make([]float64, Numel(x))
					Read(s, s.To(x, Float64, CPU, NCHW), v)
					made[i] = append(made[i], v)
				}
				return s.Err()
			})
			thread.Close()
			if err != nil {
				t.Fatal(err)
			}
		}
		for i, name := range []string{"y", "dqkv"} {
			if !slices.Equal(made[0][i], made[1][i]) {
				t.Errorf("%s of type %d depends on the number of threads", name, dtype)
			}
		}
	}
}

// TestConcatKernel compares concatenation of channels-last tensors and its gradients with libtorch's in float64.
func TestConcatKernel(t *testing.T) {
	inThread(t, func(s *Scope) error {
		run := func(dtype DType) []Tensor {
			a, b := s.To(s.Randn(1, 2, 3, 5, 4), dtype, CPU, NHWC), s.To(s.Randn(2, 2, 7, 5, 4), dtype, CPU, NHWC)
			s.RequiresGrad(a, true)
			s.RequiresGrad(b, true)
			y := s.Cat(1, a, b)
			s.Backward(s.Mean(s.Mul(y, s.To(s.Randn(3, 2, 10, 5, 4), dtype, CPU, NHWC))))
			return []Tensor{y, s.Grad(a), s.Grad(b)}
		}
		got, want := run(Float32), run(Float64)
		for i, name := range []string{"y", "da", "db"} {
			if off := distance(s, got[i], want[i]); !(off < 1e-7) {
				t.Errorf("%s is off by %.2g of its size", name, off)
			}
		}
		return s.Err()
	})
}

// TestAddConv2dComposed checks that a tensor that the kernel cannot add in one pass is added afterwards.
func TestAddConv2dComposed(t *testing.T) {
	inThread(t, func(s *Scope) error {
		as := func(format Format, dtype DType, x Tensor) Tensor { return s.Clone(s.To(x, dtype, CPU, format)) }
		x, w, b, r := s.Randn(1, 2, 16, 5, 4), s.Randn(2, 32, 16, 3, 3), s.Randn(3, 32), s.Randn(4, 2, 32, 5, 4)
		run := func(dtype DType, of Tensor) Tensor {
			return s.AddConv2d(of, as(NHWC, dtype, x), as(NHWC, dtype, w), as(NCHW, dtype, b), false)
		}
		want := run(Float64, as(NHWC, Float64, r))
		for name, of := range map[string]Tensor{"NHWC": as(NHWC, Float32, r), "NCHW": as(NCHW, Float32, r), "float64": as(NHWC, Float64, r)} {
			if off := distance(s, run(Float32, of), want); !(off < 2e-6) {
				t.Errorf("%s: off by %.2g of its size", name, off)
			}
		}
		return s.Err()
	})
}
