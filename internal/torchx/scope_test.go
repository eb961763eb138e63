package torchx

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"

	torch "github.com/wangkuiyi/gotorch"
	"golang.org/x/sys/unix"
)

// inThread runs f on a torch thread. An error, or a tensor that is left, fails the test.
func inThread(t *testing.T, f func(s *Scope) error) {
	t.Helper()
	before := Live()
	thread, err := StartThread(2)
	if err != nil {
		t.Fatal(err)
	}
	err = thread.Do(context.Background(), f)
	thread.Close()
	if err != nil {
		t.Error(err)
	}
	if left := Live() - before; left != 0 {
		t.Errorf("%d tensors left", left)
	}
}

// TestErrors checks that the error is libtorch's first line with the op's name, and
// that it sticks.
func TestErrors(t *testing.T) {
	inThread(t, func(s *Scope) error {
		x, w := s.Randn(1, 2, 3, 8, 8), s.Randn(2, 4, 5, 3, 3)
		bad := s.Conv2d(x, w, Tensor{}, false)
		if !IsNil(bad) {
			t.Error("a failed op returned a tensor")
		}
		after := s.Add(x, x)
		if !IsNil(after) {
			t.Error("an op after an error returned a tensor")
		}
		err := s.Err()
		want := "conv2d: Given groups=1, weight of size [4, 5, 3, 3], expected input[2, 3, 8, 8] to have 5 channels, but got 3 channels instead"
		if err == nil || err.Error() != want {
			t.Errorf("error %v, want %q", err, want)
		}
		s.err = nil
		if s.FromBytes(make([]byte, 12), Float32, 4); s.Err() == nil || !strings.Contains(s.Err().Error(), "12 bytes for shape [4], want 16") {
			t.Errorf("error %v, want the sizes", s.Err())
		}
		s.err = nil
		s.Grad(x)
		if s.Err() == nil || !strings.Contains(s.Err().Error(), "grad: the tensor has no gradient") {
			t.Errorf("error %v", s.Err())
		}
		s.err = nil
		return nil
	})
}

func TestScopes(t *testing.T) {
	inThread(t, func(s *Scope) error {
		before := Live()
		kept := s.Within(func(in *Scope) Tensor {
			a := in.Randn(1, 4)
			return in.Add(a, in.Add(a, a))
		})
		if n := Live() - before; n != 1 {
			t.Errorf("%d tensors after Within, want its result alone", n)
		}
		Free(s.Keep(kept))
		if n := Live() - before; n != 0 {
			t.Errorf("%d tensors after Free", n)
		}
		// a tensor of gotorch, whose finalizer must not free it a second time
		ones := s.Adopt(torch.Ones([]int64{3}, false))
		if got := s.Floats(ones); len(got) != 3 || got[2] != 1 {
			t.Errorf("gotorch's ones are %v", got)
		}
		return s.Err()
	})
}

// TestForeignMemory checks that a tensor over memory of ours sees what we write there.
func TestForeignMemory(t *testing.T) {
	data, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Munmap(data)
	inThread(t, func(s *Scope) error {
		x := s.FromBytes(data, Float32, 2, 512)
		y := s.Narrow(x, 0, 1, 1)
		data[2048+3], data[2048+2] = 0x3f, 0x80 // 1.0f
		if v := s.Floats(y)[0]; v != 1 {
			t.Errorf("the tensor holds %g, want what was written to its memory", v)
		}
		if !SharesMemory(x, s.To(x, Float32, CPU, NCHW)) {
			t.Error("To copied although nothing changed")
		}
		if SharesMemory(x, s.Clone(x)) {
			t.Error("Clone did not copy")
		}
		return nil
	})
}

func TestThread(t *testing.T) {
	thread, err := StartThread(1)
	if err != nil {
		t.Fatal(err)
	}
	defer thread.Close()
	ctx, cancel := context.WithCancelCause(context.Background())
	if err := thread.Do(ctx, func(*Scope) error { panic("dropped a tensor") }); err == nil || !strings.Contains(err.Error(), "panic: dropped a tensor") {
		t.Errorf("a panic became %v", err)
	}
	mine := errors.New("mine")
	if err := thread.Do(ctx, func(*Scope) error { return mine }); !errors.Is(err, mine) {
		t.Errorf("error %v, want f's own", err)
	}
	if err := thread.Do(ctx, func(s *Scope) error { s.Randn(1, 3); return nil }); err != nil {
		t.Errorf("after a panic and an error: %v", err)
	}
	cancel(mine)
	if err := thread.Do(ctx, func(*Scope) error { t.Error("ran after the context had ended"); return nil }); !errors.Is(err, mine) {
		t.Errorf("error %v, want the context's cause", err)
	}
}

func TestOpenDevice(t *testing.T) {
	if d, err := OpenDevice("cpu"); err != nil || d != CPU || d.String() != "cpu" {
		t.Errorf("cpu is %v, %v", d, err)
	}
	if CUDA(1).String() != "cuda:1" {
		t.Errorf("CUDA(1) is %s", CUDA(1))
	}
	for _, name := range []string{"tpu", "cuda:x", "cuda:-1", ""} {
		if _, err := OpenDevice(name); err == nil || !strings.Contains(err.Error(), strconv.Quote(name)) {
			t.Errorf("%q: error %v, want one that names it", name, err)
		}
	}
	if n, err := cudaDevices(); err == nil && n > 0 {
		t.Skip("there is a CUDA device here: its absence cannot be tested")
	}
	if _, err := OpenDevice("cuda"); err == nil || !strings.HasPrefix(err.Error(), "device cuda: ") {
		t.Errorf("cuda: error %v, want one that names it", err)
	}
	if d, err := OpenDevice("auto"); err != nil || d != CPU {
		t.Errorf("auto is %v, %v, want the CPU", d, err)
	}
}

// TestThousandSteps checks that training steps leave neither tensors nor memory behind.
func TestThousandSteps(t *testing.T) {
	thread, err := StartThread(1)
	if err != nil {
		t.Fatal(err)
	}
	defer thread.Close()
	do := func(f func(s *Scope) error) {
		t.Helper()
		if err := thread.Do(context.Background(), f); err != nil {
			t.Fatal(err)
		}
	}
	var params, m, v, ema []Tensor
	start := Live()
	do(func(s *Scope) error {
		for i, shape := range [][]int64{{16, 1, 3, 3}, {16}, {16}, {16}, {1, 16, 3, 3}, {1}} {
			p := s.Randn(uint64(i), shape...)
			for _, list := range []*[]Tensor{&m, &v, &ema} {
				*list = append(*list, s.Keep(s.Affine(p, 0, 0)))
			}
			s.RequiresGrad(p, true)
			params = append(params, s.Keep(p))
		}
		return nil
	})
	before := Live()
	resident := map[int]int{}
	for step := 1; step <= 1000; step++ {
		do(func(s *Scope) error {
			x := s.Randn(uint64(step), 4, 1, 32, 32)
			var loss Tensor
			s.Autocast(CPU, step%2 == 0, func() {
				h := s.Conv2d(x, params[0], params[1], true)
				h = s.NormSiLU(h, 4, params[2], params[3], 1e-5, Tensor{})
				loss = s.MSE(s.Conv2d(h, params[4], params[5], false), x)
			})
			s.ZeroGrads(params)
			s.Backward(loss)
			report := s.NewReport(CPU, step-1)
			told := s.Full(0, Float64, CPU)
			s.Update(AdamW{0.9, 0.999, 1e-8, 0}, 1, params, m, v, ema, told, s.UpdateSchedule(CPU, 1e-3, 0.9), report)
			return nil
		})
		if step == 200 || step == 1000 {
			resident[step] = residentKB(t)
		}
	}
	if n := Live() - before; n != 0 {
		t.Errorf("%d tensors left by 1000 steps", n)
	}
	// caches and Go's heap settle within a few MB; leaking a step's smallest activation would take 200 MB
	if grown := resident[1000] - resident[200]; grown > 12<<10 {
		t.Errorf("resident memory grew by %d KB from step 200 to 1000 (%d KB)", grown, resident[1000])
	}
	do(func(s *Scope) error {
		for _, list := range [][]Tensor{params, m, v, ema} {
			for _, x := range list {
				Free(x)
			}
		}
		return nil
	})
	if n := Live() - start; n != 0 {
		t.Errorf("%d tensors left", n)
	}
}

func residentKB(t *testing.T) int {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("no /proc to read resident memory from")
	}
	_, rest, _ := strings.Cut(string(data), "VmRSS:")
	kb, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		t.Fatal(err)
	}
	return kb
}
