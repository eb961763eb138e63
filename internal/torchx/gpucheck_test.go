package torchx

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// gpuKit is a kit of programs that print what those of make gpu-kit would, on a machine with
// a GPU that is a script.
type gpuKit struct{ dir string }

func newGPUKit(t *testing.T) gpuKit {
	t.Helper()
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("python3 is missing")
	}
	k := gpuKit{t.TempDir()}
	script, err := os.ReadFile("gpu-check.py")
	if err != nil {
		t.Fatal(err)
	}
	k.put(t, "gpu-check.py", string(script))
	return k
}

func (k gpuKit) put(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(k.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

// check runs gpu-check and compares its exit status, and what its output has.
func (k gpuKit) check(t *testing.T, status int, wants []string, args ...string) {
	t.Helper()
	c := exec.Command("python3", append([]string{filepath.Join(k.dir, "gpu-check.py"), "--log", filepath.Join(k.dir, "log")}, args...)...)
	c.Env = append(os.Environ(), "PATH="+filepath.Join(k.dir, "path")+":"+os.Getenv("PATH"), "PYTHONPATH="+filepath.Join(k.dir, "site"))
	out, err := c.CombinedOutput()
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	if got != status {
		t.Errorf("%v: exit status %d, want %d", args, got, status)
	}
	for _, want := range wants {
		if !strings.Contains(string(out), want) {
			t.Errorf("%v: %q is missing in\n%s", args, want, out)
		}
	}
}

// TestGPUCheck checks what gpu-check says without a kit, a GPU or PyTorch, and with wrong
// arguments; and on a GPU, that a part which fails or takes too long hides no other, and
// the table.
func TestGPUCheck(t *testing.T) {
	k := newGPUKit(t)
	k.check(t, 2, []string{"fmsr is missing: make gpu-kit builds it"})
	k.put(t, "libfmsr_cuda.so", "")
	k.put(t, "torchx.test", "#!/bin/sh\necho '--- PASS: TestUpdate (0.1s)'\n")
	k.put(t, "model.test", `#!/bin/sh
[ "$2" = '^$' ] || { echo "loss 3, want 2"; exit 1; }
for fields in 1 8; do
  echo "BenchmarkDevice/train/fields=$fields-16	30	1 ns/op	25.00 ms	450.0 TFLOP/s"
  echo "BenchmarkDevice/train_waiting/fields=$fields-16	30	1 ns/op	26.00 ms	440.0 TFLOP/s"
  echo "BenchmarkDevice/sample/fields=$fields-16	30	1 ns/op	8.000 ms	470.0 TFLOP/s"
done
`)
	k.put(t, "fmsr", `#!/bin/sh
[ "$2" = full.yaml ] && echo "step 400/400  loss 1  grad norm 2  lr 1e-4  160 frames/s  40.0 steps/s  eta 0s"
true
`)
	k.put(t, "peer/bench.py", `
import json, sys
mode = sys.argv[sys.argv.index("--modes") + 1]
if mode == "cudagraph":
    print(json.dumps({"section": "error", "rc": 1}))
    sys.exit()
for what, ms in ("train", 39), ("sample", 12):
    print(json.dumps({"section": what, "median_s": ms / 1e3 if mode == "compile" else 0.1}))
`)
	k.put(t, "path/nvidia-smi", "#!/bin/sh\nexit 9\n")
	k.check(t, 3, []string{"no GPU: nothing was checked"})
	k.check(t, 2, []string{"unknown part speed"}, "--only", "speed")
	k.check(t, 2, []string{"/none/bench.py is missing"}, "--peer", "/none")
	k.put(t, "path/nvidia-smi", "#!/bin/sh\ncase $1 in *name*) echo 'NVIDIA H200, 143771, 580.1' ;; *) echo '97, 20480' ;; esac\n")
	k.put(t, "site/torch/__init__.py", "")
	k.put(t, "site/torch/version.py", "__version__ = '2.10.0'\n")
	k.check(t, 2, []string{"PyTorch is 2.10.0: want 2.11"})
	k.put(t, "site/torch/version.py", "__version__ = '2.11.0+cu130'\n")
	k.check(t, 1, []string{
		"kernels                           1 tests",
		"golden                            FAILED",
		"FAILED golden: status 1", "loss 3, want 2",
		"fmsr, the host waits for no step                     25.00             25.00              8.00              8.00",
		"fmsr, the host waits for each step                   26.00             26.00",
		"of the GPU's 989 TFLOP/s                           45.5%             45.5%             47.5%             47.5%",
		"PyTorch, eager                                      100.00            100.00            100.00            100.00",
		"fastest PyTorch / fmsr, both waiting                  1.50              1.50              1.50              1.50",
		"a run of 8 fields: 25.0 ms a step, GPU busy 97% of the time, 20.0 GiB; the step alone takes 25.0 ms: loader and pipeline cost 0.0%",
		"FAILED peer: peer-cudagraph-1: status 1; see peer-cudagraph-1.log\npeer-cudagraph-8: status 1",
	}, "--peer", filepath.Join(k.dir, "peer"), "--only", "kernels,golden,steps,run,peer")
	k.put(t, "torchx.test", "#!/bin/sh\nsleep 60\n")
	k.check(t, 1, []string{"FAILED kernels: took more than 2 s"}, "--only", "kernels", "--seconds", "2.4")
	k.check(t, 0, []string{"kernels                           left out"}, "--only", "kernels", "--seconds", "0")
}
