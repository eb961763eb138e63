package cli

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"fmsr.example/fmsr/internal/testkit/pty"
)

const terminalSpec = `
version: 1
run: {name: small, overfit: false, checkpoint_every: 1000, threads: 1}
flow:
  - npy_load: {set: set, fields: [a, b]}
  - channel_select: {channels: all}
  - arrow_cache:
  - pool_upsample:
  - normalize:
  - batch: {size: 2}
  - train: {model_channels: 4, channel_mult: [1, 1, 1], total_steps: 6, print_every: 1, warmup_steps: 2, use_bf16: false}
  - ema:
  - eval: {log_every: 3, sample_steps: 1}
  - metrics:
  - report:
`

const shareSpec = `
version: 1
run: {name: shared, overfit: false}
flow:
  - npy_load: {set: set, fields: [a, b]}
  - channel_select: {channels: all}
  - export: {format: npy}
`

// TestTerminal runs the program on a terminal: the run is shown live, and however it ends, the
// terminal keeps its modes and its cursor.
func TestTerminal(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts the program several times")
	}
	hangUps()
	dir, program := t.TempDir(), programLink(t)
	for name, spec := range map[string]string{"small.yaml": terminalSpec, "share.yaml": shareSpec} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(spec), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for seed := range 3 {
		shape := []int{3, 8, 8, 2}
		if err := writeArray(filepath.Join(dir, "data", "set", fmt.Sprintf("seed_%04d", seed), "npy", "f.npy"), shape, func(i int) float32 { return wave(shape, i) }); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name    string
		spec    string // empty: small
		env     string
		args    []string
		end     func(p *os.Process, terminal *pty.Terminal) // once step 3 is shown; nil: the run ends by itself
		status  int
		want    []string // shown, in this order
		without string
	}{
		{
			name: "done", want: []string{"loss", "step 6, 3 validation frames", "verdict", "at step 6 the model has", "results", "done", "next", "fmsr ui", "--checkpoint"},
			without: "of all work", // the account
		},
		{name: "dumb", env: "TERM=dumb", want: []string{"step 6/6  loss", "report "}, without: "\x1b"},
		{
			name: "ctrl-c", args: []string{"--total-steps", "100000"}, status: 130,
			end:  func(_ *os.Process, terminal *pty.Terminal) { terminal.Type("\x03") },
			want: []string{"saved step", "fmsr: interrupted by interrupt", "to resume: "},
		},
		{
			name: "killed", args: []string{"--total-steps", "100000"}, status: -1,
			end: func(p *os.Process, _ *pty.Terminal) { _ = p.Kill() },
		},
		{
			name: "closed", args: []string{"--total-steps", "100000"}, status: 129,
			end: func(_ *os.Process, terminal *pty.Terminal) { terminal.HangUp() },
		},
		{
			name: "ranks", args: []string{"--ranks", "2", "--set", "batch.size=2"}, want: []string{"step 6, 3 validation frames", "results"},
		},
		{
			name: "shards", spec: "share", args: []string{"--ranks", "2"}, want: []string{"memory", "rank 1: export", "results", "shards", "next", "verify"},
			without: "of all work",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			terminal := pty.Open(t, 80, 24)
			before := terminal.Modes(t)
			cmd := exec.Command(program, append([]string{"run", cmp.Or(c.spec, "small") + ".yaml", "--data-root", "data", "--out", c.name}, c.args...)...)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+dir, "TERM=xterm-256color", c.env)
			cmd.Stdin, cmd.Stdout, cmd.Stderr = terminal.Program, terminal.Program, terminal.Program
			cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if c.end != nil {
				for end := time.Now().Add(time.Minute); !strings.Contains(terminal.Shown(), "steps/s"); time.Sleep(20 * time.Millisecond) {
					if time.Now().After(end) {
						_ = cmd.Process.Kill()
						t.Fatalf("no step: %q", terminal.Shown())
					}
				}
				c.end(cmd.Process, terminal)
			}
			_ = cmd.Wait() // its state says how it ended
			if got := cmd.ProcessState.ExitCode(); got != c.status {
				t.Errorf("exit status %d, want %d", got, c.status)
			}
			if c.name == "closed" {
				if _, err := os.Stat(filepath.Join(dir, c.name, "checkpoint.pt")); err != nil {
					t.Error(err)
				}
				return
			}
			if terminal.Modes(t) != before {
				t.Error("the terminal's modes have changed")
			}
			shown := terminal.End()
			if strings.LastIndex(shown, "\x1b[?25l") > strings.LastIndex(shown, "\x1b[?25h") {
				t.Errorf("the cursor is hidden: %q", shown)
			}
			at := 0
			for _, want := range c.want {
				i := strings.Index(shown[at:], want)
				if i < 0 {
					t.Fatalf("no %q in its place: %q", want, shown)
				}
				at += i
			}
			if c.without != "" && strings.Contains(shown, c.without) {
				t.Errorf("it shows %q: %q", c.without, shown)
			}
		})
	}
}
