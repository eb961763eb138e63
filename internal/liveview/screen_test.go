package liveview

import (
	"errors"
	"fmt"
	"os/signal"
	"regexp"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"fmsr.example/fmsr/internal/display"
	"fmsr.example/fmsr/internal/testkit/pty"
)

// TestScreen: lines stay above the frame, in order; the terminal has its modes all the time;
// in the end the frame is gone, the results are there, and no goroutine is left.
func TestScreen(t *testing.T) {
	for _, colours := range []bool{true, false} {
		t.Run(fmt.Sprintf("colours %v", colours), func(t *testing.T) {
			if !colours {
				t.Setenv("NO_COLOR", "yes")
			}
			terminal := pty.Open(t, 80, 24)
			before := terminal.Modes(t)
			ignore := goleak.IgnoreCurrent()
			v := Start(terminal.Program, "demo")
			fmt.Fprintln(v, "warning: a first line")
			fmt.Fprint(v, "a second ")
			fmt.Fprintln(v, "line\nand a third one \x1b[31m")
			v.Work(display.Work{Name: "training", Unit: "steps", Done: 3, Total: 10})
			waitFor(t, terminal, "step 3/10")
			terminal.Resize(t, 60, 24)
			if terminal.Modes(t) != before {
				t.Error("the terminal's modes have changed")
			}
			v.Stopping("stopping: interrupted")
			waitFor(t, terminal, "stopping: interrupted")
			v.End(nil, "runs/demo", "fmsr verify runs/demo")
			fmt.Fprintln(v, "after it")
			waitFor(t, terminal, "after it")
			goleak.VerifyNone(t, ignore)
			shown := terminal.Shown()
			at := 0
			for _, want := range []string{"a first line", "a second line", `and a third one \x1b[31m`, "stopping", "runs/demo", "fmsr verify runs/demo", "after it"} {
				i := strings.Index(shown[at:], want)
				if i < 0 {
					t.Fatalf("no %q in its place: %q", want, shown)
				}
				at += i
			}
			if regexp.MustCompile(`\x1b\[[0-9;]*3[0-7]m`).MatchString(shown) != colours {
				t.Errorf("colours are there, or missing: %q", shown)
			}
			if strings.Contains(shown, "\x1b[?1049h") || strings.LastIndex(shown, "\x1b[?25l") > strings.LastIndex(shown, "\x1b[?25h") {
				t.Errorf("the alternate screen, or a hidden cursor: %q", shown)
			}
			if terminal.Modes(t) != before {
				t.Error("the terminal's modes have changed")
			}
		})
	}
}

// TestFailedRun: after an error nothing but the lines is left, for the error to follow.
func TestFailedRun(t *testing.T) {
	terminal := pty.Open(t, 80, 24)
	v := Start(terminal.Program, "demo")
	fmt.Fprintln(v, "saved step 3")
	v.End(errors.New("no"), "runs/demo", "fmsr verify runs/demo")
	waitFor(t, terminal, "saved step 3")
	if shown := terminal.Shown(); strings.Contains(shown, "runs/demo") {
		t.Errorf("%q", shown)
	}
}

// TestUnknownSize: a terminal that does not tell its size, as some of expect and ssh.
func TestUnknownSize(t *testing.T) {
	terminal := pty.Open(t, 0, 0)
	v := Start(terminal.Program, "demo")
	v.Work(display.Work{Name: "training", Unit: "steps", Done: 3, Total: 10})
	waitFor(t, terminal, "step 3/10")
	v.End(nil, "runs/demo")
	waitFor(t, terminal, "runs/demo")
}

// TestStops: SIGCONT counts after a stop, which makes a look late, and not without one.
func TestStops(t *testing.T) {
	s := newStops(pty.Open(t, 80, 24).Program)
	defer signal.Stop(s.over)
	now := time.Now()
	for i, late := range []time.Duration{drawEvery, time.Minute, drawEvery} {
		if i < 2 {
			if err := unix.Kill(unix.Getpid(), unix.SIGCONT); err != nil {
				t.Fatal(err)
			}
			for len(s.over) == 0 {
				time.Sleep(time.Millisecond)
			}
		}
		now = now.Add(late)
		if away, returned := s.look(now); away || returned != (late > time.Second) {
			t.Errorf("look %d, %v after the last: away %v, returned %v", i, late, away, returned)
		}
	}
}

func waitFor(t *testing.T, terminal *pty.Terminal, text string) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !strings.Contains(terminal.Shown(), text); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no %q: %q", text, terminal.Shown())
		}
	}
}
