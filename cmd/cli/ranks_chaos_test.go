package cli

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"text/tabwriter"
	"time"
)

// TestRanksChaos kills and stops each rank in a step, in an evaluation and at a checkpoint, with
// the usual limits, and prints a table (make chaos).
func TestRanksChaos(t *testing.T) {
	if os.Getenv("FMSR_CHAOS") == "" {
		t.Skip("with FMSR_CHAOS only: it takes minutes")
	}
	r := newRanksTest(t)
	r.flags, r.silence = []string{"--batch-size", "3"}, ""
	const size = 3
	r.run("whole", size)
	var cases []failing
	for rank := range size {
		for _, where := range []struct {
			name string
			step int
			what string
		}{{"step", 5, "its_training_step"}, {"evaluation", 8, "an_evaluation"}, {"check before a checkpoint", 6, "compare_the_ranks"}} {
			cases = append(cases, failing{
				name: fmt.Sprintf("rank %d, SIGKILL in a %s", rank, where.name), rank: rank,
				env: fmt.Sprintf("FMSR_TEST_FAIL=9:%d:%s", where.step, where.what), want: fmt.Sprintf("fmsr: rank %d on ", rank), status: 137, resume: true,
			})
		}
		cases = append(cases, failing{
			name: fmt.Sprintf("rank %d, SIGSTOP in a step", rank), rank: rank,
			env: "FMSR_TEST_FAIL=19:5:its_training_step", want: fmt.Sprintf("fmsr: rank %d on ", rank), status: 1, resume: true,
		}, failing{
			name: fmt.Sprintf("rank %d, SIGTERM in a step", rank), rank: rank,
			env: "FMSR_TEST_FAIL=15:5:its_training_step", want: "interrupted by terminated", status: 143, resume: true,
		})
	}
	cases = append(cases, failing{
		name: "rank 1 hangs before a step", rank: 1, env: "FMSR_TEST_FAIL=0:6:its_training_step",
		want: "has made no progress for ", status: 1, resume: true,
	})
	for operation := 1; operation <= 8; operation++ {
		cases = append(cases, failing{
			name: fmt.Sprintf("rank 0, SIGKILL in operation %d on a checkpoint", operation),
			env:  fmt.Sprintf("FMSR_TEST_KILL=%d", operation), want: "fmsr: rank 0 on ", status: 137, resume: true,
		})
	}
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "failure\tended after\tresult after resuming\tmessage")
	only := os.Getenv("FMSR_CHAOS_ONLY") // part of a name
	for _, c := range cases {
		if !strings.Contains(c.name, only) {
			continue
		}
		took, message, equal := r.fail(c, size)
		if took > 30*time.Second {
			t.Errorf("%s: ended after %v", c.name, took)
		}
		after := "-" // where the test does not choose the moment
		if took > 0 {
			after = fmt.Sprintf("%.1f s", took.Seconds())
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", c.name, after, map[bool]string{true: "equal", false: "DIFFERENT"}[equal], message)
	}
	w.Flush()
	t.Logf("%d ranks\n%s", size, table.String())
}

// TestRanksGoodput trains the demo's model by two ranks, kills one of them every minute for a
// time (FMSR_GOODPUT=5m), starts the run again, and prints the share of the time that was not
// lost: from the last step before a kill to the first new one, less the time of a step.
func TestRanksGoodput(t *testing.T) {
	duration, err := time.ParseDuration(os.Getenv("FMSR_GOODPUT"))
	if err != nil {
		t.Skip("with FMSR_GOODPUT=DURATION only")
	}
	dir, program := t.TempDir(), programLink(t)
	var steps []time.Time // steps[i] is when step i+1 was there for the first time
	kills := 0
	began := time.Now()
	for rank := 0; time.Since(began) < duration; rank = 1 - rank {
		cmd := exec.Command(program, "run", "specs/demo.yaml", "--out", filepath.Join(dir, "run"), "--ranks", "2", "--total-steps", "100000",
			"--log-every", "100000", "--print-every", "1", "--checkpoint-every", "2")
		cmd.Dir = filepath.Join("..", "..")
		cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+filepath.Join(dir, "cache"), "OMP_WAIT_POLICY=passive")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		kill := time.AfterFunc(time.Minute, func() {
			if pid := childOf(cmd.Process.Pid, rank); pid > 0 {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		})
		for lines := bufio.NewScanner(out); lines.Scan(); {
			n := 0
			if _, err := fmt.Sscanf(lines.Text(), "step %d/", &n); err == nil && n > len(steps) {
				steps = append(steps, time.Now())
			}
		}
		if err := cmd.Wait(); err == nil || kill.Stop() {
			t.Fatalf("run %d: %v, want it killed", kills+1, err)
		}
		kills++
	}
	var times []time.Duration
	for i := range steps[1:] {
		times = append(times, steps[i+1].Sub(steps[i]))
	}
	usual := slices.Sorted(slices.Values(times))[len(times)/2]
	slices.Sort(times)
	lost := time.Duration(0)
	for _, d := range times[len(times)-kills+1:] { // the longest are those over a kill; the last kill has no step after it
		lost += d - usual
	}
	total := steps[len(steps)-1].Sub(steps[0])
	goodput := 1 - lost.Seconds()/total.Seconds()
	t.Logf("%d steps of %.2f s in %.0f s, %d kills with a step after them, %.1f s lost: goodput %.1f%%", len(steps), usual.Seconds(), total.Seconds(), kills-1, lost.Seconds(), 100*goodput)
	if goodput < 0.95 {
		t.Errorf("goodput %.1f%%, want 95%%", 100*goodput)
	}
}

// childOf returns the process id of the i-th child of a process; 0: there is none.
func childOf(parent, i int) int {
	data, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", parent, parent)) // of its main thread, which starts the ranks
	ids := strings.Fields(string(data))
	if i >= len(ids) {
		return 0
	}
	pid, _ := strconv.Atoi(ids[i])
	return pid
}
