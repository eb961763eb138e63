package model

import (
	"context"
	"fmt"
	"math"
	"os"
	"testing"

	"fmsr.example/fmsr/internal/testkit/golden"
	"fmsr.example/fmsr/internal/torchx"
)

// onThread runs f on a torch thread of two cores and fails on its error or on a leaked tensor.
func onThread(t *testing.T, f func(s *torchx.Scope) error) {
	t.Helper()
	onCores(t, 2, f)
}

func onCores(t *testing.T, n int, f func(s *torchx.Scope) error) {
	t.Helper()
	before := torchx.Live()
	thread, err := torchx.StartThread(n)
	if err != nil {
		t.Fatal(err)
	}
	err = thread.Do(context.Background(), f)
	thread.Close()
	if err != nil {
		t.Fatal(err)
	}
	if left := torchx.Live() - before; left != 0 {
		t.Errorf("%d tensors left", left)
	}
}

// testDevice is where golden networks run: FMSR_TEST_DEVICE, else the CPU.
func testDevice(t testing.TB) torchx.Device {
	t.Helper()
	name := os.Getenv("FMSR_TEST_DEVICE")
	if name == "" {
		return torchx.CPU
	}
	device, err := torchx.OpenDevice(name)
	if err != nil {
		t.Fatal(err)
	}
	return device
}

func TestParameterListing(t *testing.T) {
	var want struct {
		Listing  [][2]any `json:"listing_C1"`
		ZeroInit []string `json:"zero_init"`
		C8       int      `json:"count_C8"`
		C1       int      `json:"count_C1"`
		C1W16    int      `json:"count_C1_mc16"`
		C1W32    int      `json:"count_C1_mc32"`
		C1W64    int      `json:"count_C1_mc64"`
		C8W32    int      `json:"count_C8_mc32"`
	}
	golden.Load(t, "params", &want)
	counts := []struct{ fields, channels, want int }{
		{8, 128, want.C8}, {1, 128, want.C1}, {1, 16, want.C1W16}, {1, 32, want.C1W32}, {1, 64, want.C1W64}, {8, 32, want.C8W32},
	}
	onThread(t, func(s *torchx.Scope) error {
		for _, c := range counts {
			u, err := NewNet(s, Config{Fields: c.fields, Channels: c.channels}, 1)
			if err != nil {
				return err
			}
			if got := Count(u); got != c.want {
				t.Errorf("%d fields, %d channels: %d parameters, want %d", c.fields, c.channels, got, c.want)
			}
			if c.fields == 1 && c.channels == 128 {
				checkListing(t, s, u, want.Listing, want.ZeroInit)
			}
			u.Free()
		}
		return nil
	})
}

func checkListing(t *testing.T, s *torchx.Scope, u Net, listing [][2]any, zeroInit []string) {
	zero := map[string]bool{}
	for _, name := range zeroInit {
		zero[name] = true
	}
	if len(u.Params()) != len(listing) {
		t.Fatalf("%d parameters, want %d", len(u.Params()), len(listing))
	}
	for i, p := range u.Params() {
		got := fmt.Sprintf("%s %v", p.Name, p.Shape)
		if want := fmt.Sprintf("%v %v", listing[i][0], listing[i][1]); got != want {
			t.Errorf("parameter %d is %s, want %s", i, got, want)
		}
		if len(p.Shape) < 2 {
			continue
		}
		spread := 0.0
		for _, v := range s.Floats(p.Tensor) {
			spread = max(spread, math.Abs(float64(v)))
		}
		if (spread == 0) != zero[p.Name] {
			t.Errorf("%s: initial values up to %g, zero wanted: %v", p.Name, spread, zero[p.Name])
		}
	}
}

// netCase is one network of golden.json.
type netCase struct {
	Fields    int           `json:"fields"`
	Channels  int           `json:"model_channels"`
	Size      int           `json:"size"`
	Batch     int           `json:"batch"`
	Features  golden.Digest `json:"time_features"`
	MLP       golden.Digest `json:"time_mlp"`
	Stem      golden.Digest `json:"stem"`
	Output    golden.Digest `json:"output"`
	Loss      float64       `json:"loss"`
	GradNorm  float64       `json:"grad_norm"`
	GradNorms []float64     `json:"grad_norms"`
	Train     [][2]float64  `json:"train_loss_and_norm"`
	After     golden.Digest `json:"output_after"`
	EMAAfter  golden.Digest `json:"ema_output_after"`
}

func TestGoldenNetworks(t *testing.T) {
	// In float64 both sides agree to round-off. In float32 the oracle itself is off by 3e-6 in the
	// loss; training steps amplify that. In bf16 it is off from float64 by up to 0.12 of the output's
	// size in single elements, by 0.003 in the loss and by 0.007 in the gradients' norms.
	double, single, bf16 := tolerance{1e-10, 1e-10, 1e-8}, tolerance{2e-5, 2e-5, 2e-4}, tolerance{0.12, 0.007, 0.05}
	long := tolerance{2e-5, 2e-5, 2e-3}
	cases := []struct {
		name   string
		dtype  torchx.DType
		format torchx.Format
		bf16   bool
		tol    tolerance
		long   bool
	}{
		{"net_small_f64", torchx.Float64, torchx.NCHW, false, double, false},
		{"net_small_f64", torchx.Float64, torchx.NHWC, false, double, false},
		{"net_small8_f64", torchx.Float64, torchx.NCHW, false, double, false},
		{"net_small_f32", torchx.Float32, torchx.NCHW, false, single, false},
		{"net_small_f32", torchx.Float32, torchx.NHWC, false, single, false},
		{"net_small_f64", torchx.Float32, torchx.NHWC, true, bf16, false},
		{"net_full_f64", torchx.Float64, torchx.NCHW, false, double, true},
		{"net_full_f32", torchx.Float32, torchx.NHWC, false, long, true},
		{"net_full_f64", torchx.Float32, torchx.NHWC, true, bf16, true},
	}
	for _, c := range cases {
		t.Run(fmt.Sprintf("%s/%d/bf16=%v", c.name, c.format, c.bf16), func(t *testing.T) {
			if c.long && testing.Short() {
				t.Skip("the full-size network, in -short mode")
			}
			if c.long && c.bf16 && !torchx.CPU.HasBF16() {
				t.Skip("the full-size network in bf16: this processor has no instructions for it, where fmsr computes in float32, and libtorch takes a minute to emulate them")
			}
			checkNetwork(t, c.name, c.dtype, c.format, c.bf16, c.tol)
		})
	}
	best := torchx.CPULevel()
	defer torchx.SetCPULevel(best)
	for l := torchx.Generic; l < best; l++ { // the kernels of the cases above are those of the best level
		torchx.SetCPULevel(l)
		t.Run("small/float32/"+l.String(), func(t *testing.T) {
			checkNetwork(t, "net_small_f32", torchx.Float32, torchx.NHWC, false, single)
		})
		if l >= torchx.AVX512BF16 {
			t.Run("small/bf16/"+l.String(), func(t *testing.T) {
				checkNetwork(t, "net_small_f64", torchx.Float32, torchx.NHWC, true, bf16)
			})
		}
	}
}

// tolerance is how far off elements may be, in units of the tensor's size, and the
// loss and gradients' norms, relatively; and those after training steps.
type tolerance struct{ element, norm, after float64 }

func checkNetwork(t *testing.T, name string, dtype torchx.DType, format torchx.Format, bf16 bool, tol tolerance) {
	var want netCase
	golden.Load(t, name, &want)
	before := torchx.Live()
	thread, err := torchx.StartThread(2)
	if err != nil {
		t.Fatal(err)
	}
	config := Config{Fields: want.Fields, Channels: want.Channels, DType: dtype, Format: format, Device: testDevice(t)}
	hyper := Hyper{Flow: Flow{Base: XLoPlusNoise, NoiseScale: 0.1, LossScale: 100}, LR: 2e-4, GradClip: 1, BF16: bf16}
	tr, err := NewTrainer(context.Background(), thread, config, hyper)
	if err != nil {
		t.Fatal(err)
	}
	err = tr.Do(context.Background(), func(s *torchx.Scope) error {
		setGoldenWeights(s, tr)
		in := goldenInputs(s, want, tr.Net.Config())
		net := tr.Net.(*UNet)
		check := func(what string, d golden.Digest, x torchx.Tensor) {
			d.Check(t, what, doubles(s, x), tol.element)
		}
		check("time features", want.Features, net.TimeFeatures(s, in.t))
		check("time MLP", want.MLP, net.timeMLP(s, net.embed, in.t))
		xt := tr.Interpolate(s, in.x0, in.x1, in.t)
		x := s.Cat(1, xt, in.xLo)
		check("stem", want.Stem, s.Conv2d(x, net.stem.w, net.stem.b, false))
		var loss torchx.Tensor
		s.Autocast(config.Device, bf16, func() {
			check("output", want.Output, net.Forward(s, x, in.t))
			torchx.NoGrad(func() { check("output without gradients", want.Output, net.Forward(s, x, in.t)) })
			loss = tr.Loss(s, net, in.xLo, in.x1, in.x0, in.t)
		})
		s.Backward(loss)
		golden.Near(t, "loss", s.Item(loss), want.Loss, tol.norm*want.Loss)
		total := 0.0
		for i, p := range net.Params() {
			norm := l2(doubles(s, s.Grad(p.Tensor)))
			total += norm * norm
			golden.Near(t, "gradient norm of "+p.Name, norm, want.GradNorms[i], tol.norm*(want.GradNorms[i]+want.GradNorm/100))
		}
		golden.Near(t, "gradient norm", math.Sqrt(total), want.GradNorm, tol.norm*want.GradNorm)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range want.Train {
		err := tr.Do(context.Background(), func(s *torchx.Scope) error {
			in := goldenInputs(s, want, tr.Net.Config())
			tr.accumulate(s, in.xLo, in.x1, in.x0, in.t, torchx.Tensor{}, true, 1)
			r, err := tr.Update(s)
			golden.Near(t, fmt.Sprintf("step %d: loss", i+1), r.Loss, w[0], tol.after*w[0])
			golden.Near(t, fmt.Sprintf("step %d: gradient norm", i+1), r.GradNorm, w[1], tol.after*w[1])
			return err
		})
		if err == nil {
			err = tr.UpdateEMA(context.Background(), Averaging{Decay: 0.9999})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	err = tr.Do(context.Background(), func(s *torchx.Scope) error {
		in := goldenInputs(s, want, tr.Net.Config())
		x := s.Cat(1, tr.Interpolate(s, in.x0, in.x1, in.t), in.xLo)
		after := max(tol.element, tol.after)
		torchx.NoGrad(func() {
			s.Autocast(config.Device, bf16, func() {
				want.After.Check(t, "output after training", doubles(s, tr.Net.Forward(s, x, in.t)), after)
				want.EMAAfter.Check(t, "EMA output after training", doubles(s, tr.EMA.Forward(s, x, in.t)), after)
			})
		})
		return nil
	})
	tr.Close()
	if err != nil {
		t.Fatal(err)
	}
	if n := torchx.Live() - before; n != 0 {
		t.Errorf("%d tensors left", n)
	}
}

func setGoldenWeights(s *torchx.Scope, tr *Trainer) {
	for j, p := range tr.Net.Params() {
		values := make([]float64, numel(p.Shape))
		for i := range values {
			values[i] = golden.Weight(uint64(j), uint64(i), p.Name, p.Shape)
		}
		w := s.Full(0, torchx.Float64, torchx.CPU, p.Shape...)
		torchx.Write(s, w, values)
		w = s.To(w, torchx.Float32, torchx.CPU, torchx.NCHW) // as the oracle's, whatever its type
		s.Copy(p.Tensor, w)
		s.Copy(tr.EMA.Params()[j].Tensor, w)
	}
}

type inputs struct{ x1, xLo, x0, t torchx.Tensor }

// goldenInputs are rounded to float32 whatever the network's type.
func goldenInputs(s *torchx.Scope, c netCase, config Config) inputs {
	n, ch, hw := int64(c.Batch), int64(c.Fields), int64(c.Size)
	fields := golden.Fields(c.Batch, c.Fields, c.Size)
	noise := make([]float64, len(fields))
	for i := range fields {
		fields[i] /= 2
		noise[i] = golden.N(5, uint64(i))
	}
	tensor := func(v []float64, shape ...int64) torchx.Tensor {
		x := s.Full(0, torchx.Float64, torchx.CPU, shape...)
		torchx.Write(s, x, v)
		return x
	}
	as := func(x torchx.Tensor) torchx.Tensor {
		return s.To(s.To(x, torchx.Float32, torchx.CPU, config.Format), config.DType, config.Device, config.Format)
	}
	x1 := tensor(fields, n, ch, hw, hw)
	xLo := s.UpsampleBilinear(s.AvgPool2d(x1, 2), 2)
	times := make([]float64, n)
	for i := range times {
		times[i] = (float64(i) + 0.5) / float64(n)
	}
	return inputs{as(x1), as(xLo), as(s.AddScaled(xLo, tensor(noise, n, ch, hw, hw), 0.1)), as(tensor(times, n))}
}

func doubles(s *torchx.Scope, x torchx.Tensor) []float64 {
	if s.Err() != nil {
		return nil
	}
	v := make([]float64, torchx.Numel(x))
	torchx.Read(s, s.To(x, torchx.Float64, torchx.CPU, torchx.NCHW), v)
	return v
}

func l2(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x * x
	}
	return math.Sqrt(sum)
}
