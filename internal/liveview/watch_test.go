package liveview

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"

	"fmsr.example/fmsr/internal/display"
	"fmsr.example/fmsr/internal/runview"
	"fmsr.example/fmsr/internal/testkit/pty"
)

// folder makes the folder of a run of 40 steps that has taken some.
func folder(t *testing.T, name string, steps int) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	var log, timing strings.Builder
	for n := 10; n <= steps; n += 10 {
		fmt.Fprintf(&log, `{"step":%d,"train/loss":%g,"train/grad_norm":2.5,"train/lr":0.001,"val/mse_ema/a":1,"val/mse_lo/a":%d,"val/mse_ema/b":1,"val/mse_lo/b":%d}`+"\n", n, 10/float64(n), n, n)
		fmt.Fprintf(&timing, `{"step":%d,"frames_per_s":8,"eval_s":3,"memory_gb":0.6,"memory_limit_gb":22,"busy/npy_load":0.21,"busy/train":0.79}`+"\n", n)
	}
	files := map[string]string{
		"spec.yaml":     "version: 1\nrun: {name: a name}\nflow:\n  - train: {total_steps: 40}\n  - eval: {log_every: 10}\n",
		"run.json":      `{"batch":4}`,
		"metrics.jsonl": log.String(),
		"timing.jsonl":  timing.String(),
		"evaluations/10.json": `{"step":10,"metrics":[{"name":"of_bilinear","head":"h","unit":"1","doc":"d","cell":"%.3f"}],
			"sources":[{"key":"ode_ema","suffix":"_ema","model":true,"all":[0.1],"fields":[[]]}]}`,
	}
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, time.Time{}, time.Now().Add(-90*time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestSnapshot: what folders say, one below the other and beside each other.
func TestSnapshot(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, steps := range map[string]int{"first": 20, "second": 40} {
		if err := os.Symlink(folder(t, name, steps), name); err != nil {
			t.Fatal(err)
		}
	}
	w, err := NewWatch([]string{"first", "second"})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	var got strings.Builder
	w.Snapshot(&got)
	want := `
first  stopped                                                                             1h30m ago
━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━────────────────────────────────────   50%  step 20/40
loss      █▁  0.5   lr 0.001   grad norm 2.5
val error █▁  0.050 of bilinear's error
speed     2.0 steps/s   8 frames/s   slowest train 79%
at step 10 the model has 0.10 of bilinear's error

second  ended                                                                              1h30m ago
━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━  100%  step 40/40
loss      █▅▂▁  0.25   lr 0.001   grad norm 2.5
val error █▅▂▁  0.025 of bilinear's error
speed     2.0 steps/s   8 frames/s   slowest train 79%
at step 10 the model has 0.10 of bilinear's error
`
	if d := cmp.Diff(strings.TrimPrefix(want, "\n"), got.String()); d != "" {
		t.Errorf("%s\n%s", got.String(), d)
	}
	if few := w.lines(newLook(), 80, 3); len(few) != 2 {
		t.Errorf("%d lines for two runs in three rows: %q", len(few), few)
	}
	// with room for charts: the loss 10/n, on a log scale
	alone := Watch{runs: w.runs[1:]}
	lines := alone.lines(newLook(), 80, 13)
	for i := range lines {
		lines[i] = strings.TrimRight(ansi.Strip(lines[i]), " ")
	}
	want = `

loss, log scale                          val error, of bilinear's, log scale
       1 │⠉⠓⠦⢤⣀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀        0.1 │⠉⠓⠦⢤⣀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀
         │⠀⠀⠀⠀⠈⠙⠒⠦⣄⣀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀            │⠀⠀⠀⠀⠈⠙⠒⠦⣄⣀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀
         │⠀⠀⠀⠀⠀⠀⠀⠀⠀⠈⠉⠙⠒⠲⠤⢤⣀⣀⡀⠀⠀⠀⠀⠀⠀⠀⠀⠀            │⠀⠀⠀⠀⠀⠀⠀⠀⠀⠈⠉⠙⠒⠲⠤⢤⣀⣀⡀⠀⠀⠀⠀⠀⠀⠀⠀⠀
    0.25 │⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠉⠉⠙⠒⠒⠲⠤⠤⢤⣀      0.025 │⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠀⠉⠉⠙⠒⠒⠲⠤⠤⢤⣀
          step 10                   40             step 10                   40`
	if d := cmp.Diff(strings.TrimPrefix(want, "\n"), strings.Join(lines[len(lines)-7:], "\n")); d != "" {
		t.Errorf("%s\n%s", strings.Join(lines, "\n"), d)
	}
	for _, line := range alone.lines(newLook(), 58, 20) {
		if n := ansi.StringWidth(line); n > 58 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	beside := strings.Join(w.lines(newLook(), 140, 20), "\n")
	if first := strings.SplitN(beside, "\n", 2)[0]; !strings.Contains(first, "first") || !strings.Contains(first, "second") {
		t.Errorf("not beside each other:\n%s", beside)
	}
	if err := os.WriteFile("spec.yaml", []byte("version: 1\nflow:\n  - export:\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	export, err := NewWatch([]string{"."})
	if err != nil {
		t.Fatal(err)
	}
	defer export.Close()
	if got := ansi.Strip(strings.Join(export.lines(newLook(), 80, 20), "\n")); strings.TrimSpace(got) != ".  not running" || !export.refresh() {
		t.Errorf("an export: %q", got)
	}
	if _, err := NewWatch([]string{"first", "second/evaluations"}); err == nil || !strings.Contains(err.Error(), "not a run's folder") {
		t.Errorf("%v", err)
	}
}

// TestTiming: memory is that of a run that goes on.
func TestTiming(t *testing.T) {
	run, err := runview.Open(folder(t, "first", 20))
	if err != nil {
		t.Fatal(err)
	}
	defer run.Close()
	if _, err := run.Refresh(); err != nil {
		t.Fatal(err)
	}
	for running, want := range map[bool]string{true: "memory 0.6 of 22 GB", false: "slowest train 79%"} {
		s := state{step: display.Step{N: 20, FramesPerSecond: 8}}
		s.addTiming(&run.Timing, running)
		if got := ansi.Strip(s.speedLine(newLook(), 100, time.Now())); !strings.HasSuffix(got, want) {
			t.Errorf("running %v: %s", running, got)
		}
	}
}

// TestTimeLeft: 20 steps at 2 a second, and two evaluations of 3 s.
func TestTimeLeft(t *testing.T) {
	if got := training(20, 2, 3, 10); got != 16*time.Second {
		t.Errorf("%v, want 16 s", got)
	}
}

// TestShow: a run that is written to is shown; the view ends when the run has, or is told to.
func TestShow(t *testing.T) {
	dir := folder(t, "first", 20)
	w, err := NewWatch([]string{dir})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	terminal := pty.Open(t, 80, 24)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.Show(context.Background(), terminal.Program)
	}()
	waitFor(t, terminal, "step 20/40")
	log, err := os.OpenFile(filepath.Join(dir, "metrics.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	fmt.Fprintln(log, `{"step":40,"train/loss":0.125}`)
	<-ended
	waitFor(t, terminal, "0.125")
	told, tell := context.WithCancel(context.Background())
	tell()
	w.Show(told, terminal.Program)
}
