package torchx

import (
	"os"
	"os/exec"
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
