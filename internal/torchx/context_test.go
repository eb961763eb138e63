package torchx

import (
	"os"
	"regexp"
	"runtime"
	"testing"
)

// The kernel's list of the processor's instructions is the oracle.
func TestHasBF16(t *testing.T) {
	if !CUDA(0).HasBF16() {
		t.Error("CUDA(0).HasBF16() = false, want true")
	}
	cpus, err := os.ReadFile("/proc/cpuinfo")
	if err != nil || runtime.GOARCH != "amd64" {
		t.Skip("no list of the processor's instructions here")
	}
	want := regexp.MustCompile(`(?m)^flags\s*:.*\b(avx512_bf16|amx_bf16)\b`).Match(cpus)
	if got := CPU.HasBF16(); got != want {
		t.Errorf("CPU.HasBF16() = %v, but /proc/cpuinfo says %v", got, want)
	}
}
