package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"fmsr.example/fmsr/internal/format/torchfile"
	"fmsr.example/fmsr/internal/ranks"
)

const ranksSpec = `
version: 1
run: {name: ranks, overfit: false, checkpoint_every: 3}
flow:
  - npy_load: {root: '${RANKS_DATA}', set: set, fields: [a, b]}
  - channel_select: {channels: all}
  - arrow_cache:
  - pool_upsample:
  - normalize:
  - batch: {size: 4}
  - train: {model_channels: 4, channel_mult: [1, 1, 1], total_steps: 12, print_every: 1, warmup_steps: 2, lr: 1e-3, use_bf16: false, best: val/mse}
  - ema: {ramp: linear}
  - eval: {log_every: 4, sample_steps: 4, frames: 3}
  - metrics:
  - images:
  - report:
`

// asRank gives this rank the variables that a test has set for it alone, and makes it fail
// where the test wants that. TestMain calls it before main.
func asRank() {
	for pair := range strings.SplitSeq(os.Getenv("FMSR_TEST_ENV_"+os.Getenv("RANK")), " ") {
		if name, value, ok := strings.Cut(pair, "="); ok {
			os.Setenv(name, value)
		}
	}
	if limit, err := time.ParseDuration(os.Getenv("FMSR_TEST_SILENCE")); err == nil {
		ranks.Usual.Silence = limit
	}
	if size, err := strconv.ParseUint(os.Getenv("FMSR_TEST_DISK"), 10, 64); err == nil { // a write beyond it fails
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: size, Max: size}); err != nil {
			panic(err)
		}
	}
	when := strings.SplitN(os.Getenv("FMSR_TEST_FAIL"), ":", 3) // SIGNAL:STEP:WHAT, signal 0: it hangs
	if len(when) < 3 {
		return
	}
	signal, _ := strconv.Atoi(when[0])
	ranks.Before = func(step int, what string) {
		if strconv.Itoa(step) != when[1] || what != strings.ReplaceAll(when[2], "_", " ") {
			return
		}
		ranks.Before = nil
		if signal == 0 { // it hangs, and its monitor does not
			_ = os.WriteFile(os.Getenv("FMSR_TEST_FAILED"), nil, 0o644)
			select {}
		}
		time.AfterFunc(2*time.Millisecond, func() { // in the middle of it
			_ = os.WriteFile(os.Getenv("FMSR_TEST_FAILED"), nil, 0o644)
			_ = syscall.Kill(os.Getpid(), syscall.Signal(signal))
		})
	}
}

// ranksTest is runs of ranksSpec by several ranks.
type ranksTest struct {
	*testing.T
	dir, program string
	flags        []string // of every run
	silence      string   // after which a rank is lost; empty: the usual time
}

func newRanksTest(t *testing.T) *ranksTest {
	t.Helper()
	if testing.Short() {
		t.Skip("it starts the program many times: not with -short")
	}
	r := &ranksTest{T: t, dir: t.TempDir(), program: programLink(t), silence: "5s"}
	chaosData(t, r.dir)
	if err := os.WriteFile(filepath.Join(r.dir, "spec.yaml"), []byte(ranksSpec), 0o644); err != nil {
		t.Fatal(err)
	}
	return r
}

// command returns a command that runs the spec in a folder by size ranks.
func (r *ranksTest) command(name string, size int, flags ...string) *exec.Cmd {
	args := []string{"run", filepath.Join(r.dir, "spec.yaml"), "--out", filepath.Join(r.dir, name), "--threads", "1", "--ranks", strconv.Itoa(size)}
	cmd := exec.Command(r.program, slices.Concat(args, r.flags, flags)...)
	cmd.Env = append(os.Environ(), "FMSR_TEST_SILENCE="+r.silence, "XDG_CACHE_HOME="+filepath.Join(r.dir, "cache"), "OMP_WAIT_POLICY=passive", "RANKS_DATA="+filepath.Join(r.dir, "data"))
	return cmd
}

// run runs the spec to its end.
func (r *ranksTest) run(name string, size int, flags ...string) {
	r.Helper()
	defer progress(fmt.Sprintf("%s: %s, %d ranks", r.Name(), name, size))()
	if out, err := r.command(name, size, flags...).CombinedOutput(); err != nil {
		r.Fatalf("%s: %v\n%s", name, err, out)
	}
}

func (r *ranksTest) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// copyData copies the data and returns the copy's folder.
func (r *ranksTest) copyData(name string) string {
	r.Helper()
	dir := filepath.Join(r.dir, name)
	r.must(os.CopyFS(dir, os.DirFS(filepath.Join(r.dir, "data"))))
	return dir
}

// figures returns the figures of a run's learning curve and evaluations, by their names.
func (r *ranksTest) figures(name string) (all []map[string]float64) {
	for line := range bytes.Lines(chaosRead(r.T, r.dir, name, "metrics.jsonl")) {
		figures := map[string]float64{}
		if err := json.Unmarshal(line, &figures); err != nil {
			r.Fatal(err)
		}
		all = append(all, figures)
	}
	return all
}

// weights returns the weights of a run's checkpoint.
func (r *ranksTest) weights(name string) (all []float32) {
	f, err := torchfile.Open(filepath.Join(r.dir, name, "checkpoint.pt"))
	if err != nil {
		r.Fatal(err)
	}
	defer f.Close()
	for _, v := range f.Root.Get("model_state_dict").(*torchfile.Map).Values {
		values, err := f.Floats(v.(*torchfile.Stored))
		if err != nil {
			r.Fatal(err)
		}
		all = append(all, values...)
	}
	return all
}

// apart returns the largest relative differences of two runs: of their losses, their
// errors in evaluations, and the norm of the difference of their weights.
func (r *ranksTest) apart(a, b string) (loss, val, weight float64) {
	r.Helper()
	was, now := r.figures(a), r.figures(b)
	if len(was) != len(now) || len(was) == 0 {
		r.Fatalf("%d lines of %s, and %d of %s", len(was), a, len(now), b)
	}
	for i := range was {
		if len(was[i]) != len(now[i]) {
			r.Errorf("step %v: %v of %s, and %v of %s", was[i]["step"], was[i], a, now[i], b)
		}
		for name, x := range was[i] {
			d := math.Abs(x-now[i][name]) / math.Abs(x)
			switch {
			case x == now[i][name]:
			case name == "train/loss":
				loss = max(loss, d)
			case strings.HasPrefix(name, "val/mse"):
				val = max(val, d)
			}
		}
	}
	x, y := r.weights(a), r.weights(b)
	norm := 0.0
	for i := range x {
		d := float64(x[i]) - float64(y[i])
		weight += d * d
		norm += float64(x[i]) * float64(x[i])
	}
	return loss, val, math.Sqrt(weight / norm)
}

// TestRanksEqual: N ranks train what one trains, to the round-off of float32, and go on
// from what M ranks have saved.
func TestRanksEqual(t *testing.T) {
	t.Parallel()
	r := newRanksTest(t)
	r.run("1", 1)
	for _, n := range []int{2, 4} {
		r.run(strconv.Itoa(n), n)
	}
	r.run("4 then 2", 4, "--max-steps", "6")
	r.run("4 then 2", 2)
	table := &strings.Builder{}
	for _, name := range []string{"2", "4", "4 then 2"} {
		loss, val, weight := r.apart("1", name)
		fmt.Fprintf(table, "%-8s ranks against 1: loss %.1e, val/mse %.1e, weights %.1e\n", name, loss, val, weight)
		if loss > 1e-5 || val > 1e-5 || weight > 1e-3 { // a bias above a norm has no gradient but round-off, which AdamW makes as large as any
			t.Errorf("%s ranks: loss %g, val/mse %g, weights %g apart from one's", name, loss, val, weight)
		}
	}
	t.Logf("largest relative differences\n%s", table)
	for _, name := range []string{"2", "4", "4 then 2"} {
		if got, want := string(chaosFiles(t, r.dir, name)), string(chaosFiles(t, r.dir, "1")); got != want {
			t.Errorf("%s ranks: files %s, want %s", name, got, want)
		}
	}
}

// failing is a rank's failure, and the message that it should lead to.
type failing struct {
	name   string
	rank   int
	env    string // of the rank
	want   string
	status int
	resume bool // the run can be resumed
}

// fail lets a rank fail. It returns how long the others took to end and their message, and
// whether the resumed run has the results of the undisturbed run "whole".
func (r *ranksTest) fail(c failing, size int) (took time.Duration, message string, equal bool) {
	r.Helper()
	defer progress(fmt.Sprintf("%s: %s", r.Name(), c.name))()
	name := strings.ReplaceAll(c.name, " ", "-")
	failed := filepath.Join(r.dir, name+".failed")
	cmd := r.command(name, size)
	cmd.Env = append(cmd.Env, fmt.Sprintf("FMSR_TEST_ENV_%d=FMSR_TEST_FAILED=%s %s", c.rank, failed, c.env))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	_ = cmd.Run() // its status is looked at
	if info, err := os.Stat(failed); err == nil {
		took = time.Since(info.ModTime())
	}
	text := stderr.String()
	if status := cmd.ProcessState.ExitCode(); status != c.status || !strings.Contains(text, c.want) {
		r.Errorf("%s: exit status %d, want %d, and %q in:\n%s", c.name, status, c.status, c.want, text)
	}
	for line := range strings.Lines(text) {
		if strings.Contains(line, c.want) {
			message = strings.TrimSpace(line)
		}
	}
	if !c.resume {
		return took, message, false
	}
	r.run(name, size)
	equal = true
	for _, file := range []string{"metrics.jsonl", "checkpoint.pt", "checkpoint.best.pt"} {
		if !bytes.Equal(chaosRead(r.T, r.dir, "whole", file), chaosRead(r.T, r.dir, name, file)) {
			r.Errorf("%s, run again: the %s differs", c.name, file)
			equal = false
		}
	}
	if got, want := string(chaosFiles(r.T, r.dir, name)), string(chaosFiles(r.T, r.dir, "whole")); got != want {
		r.Errorf("%s, run again: files %s, want %s", c.name, got, want)
	}
	return took, message, equal
}

// TestRanksFail: a rank is killed, stopped or interrupted, has a full disk or other data. All
// ranks end soon, with one message that names it, and the run can be resumed.
func TestRanksFail(t *testing.T) {
	t.Parallel()
	r := newRanksTest(t)
	r.run("whole", 2)
	const first = "set/seed_0000"
	other := r.copyData("other")
	r.must(os.Remove(filepath.Join(other, first, "npy", "f.npy")))
	none := r.copyData("none")
	r.must(os.RemoveAll(filepath.Join(none, first)))
	changed := r.copyData("changed")
	r.must(writeArray(filepath.Join(changed, first, "npy", "f.npy"), []int{5, 8, 8, 2}, func(i int) float32 { return float32(i % 7) }))
	host, err := os.Hostname()
	r.must(err)
	nowhere := filepath.Join(r.dir, "another")
	for _, c := range []failing{
		{"killed in a step", 1, "FMSR_TEST_FAIL=9:5:its_training_step", "rank 1 on " + host + " was ended (signal: killed) (it was at ", 137, true},
		{"rank 0 killed in a checkpoint", 0, "FMSR_TEST_KILL=5", "rank 0 on " + host + " is gone or stopped, and with it the store", 137, true},
		{"interrupted", 1, "FMSR_TEST_FAIL=15:5:its_training_step", "interrupted by terminated", 143, true},
		{"stopped", 1, "FMSR_TEST_FAIL=19:5:its_training_step", "rank 1 on " + host + " has not been heard from for ", 1, false},
		{"its disk is full", 1, "FMSR_TEST_DISK=2000 XDG_CACHE_HOME=" + nowhere, "rank 1 on " + host + ": flow[2].arrow_cache: ", 1, false},
		{"lacks a file", 1, "RANKS_DATA=" + other, "rank 1 on " + host + " failed: flow[0].npy_load: " + other, 2, false},
		{"lacks a seed", 1, "RANKS_DATA=" + none, "rank 1 on " + host + " differs from rank 0 on " + host + ": its number of frames is ", 2, false},
		{"has other values", 1, "RANKS_DATA=" + changed, "rank 1 on " + host + " differs from rank 0 on " + host + ": its digest of ", 2, false},
	} {
		took, message, _ := r.fail(c, 2)
		if took > 20*time.Second { // half of it at most, on a machine that does nothing else
			t.Errorf("%s: the others ended after %v", c.name, took)
		}
		t.Logf("%s: %.1f s, %s", c.name, took.Seconds(), message)
	}
}
