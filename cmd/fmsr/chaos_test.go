package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"fmsr/internal/npy"
)

const chaosSpec = `
version: 1
run: {name: chaos, overfit: false, checkpoint_every: 2}
flow:
  - npy_load: {set: set, fields: [a, b]}
  - channel_select: {channels: all}
  - arrow_cache:
  - pool_upsample:
  - normalize:
  - batch: {size: 2}
  - train: {model_channels: 4, channel_mult: [1, 1, 1], total_steps: 24, warmup_steps: 2}
  - ema:
  - eval: {log_every: 3, sample_steps: 8}
  - metrics:
  - tensorboard:
  - wandb:
  - images:
  - report:
`

// TestChaos kills real runs at moments spread over their whole length, start-up,
// cache, evaluations and checkpoints among them, half of them by SIGKILL and half
// by SIGTERM. Run again, each ends as the run that was left alone: the same
// checkpoint and figures, bit for bit. FMSR_CHAOS=N sets how many (make chaos).
func TestChaos(t *testing.T) {
	kills := 10
	if n, err := strconv.Atoi(os.Getenv("FMSR_CHAOS")); err == nil {
		kills = n
	} else if testing.Short() {
		t.Skip("a dozen runs: not with -short")
	}
	dir := t.TempDir()
	chaosData(t, dir)
	began := time.Now()
	if out, err := chaosRun(dir, "whole").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	whole := time.Since(began)
	saved := 0
	for i := range kills {
		name := fmt.Sprintf("run%d", i)
		signal := []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM}[i%2]
		moment := whole * time.Duration(2*i+1) / time.Duration(2*kills)
		cmd := chaosRun(dir, name)
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(moment, func() { _ = cmd.Process.Signal(signal) }) // it may have ended
		err := cmd.Wait()
		timer.Stop()
		if signal == syscall.SIGTERM && err != nil && cmd.ProcessState.ExitCode() != 128+int(syscall.SIGTERM) &&
			!cmd.ProcessState.Sys().(syscall.WaitStatus).Signaled() { // before the program had started
			t.Errorf("%s after %v: %v\n%s", signal, moment, err, out.Bytes())
		}
		if _, err := os.Stat(filepath.Join(dir, name, "checkpoint.pt")); err == nil {
			saved++
		}
		if out, err := chaosRun(dir, name).CombinedOutput(); err != nil {
			t.Errorf("%s after %v, run again: %v\n%s", signal, moment, err, out)
			continue
		}
		for _, file := range []string{"metrics.jsonl", "checkpoint.pt"} {
			want, got := chaosRead(t, dir, "whole", file), chaosRead(t, dir, name, file)
			if !bytes.Equal(want, got) {
				t.Errorf("%s after %v: %s differs", signal, moment, file)
			}
		}
	}
	t.Logf("%d kills over %v: %d left a checkpoint", kills, whole.Round(time.Millisecond), saved)
	if saved == 0 {
		t.Error("no run was killed late enough to have left a checkpoint")
	}
}

func chaosData(t *testing.T, dir string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "spec.yaml"), []byte(chaosSpec), 0o644); err != nil {
		t.Fatal(err)
	}
	for seed := range 3 {
		values := make([]float32, 5*8*8*2)
		for i := range values {
			values[i] = float32((i*7919+seed*104729)%1009)/500 - 1
		}
		folder := filepath.Join(dir, "data", "set", fmt.Sprintf("seed_%04d", seed), "npy")
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := npy.WriteFile(filepath.Join(folder, "f.npy"), []int{5, 8, 8, 2}, values); err != nil {
			t.Fatal(err)
		}
	}
}

// chaosRun is the program itself, with a cache of its own.
func chaosRun(dir, name string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], "run", filepath.Join(dir, "spec.yaml"), "--data-root", filepath.Join(dir, "data"), "--out", filepath.Join(dir, name), "--threads", "1")
	cmd.Args[0] = "fmsr" // by which name the test binary is the program
	cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+filepath.Join(dir, name+".cache"), "OMP_WAIT_POLICY=passive")
	return cmd
}

func chaosRead(t *testing.T, parts ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}
