package torchx

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// testDevice returns the device for the tests of kernels: FMSR_TEST_DEVICE, or the CPU.
func testDevice(t testing.TB) Device {
	t.Helper()
	name := os.Getenv("FMSR_TEST_DEVICE")
	if name == "" {
		return CPU
	}
	device, err := OpenDevice(name)
	if err != nil {
		t.Fatal(err)
	}
	if notice := device.Notice(); notice != "" {
		t.Fatal(notice)
	}
	return device
}

// TestNotice checks that a CUDA device without fmsr's library says so in one line.
func TestNotice(t *testing.T) {
	if notice := CPU.Notice(); notice != "" {
		t.Errorf("the CPU's notice is %q", notice)
	}
	if testDevice(t) != CPU {
		t.Skip("the library is there")
	}
	notice := CUDA(1).Notice() // there is no device, and no library
	for _, want := range []string{"cuda:1: fmsr's own CUDA kernels are not used", "make cuda", cudaLibrary} {
		if !strings.Contains(notice, want) || strings.Contains(notice, "\n") {
			t.Errorf("notice %q, want one line with %q", notice, want)
		}
	}
}

// TestKernelLibrary checks that a library without a table, or with the table of
// another version, is refused.
func TestKernelLibrary(t *testing.T) {
	dir := t.TempDir()
	build := func(name, source string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path+".cc", []byte(source), 0o644); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command(cmp.Or(os.Getenv("CXX"), "g++"), "-shared", "-fPIC", "-o", path, path+".cc").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return path
	}
	none := build("none.so", "")
	other := build("other.so", `extern "C" const long *fmsr_cuda_table() { static const long version = -1; return &version; }`)
	for path, want := range map[string]string{
		filepath.Join(dir, "missing.so"): "No such file",
		none:                             "fmsr_cuda_table",
		other:                            "other.so is of another build: version -1",
	} {
		if err := loadKernelsFrom(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", filepath.Base(path), err, want)
		}
	}
}

// TestTryKernels checks that the device's kernels pass the check that is made when they are
// loaded, and that the check finds a wrong result.
func TestTryKernels(t *testing.T) {
	if err := tryKernels(testDevice(t)); err != nil {
		t.Error(err)
	}
	inThread(t, func(s *Scope) error {
		want := s.Randn(1, 10)
		for scale, passes := range map[float64]bool{1: true, 1.01: false, -1: false, math.NaN(): false} {
			if err := compare(s, "x", []Tensor{s.Affine(want, scale, 0)}, []Tensor{want}, 1e-3); (err == nil) != passes {
				t.Errorf("scaled by %g: error %v", scale, err)
			}
		}
		return s.Err()
	})
}

// TestRandnOn checks that the device's noise depends on its seed alone, and is standard normal.
func TestRandnOn(t *testing.T) {
	device := testDevice(t)
	inThread(t, func(s *Scope) error {
		draw := func(seed uint64) []float32 { return s.Floats(s.RandnOn(device, seed, 3, 5000)) }
		first, other := draw(1<<40), draw(1<<41)
		if !slices.Equal(first, draw(1<<40)) || slices.Equal(first, other) {
			t.Error("the noise is not a function of the seed")
		}
		var sum, squares float64
		for _, x := range first {
			sum += float64(x) / 15000
			squares += float64(x) * float64(x) / 15000
		}
		if math.Abs(sum) > 0.04 || math.Abs(squares-1) > 0.06 { // five standard deviations
			t.Errorf("mean %g, mean square %g", sum, squares)
		}
		return s.Err()
	})
}

// TestUpdate compares float32 updates, which take one pass on CUDA, with float64
// updates, which are composed of libtorch's ops everywhere. The second and third
// update are skipped.
func TestUpdate(t *testing.T) {
	device := testDevice(t)
	run := func(dtype DType) (lists [][]float64, reports []Report) {
		inThread(t, func(s *Scope) error {
			adamw := AdamW{Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, WeightDecay: 0.1}
			shapes := [][]int64{{7}, {3, 4, 3, 3}, {20000}, {5, 2}}
			var p, m, v, ema []Tensor
			make := func(seed uint64, scale float64, shape []int64) Tensor {
				return s.Clone(s.To(s.Affine(s.Randn(seed, shape...), scale, 0), dtype, device, NHWC))
			}
			for i, shape := range shapes {
				p, ema = append(p, make(uint64(i), 1, shape)), append(ema, make(uint64(i), 1, shape))
				m, v = append(m, make(0, 0, shape)), append(v, make(0, 0, shape))
				s.RequiresGrad(p[i], true)
			}
			report := s.NewReport(device, 0)
			for step := range 4 {
				s.ZeroGrads(p)
				loss := s.Full(0, dtype, device)
				for i, x := range p {
					loss = s.Add(loss, s.Mean(s.Mul(x, make(uint64(10*step+i), 100, shapes[i]))))
				}
				scale := 1.0
				if step == 1 {
					scale = math.Inf(1)
				}
				s.Backward(s.Affine(loss, scale, 0))
				told := s.Full(float64(step), Float64, device, 1)
				if step == 2 {
					told = s.Full(math.NaN(), Float64, device, 1)
				}
				s.Update(adamw, 1, p, m, v, ema, told, s.UpdateSchedule(device, 1e-2, 0.9), report)
				reports = append(reports, s.ReadReport(report))
			}
			for _, list := range [][]Tensor{p, m, v, ema} {
				for _, x := range list {
					values := []float64{}
					values = append(values, doublesOf(s, x)...)
					lists = append(lists, values)
				}
			}
			return s.Err()
		})
		return lists, reports
	}
	got, reports := run(Float32)
	want, exact := run(Float64)
	for i := range want {
		for j, w := range want[i] {
			if d := math.Abs(got[i][j] - w); !(d <= 2e-6*(1+math.Abs(w))) {
				t.Fatalf("list %d, element %d: %g, want %g", i, j, got[i][j], w)
			}
		}
	}
	for step, r := range reports {
		e := exact[step]
		taken, inARow := []int{1, 1, 1, 2}[step], []int{0, 1, 2, 0}[step]
		if r.Taken != taken || e.Taken != taken || r.InARow != inARow || e.InARow != inARow {
			t.Errorf("step %d: reports %+v and %+v, want %d taken, %d not in a row", step, r, e, taken, inARow)
		}
		if d := math.Abs(r.GradNorm - e.GradNorm); step != 1 && !(d <= 1e-5*e.GradNorm) || fmt.Sprint(r.Loss) != fmt.Sprint(e.Loss) {
			t.Errorf("step %d: reports %+v and %+v", step, r, e)
		}
	}
}

func doublesOf(s *Scope, x Tensor) []float64 {
	v := make([]float64, Numel(x))
	Read(s, s.To(x, Float64, CPU, NCHW), v)
	return v
}

// TestNCCL: collectives of tensors on CUDA, by a group of one rank.
func TestNCCL(t *testing.T) {
	device := testDevice(t)
	if device == CPU {
		t.Skip("FMSR_TEST_DEVICE is not set")
	}
	_, stores := serve(t, 1)
	ctx := context.Background()
	g, err := NewGroup(ctx, stores[0], 0, 1, device, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	err = g.Do(ctx, func(s *Scope) error {
		x := s.To(s.Full(3, Float32, CPU, 2, 4, 4, 4), Float32, device, NHWC)
		s.AllReduce(g, x)
		s.Broadcast(g, x, 0)
		for _, y := range append(s.AllGather(g, x), x) {
			if v := s.Item(s.Mean(y)); v != 3 {
				return fmt.Errorf("one rank's 3 became %g", v)
			}
		}
		return s.Err()
	})
	if err != nil {
		t.Error(err)
	}
}
