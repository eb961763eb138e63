package torchx

import (
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// TestOneCore: a program that may use one core starts, whether it starts once or twice.
func TestOneCore(t *testing.T) {
	runtime.LockOSThread() // the child gets this thread's cores
	defer runtime.UnlockOSThread()
	var all, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		t.Fatal(err)
	}
	for cpu := 0; one.Count() == 0; cpu++ {
		if all.IsSet(cpu) {
			one.Set(cpu)
		}
	}
	if err := unix.SchedSetaffinity(0, &one); err != nil {
		t.Skip(err)
	}
	defer func() { _ = unix.SchedSetaffinity(0, &all) }()
	for _, environment := range [][]string{{}, {"GOMP_SPINCOUNT=1000"}} {
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = environment
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v: %v\n%s", environment, err, out)
		}
	}
}

// TestHasBF16 compares with Linux's list of the processor's instructions.
func TestHasBF16(t *testing.T) {
	if !CUDA(0).HasBF16() {
		t.Error("CUDA(0).HasBF16() = false, want true")
	}
	cpus, err := os.ReadFile("/proc/cpuinfo")
	if err != nil || runtime.GOARCH != "amd64" {
		t.Skip("no list of the processor's instructions here")
	}
	want := regexp.MustCompile(`(?m)^flags\s*:.*\bavx512_bf16\b`).Match(cpus)
	if got := CPU.HasBF16(); got != want {
		t.Errorf("CPU.HasBF16() = %v, but /proc/cpuinfo says %v", got, want)
	}
}
