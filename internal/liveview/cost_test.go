package liveview

import (
	"fmt"
	"io"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"fmsr.example/fmsr/internal/display"
	"fmsr.example/fmsr/internal/testkit/pty"
)

// TestCost: a view of a quick training takes little of one core, whatever else the machine
// does, since it draws few frames a second.
func TestCost(t *testing.T) {
	if testing.Short() {
		t.Skip("it measures time, which the race detector multiplies")
	}
	var took []string
	for range 5 { // other work on the machine only adds
		terminal := pty.Open(t, 140, 40)
		v := Start(terminal.Program, "demo")
		v.Work(display.Work{Name: "training", Unit: "steps", Total: 1000})
		waitFor(t, terminal, "training")
		before := len(terminal.Shown())
		shown := train(t, v)
		if n := len(terminal.Shown()) - before; n > 6000 { // four times what three frames take
			t.Fatalf("%d bytes were written in a second and a half", n)
		}
		v.End(nil, "")
		cost := shown - train(t, display.Lines{Writer: io.Discard})
		took = append(took, fmt.Sprintf("%.1f%%", 100*cost))
		if cost < 0.04 { // on an idle machine, a third of that
			t.Log("the view takes of a core: ", took)
			return
		}
	}
	t.Error("the view takes of a core: ", took)
}

// train shows a second and a half of training, and returns the share of a core that it took.
func train(t *testing.T, on display.Display) float64 {
	began, before := time.Now(), used(t)
	for n := 1; time.Since(began) < 1500*time.Millisecond; n++ {
		on.Step(display.Step{N: n, Stop: 1000, Total: 1000, Loss: 1 / float64(n), Last: 1 / float64(n), Rate: 100, Left: time.Minute})
		on.Part(display.Work{Name: "evaluating", Unit: "steps", Done: n, Total: 1000})
		time.Sleep(10 * time.Millisecond)
	}
	return (used(t) - before).Seconds() / time.Since(began).Seconds()
}

// used returns the processor time of this process.
func used(t *testing.T) time.Duration {
	t.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
