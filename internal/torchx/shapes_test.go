package torchx

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"fmsr.example/fmsr/internal/testkit/golden"
	torch "github.com/wangkuiyi/gotorch"
)

func TestShapes(t *testing.T) {
	inThread(t, func(s *Scope) error {
		x, xs := random(s, 1, 2, 3, 4)
		at := func(i, j, k int) float64 { return xs[(i*3+j)*4+k] }
		reshaped := s.Reshape(x, 4, -1)
		if got := fmt.Sprint(reshaped.Shape()); got != "[4 6]" {
			t.Errorf("reshaped to %s, want [4 6]", got)
		}
		near(t, s, "reshape", reshaped, 0, func(i int) float64 { return xs[i] })
		if !SharesMemory(x, reshaped) {
			t.Error("reshape copied contiguous memory")
		}
		turned := s.Transpose(x, 0, 2) // (4,3,2)
		near(t, s, "transpose", turned, 0, func(i int) float64 { return at(i%2, i/2%3, i/6) })
		near(t, s, "reshape of a transpose", s.Reshape(turned, 24), 0, func(i int) float64 { return at(i%2, i/2%3, i/6) })
		near(t, s, "narrow", s.Narrow(x, 2, 1, 2), 0, func(i int) float64 { return at(i/6, i/2%3, 1+i%2) })
		near(t, s, "cat", s.Cat(1, x, s.Narrow(x, 1, 0, 1)), 0, func(i int) float64 { return at(i/16, i/4%4%3, i%4) })
		near(t, s, "mean", s.Mean(x), 1e-15, func(int) float64 {
			sum := 0.0
			for _, v := range xs {
				sum += v / 24
			}
			return sum
		})
		near(t, s, "mean over two", s.Mean(x, 0, 2), 1e-15, func(j int) float64 {
			sum := 0.0
			for i := range 2 {
				for k := range 4 {
					sum += at(i, j, k) / 8
				}
			}
			return sum
		})
		w, ws := random(s, 2, 5, 4)
		b, bs := random(s, 3, 5)
		near(t, s, "linear", s.Linear(x, w, b), 1e-14, func(i int) float64 {
			sum := bs[i%5]
			for k := range 4 {
				sum += xs[i/5*4+k] * ws[i%5*4+k]
			}
			return sum
		})
		return s.Err()
	})
}

// TestUpsampleGolden compares pooling and interpolation with PyTorch's.
func TestUpsampleGolden(t *testing.T) {
	var want struct {
		Ramp4  [][]float64   `json:"ramp4_lo"`
		Fields golden.Digest `json:"field4x8x64_lo"`
	}
	golden.Load(t, "data", &want)
	inThread(t, func(s *Scope) error {
		lo := func(values []float64, shape ...int64) Tensor {
			x := s.Full(0, Float64, CPU, shape...)
			Write(s, x, values)
			return s.UpsampleBilinear(s.AvgPool2d(x, 2), 2)
		}
		ramp := make([]float64, 16)
		for i := range ramp {
			ramp[i] = float64(i)
		}
		near(t, s, "ramp", lo(ramp, 1, 1, 4, 4), 0, func(i int) float64 { return want.Ramp4[i/4][i%4] })
		fields := lo(golden.Fields(4, 8, 64), 4, 8, 64, 64)
		values := make([]float64, Numel(fields))
		Read(s, fields, values)
		want.Fields.Check(t, "fields", values, 1e-12)
		return s.Err()
	})
}

// TestErrorsNameTheOp checks that a wrong shape gives an error of one line that
// starts with the op, and that nothing runs after it.
func TestErrorsNameTheOp(t *testing.T) {
	for op, call := range map[string]func(s *Scope, x Tensor){
		"add":                 func(s *Scope, x Tensor) { s.Add(x, s.Randn(1, 7)) },
		"add_":                func(s *Scope, x Tensor) { s.AddInPlace(x, s.Randn(1, 7), 1) },
		"mul":                 func(s *Scope, x Tensor) { s.Mul(x, s.Randn(1, 7)) },
		"mean":                func(s *Scope, x Tensor) { s.Mean(x, 4) },
		"cat":                 func(s *Scope, x Tensor) { s.Cat(0, x, s.Randn(1, 7)) },
		"narrow":              func(s *Scope, x Tensor) { s.Narrow(x, 0, 1, 2) },
		"reshape":             func(s *Scope, x Tensor) { s.Reshape(x, 7, -1) },
		"transpose":           func(s *Scope, x Tensor) { s.Transpose(x, 0, 4) },
		"conv2d":              func(s *Scope, x Tensor) { s.Conv2d(x, s.Randn(1, 4, 5, 3, 3), Tensor{}, true) },
		"linear":              func(s *Scope, x Tensor) { s.Linear(x, s.Randn(1, 2, 7), Tensor{}) },
		"group_norm":          func(s *Scope, x Tensor) { s.GroupNorm(x, 4, s.Randn(1, 6), s.Randn(2, 6), 1e-5) },
		"self_attention":      func(s *Scope, x Tensor) { s.SelfAttention(x, 4) },
		"avg_pool2d":          func(s *Scope, x Tensor) { s.AvgPool2d(x, 5) },
		"upsample_nearest2d":  func(s *Scope, x Tensor) { s.UpsampleNearest(s.Randn(1, 7, 7), 2) },
		"upsample_bilinear2d": func(s *Scope, x Tensor) { s.UpsampleBilinear(s.Randn(1, 7, 7), 2) },
		"mse_loss":            func(s *Scope, x Tensor) { s.MSE(x, s.Randn(1, 7)) },
		"rfft2":               func(s *Scope, x Tensor) { s.PowerSpectrum2d(s.Randn(1, 7)) },
		"full":                func(s *Scope, x Tensor) { s.Full(0, Float32, CPU, -1) },
		"randn":               func(s *Scope, x Tensor) { s.Randn(1, -1) },
		"copy_":               func(s *Scope, x Tensor) { s.Copy(x, s.Randn(1, 7)) },
		"read":                func(s *Scope, x Tensor) { Read(s, x, make([]float32, 7)) },
		"write":               func(s *Scope, x Tensor) { Write(s, x, make([]float64, 2*6*4*4)) },
		"item":                func(s *Scope, x Tensor) { s.Item(x) },
		"backward":            func(s *Scope, x Tensor) { s.Backward(s.Mean(x)) },
		"update": func(s *Scope, x Tensor) {
			list := []Tensor{x} // without a gradient
			s.Update(AdamW{}, 1, list, list, list, nil, s.Full(0, Float64, CPU), s.UpdateSchedule(CPU, 1, 1), s.NewReport(CPU, 0))
		},
		"ema":           func(s *Scope, x Tensor) { s.EMAUpdate([]Tensor{x}, []Tensor{s.Randn(1, 7)}, 0.9) },
		"requires_grad": func(s *Scope, x Tensor) { s.RequiresGrad(s.To(x, torch.Long, CPU, NCHW), true) },
		"from_blob":     func(s *Scope, x Tensor) { s.FromBytes(nil, Float32, 0) },
	} {
		t.Run(op, func(t *testing.T) {
			inThread(t, func(s *Scope) error {
				x := s.Randn(1, 1, 6, 4, 4)
				before := s.Floats(x)
				call(s, x)
				err := s.Err()
				if err == nil || !strings.HasPrefix(err.Error(), op+": ") || strings.Contains(err.Error(), "\n") {
					t.Errorf("error %v, want one line that starts with %q", err, op+": ")
					return nil
				}
				live := Live()
				if y := s.Affine(x, 2, 0); !IsNil(y) || Live() != live {
					t.Error("an op after the error ran")
				}
				s.AddInPlace(x, x, 1)
				s.err = nil
				near(t, s, "x afterwards", x, 0, func(i int) float64 { return float64(before[i]) })
				return nil
			})
		})
	}
}

// TestErrorsAreOneLine provokes a message of libtorch that has a hundred lines.
func TestErrorsAreOneLine(t *testing.T) {
	if n, err := cudaDevices(); err == nil && n > 0 {
		t.Skip("there is a CUDA device here: a tensor on it is no error")
	}
	inThread(t, func(s *Scope) error {
		s.Full(0, Float32, CUDA(0), 3)
		if err := s.Err(); err == nil || !strings.HasPrefix(err.Error(), "full: ") || strings.Contains(err.Error(), "\n") {
			t.Errorf("error %q, want one line that starts with full", err)
		}
		s.err = nil
		return nil
	})
}

// TestAutocastEnds checks that Autocast and NoGrad end with their bodies, also if
// the body panics. Products run in bf16, with its round-off: 2^-9 of each of the 64
// terms.
func TestAutocastEnds(t *testing.T) {
	inThread(t, func(s *Scope) error {
		x, w := s.Randn(1, 8, 64), s.Randn(2, 32, 64)
		full := s.Linear(x, w, Tensor{})
		s.Autocast(CPU, true, func() {
			product := s.Linear(x, w, Tensor{})
			if product.Dtype() != BFloat16 {
				t.Errorf("a product under autocast is of type %d, want bf16", product.Dtype())
			}
			if off := distance(s, product, full); !(off > 1e-4 && off < 0.01) {
				t.Errorf("a product in bf16 is off by %.2g of its size", off)
			}
			if loss := s.MSE(product, product); loss.Dtype() != Float32 {
				t.Errorf("the loss under autocast is of type %d, want float32", loss.Dtype())
			}
		})
		s.Autocast(CPU, false, func() {
			if product := s.Linear(x, w, Tensor{}); product.Dtype() != Float32 {
				t.Error("autocast is on although switched off")
			}
		})
		for _, guard := range []func(f func()){NoGrad, func(f func()) { s.Autocast(CPU, true, f) }} {
			func() {
				defer func() { _ = recover() }()
				guard(func() { panic("within") })
			}()
		}
		if product := s.Linear(x, w, Tensor{}); product.Dtype() != Float32 {
			t.Error("autocast is on after a panic within it")
		}
		s.RequiresGrad(w, true)
		var unrecorded Tensor
		NoGrad(func() { unrecorded = s.Mean(s.Linear(x, w, Tensor{})) })
		if s.Backward(unrecorded); s.Err() == nil {
			t.Error("NoGrad records")
		}
		s.err = nil
		if s.Backward(s.Mean(s.Linear(x, w, Tensor{}))); s.Err() != nil {
			return fmt.Errorf("after a panic within NoGrad: %w", s.Err())
		}
		sums := make([]float64, 64)
		for i, v := range s.Floats(x) {
			sums[i%64] += float64(v) / (8 * 32)
		}
		near(t, s, "gradient after a panic within NoGrad", s.Grad(w), 1e-7, func(i int) float64 { return sums[i%64] })
		return s.Err()
	})
}

// TestRandn checks the distribution, and that draws elsewhere change nothing.
func TestRandn(t *testing.T) {
	inThread(t, func(s *Scope) error {
		const n = 40000
		first := s.Floats(s.Randn(11, n))
		s.Adopt(torch.RandN([]int64{100}, false)) // the process's own generator
		again := s.Floats(s.Randn(11, n))
		mean, square := 0.0, 0.0
		for i, v := range first {
			if v != again[i] {
				return fmt.Errorf("element %d is %g and then %g", i, v, again[i])
			}
			mean += float64(v) / n
			square += float64(v) * float64(v) / n
		}
		golden.Near(t, "mean", mean, 0, 5/math.Sqrt(n))
		golden.Near(t, "mean square", square, 1, 5*math.Sqrt(2.0/n))
		return s.Err()
	})
}

// TestForeignMemoryIsWritten checks that an op in place writes to memory that is not
// libtorch's, and that a size other than the shape's is refused.
func TestForeignMemoryIsWritten(t *testing.T) {
	data := foreign(t, 4096)
	inThread(t, func(s *Scope) error {
		x := s.FromBytes(data, Float32, 4, 256)
		s.AddInPlace(s.Narrow(x, 0, 3, 1), s.Full(1, Float32, CPU, 256), -2.5)
		if last := [4]byte(data[4092:]); last != [4]byte{0, 0, 0x20, 0xc0} {
			t.Errorf("memory holds % x, want -2.5f", last)
		}
		if data[3*1024-1] != 0 {
			t.Error("memory before the view was written")
		}
		if y := s.FromBytes(data[:512], BFloat16, 256); Numel(y) != 256 {
			t.Errorf("%d elements of bf16, want 256", Numel(y))
		}
		if err := s.Err(); err != nil {
			return err
		}
		for _, shape := range [][]int64{{1023}, {1025}, {4, 257}, {}} {
			if x := s.FromBytes(data, Float32, shape...); !IsNil(x) || s.Err() == nil {
				t.Errorf("shape %v: 4096 bytes were taken", shape)
			}
			s.err = nil
		}
		return nil
	})
}
