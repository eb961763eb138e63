package cli

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"fmsr.example/fmsr/internal/store/atomicfile"
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
  - eval: {log_every: 8, sample_steps: 8}
  - metrics:
  - tensorboard:
  - wandb:
  - images:
  - report:
`

// chaosKills returns how many kills to try: FMSR_CHAOS=N (make chaos), or a few.
func chaosKills(t *testing.T) (kills int, all bool) {
	t.Helper()
	if n, err := strconv.Atoi(os.Getenv("FMSR_CHAOS")); err == nil {
		return n, true
	}
	if testing.Short() {
		t.Skip("it starts the program many times: not with -short")
	}
	return 10, false
}

// TestChaos kills real runs at moments spread over their whole length, which
// includes start-up, cache, evaluations and checkpoints, and interrupts some more.
// It checks that each, run again, ends with the results of an undisturbed run.
func TestChaos(t *testing.T) {
	t.Parallel()
	kills, _ := chaosKills(t)
	c := newChaos(t)
	saved := 0
	for i := range kills + kills/4 {
		signal := syscall.SIGKILL
		if i >= kills {
			signal = []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGUSR1}[i%3]
			i = (i - kills) * 4
		}
		moment := c.took * time.Duration(2*i+1) / time.Duration(2*kills)
		name := fmt.Sprintf("%s after %v", signal, moment.Round(time.Millisecond))
		cmd := c.command("run")
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(moment, func() { _ = cmd.Process.Signal(signal) }) // it may have ended
		err := cmd.Wait()
		timer.Stop()
		if signal != syscall.SIGKILL && err != nil && cmd.ProcessState.ExitCode() != 128+int(signal) &&
			!cmd.ProcessState.Sys().(syscall.WaitStatus).Signaled() { // the signal came before the program had started
			t.Errorf("%s: %v\n%s", name, err, out.Bytes())
		}
		if _, err := os.Stat(filepath.Join(c.dir, "run", "checkpoint.pt")); err == nil {
			saved++
		}
		c.resume(name)
	}
	t.Logf("%d kills and %d interrupts over %v, %d left a checkpoint: %d runs equal, %d different", kills, kills/4, c.took.Round(time.Millisecond), saved, c.equal, c.different)
	if saved == 0 {
		t.Error("no run was stopped late enough to have left a checkpoint")
	}
}

// TestChaosWithinCheckpoint kills runs at each operation on a checkpoint's file:
// half-way through a write, right before any other.
func TestChaosWithinCheckpoint(t *testing.T) {
	t.Parallel()
	_, all := chaosKills(t)
	c := newChaos(t)
	list := filepath.Join(c.dir, "operations")
	cmd := c.command("run", "--max-steps", "5") // a first checkpoint, then one to kill within
	cmd.Env = append(cmd.Env, "FMSR_TEST_OPERATIONS="+list)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	operations := strings.Fields(strings.ReplaceAll(string(chaosRead(t, list)), " ", "_"))
	second := slices.Index(operations, "sync_folder") + 1
	c.clear("run")
	kinds := map[string]int{}
	for i, operation := range operations {
		kinds[operation]++
		if i < second || operation == "write" && !all && i > second+1 || i > second && operations[i-1] == "sync_folder" {
			continue
		}
		cmd := c.command("run")
		cmd.Env = append(cmd.Env, fmt.Sprintf("FMSR_TEST_KILL=%d", i+1))
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(err.Error(), "killed") {
			t.Fatalf("operation %d, %s: %v, want it killed\n%s", i, operation, err, out)
		}
		c.resume(fmt.Sprintf("killed at operation %d, %s", i, operation))
	}
	t.Logf("operations %v: %d runs equal, %d different", kinds, c.equal, c.different)
	if kinds["write"] < 4 || kinds["sync"] == 0 || kinds["rename"] == 0 || c.equal == 0 {
		t.Errorf("operations %v, %d equal runs: too few", kinds, c.equal)
	}
}

// killWithin makes the program list its operations on checkpoints, or kill itself
// in one of them, half-way through a write. TestMain calls it before main.
func killWithin() {
	list, at := os.Getenv("FMSR_TEST_OPERATIONS"), os.Getenv("FMSR_TEST_KILL")
	if list == "" && at == "" {
		return
	}
	last, _ := strconv.Atoi(at)
	n := 0
	atomicfile.Before = func(operation string, f *atomicfile.File, data []byte) {
		if filepath.Base(f.Path()) != "checkpoint.pt" {
			return
		}
		n++
		if list != "" {
			log, err := os.OpenFile(list, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
			if err != nil {
				panic(err)
			}
			fmt.Fprintln(log, operation)
			log.Close()
		}
		if n == last {
			_, _ = f.File.Write(data[:len(data)/2])
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
}

// chaos has an undisturbed run, with which the others are compared.
type chaos struct {
	t    *testing.T
	dir  string
	took time.Duration

	program string

	equal, different int
}

func newChaos(t *testing.T) *chaos {
	t.Helper()
	c := &chaos{t: t, dir: t.TempDir(), program: programLink(t)}
	chaosData(t, c.dir)
	began := time.Now()
	if out, err := c.command("whole").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	c.took = time.Since(began)
	return c
}

// command returns a command that runs the program with a cache of its own.
func (c *chaos) command(name string, flags ...string) *exec.Cmd {
	args := []string{"run", filepath.Join(c.dir, "spec.yaml"), "--data-root", filepath.Join(c.dir, "data"), "--out", filepath.Join(c.dir, name), "--threads", "1"}
	cmd := exec.Command(c.program, append(args, flags...)...)
	cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+filepath.Join(c.dir, name+".cache"), "OMP_WAIT_POLICY=passive")
	return cmd
}

// clear removes a run and its cache.
func (c *chaos) clear(name string) {
	for _, folder := range []string{name, name + ".cache"} {
		if err := os.RemoveAll(filepath.Join(c.dir, folder)); err != nil {
			c.t.Fatal(err)
		}
	}
}

// resume runs a stopped run to its end and compares it with the undisturbed one.
func (c *chaos) resume(name string) {
	c.t.Helper()
	defer progress(c.t.Name() + ": " + name)()
	defer c.clear("run")
	if out, err := c.command("run").CombinedOutput(); err != nil {
		c.t.Errorf("%s, run again: %v\n%s", name, err, out)
		c.different++
		return
	}
	before := c.different
	for _, file := range []string{"metrics.jsonl", "checkpoint.pt"} {
		c.compare(name, file, chaosRead(c.t, c.dir, "whole", file), chaosRead(c.t, c.dir, "run", file))
	}
	c.compare(name, "TensorBoard's log", tensorboardLog(c.t, c.dir, "whole"), tensorboardLog(c.t, c.dir, "run"))
	c.compare(name, "W&B's log", wandbLog(c.t, c.dir, "whole"), wandbLog(c.t, c.dir, "run"))
	c.compare(name, "list of files", chaosFiles(c.t, c.dir, "whole"), chaosFiles(c.t, c.dir, "run"))
	if c.different == before {
		c.equal++
	}
}

func (c *chaos) compare(name, what string, want, got []byte) {
	c.t.Helper()
	if !bytes.Equal(want, got) {
		c.different++
		c.t.Errorf("%s: the %s differs", name, what)
	}
}

// chaosFiles lists a run's files, without wandb/, whose names contain times.
func chaosFiles(t *testing.T, parts ...string) []byte {
	t.Helper()
	var list []byte
	err := fs.WalkDir(os.DirFS(filepath.Join(parts...)), ".", func(path string, e fs.DirEntry, err error) error {
		if e.IsDir() && path == "wandb" {
			return fs.SkipDir
		}
		list = append(list, path+"\n"...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func chaosData(t *testing.T, dir string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "spec.yaml"), []byte(chaosSpec), 0o644); err != nil {
		t.Fatal(err)
	}
	for seed := range 3 {
		path := filepath.Join(dir, "data", "set", fmt.Sprintf("seed_%04d", seed), "npy", "f.npy")
		value := func(i int) float32 { return float32((i*7919+seed*104729)%1009)/500 - 1 }
		if err := writeArray(path, []int{5, 8, 8, 2}, value); err != nil {
			t.Fatal(err)
		}
	}
}

func chaosRead(t *testing.T, parts ...string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(parts...))
	if err != nil {
		t.Fatal(err)
	}
	return data
}
