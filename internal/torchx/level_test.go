package torchx

import (
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// onEachLevel runs f as a subtest with the kernels of each level that the processor has.
func onEachLevel(t *testing.T, f func(t *testing.T)) {
	was := CPULevel()
	defer SetCPULevel(was)
	for l := Generic; l <= BestCPULevel(); l++ {
		SetCPULevel(l)
		t.Run(l.String(), f)
	}
}

// TestBestCPULevel compares with Linux's list of the processor's instructions.
func TestBestCPULevel(t *testing.T) {
	cpus, err := os.ReadFile("/proc/cpuinfo")
	if err != nil || runtime.GOARCH != "amd64" {
		t.Skip("no list of the processor's instructions here")
	}
	want := Generic
	for l, flags := range []string{"", "avx2 fma", "avx512f avx512vl avx512dq avx512bw", "avx512_bf16", "amx_tile amx_bf16"} {
		has := true
		for _, flag := range strings.Fields(flags) {
			has = has && regexp.MustCompile(`(?m)^flags\s*:.*\b`+flag+`\b`).Match(cpus)
		}
		if !has {
			break
		}
		want = Level(l)
	}
	const archPrctl, requestPermission, tileData = 158, 0x1023, 18 // arch_prctl(2) of x86-64
	if want == AMX {
		if _, _, err := unix.RawSyscall(archPrctl, requestPermission, tileData, 0); err != 0 {
			want = AVX512BF16 // the system does not let this process use AMX
		}
	}
	if want == AVX512BF16 && strings.Contains(string(cpus), "GenuineIntel") {
		want = AVX512 // faster than Intel's products of bf16
	}
	if got := BestCPULevel(); got != want {
		t.Errorf("the best level is %v, but /proc/cpuinfo says %v", got, want)
	}
}

func TestUseLevel(t *testing.T) {
	was := CPULevel()
	defer SetCPULevel(was)
	for l, name := range levelNames {
		err := useLevel(name)
		switch {
		case Level(l) > BestCPULevel():
			if err == nil || !strings.Contains(err.Error(), "this processor lacks") {
				t.Errorf("%s: %v", name, err)
			}
		case err != nil || CPULevel() != Level(l):
			t.Errorf("%s: level %v, error %v", name, CPULevel(), err)
		case CPU.HasBF16() != (Level(l) >= AVX512BF16):
			t.Errorf("%s: CPU.HasBF16() = %v", name, CPU.HasBF16())
		}
	}
	if err := useLevel("sse"); err == nil || !strings.Contains(err.Error(), "want one of generic") {
		t.Errorf("sse: %v", err)
	}
}
