package liveview

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"

	"fmsr.example/fmsr/internal/display"
)

// TestFrames holds the frames of a run's phases, without their colours, at several widths.
func TestFrames(t *testing.T) {
	began := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	after := func(s int) time.Time { return began.Add(time.Duration(s) * time.Second) }
	filling := func() *state {
		s := &state{name: "demo", began: began, workAt: began, resident: 1.23e9, limit: 23e9}
		s.doWork(display.Work{Name: "filling arrow_cache", Unit: "frames", Total: 2000}, after(0))
		s.doWork(display.Work{Name: "filling arrow_cache", Unit: "frames", Done: 500, Total: 2000}, after(10))
		return s
	}
	training := func() *state {
		s := filling()
		s.doWork(display.Work{Name: "training", Unit: "steps", Total: 400}, after(30))
		for n := range 200 {
			s.took(display.Step{
				N: n + 1, Stop: 400, Total: 400, Loss: 0.2134, Last: 10 / float64(n+1), GradNorm: 0.519, LR: 6e-4, FramesPerSecond: 13.61, Rate: 3.4, Left: 70 * time.Second,
			}, after(80))
		}
		s.evaluated(display.Evaluation{Step: 100, Error: 0.5, Verdict: "no"})
		s.evaluated(display.Evaluation{Step: 200, Error: 0.334, Verdict: "at step 200 the model has 0.33 of bilinear's error, the linear filter 9x9 0.37; it keeps 84% of the lost band's power, the linear filter 9x9 28%"})
		s.stages = []display.Stage{{Name: "npy_load", Busy: time.Second}, {Name: "train", Busy: 80 * time.Second}, {Name: "eval", Busy: 19 * time.Second}}
		return s
	}
	evaluating := func() *state {
		s := training()
		s.doPart(display.Work{Name: "evaluating ode_ema, frames 1 to 4", Unit: "steps", Done: 37, Total: 100}, after(83))
		s.stopping = "stopping: interrupted by interrupt"
		return s
	}
	applying := func() *state {
		s := &state{name: "a very long name of a run that somebody has given it, with the whole configuration in it", began: began, workAt: began}
		s.doWork(display.Work{Name: "working", Unit: "frames", Done: 1, Total: 8}, after(0))
		s.doPart(display.Work{Name: "sampling snapshot\x1b_of_a_name_000123\n.npy, frame 2", Unit: "steps", Done: 3, Total: 100}, after(88))
		return s
	}
	for _, c := range []struct {
		name  string
		state *state
		width int
		want  string
	}{
		{"filling a cache", filling(), 80, `
demo  filling arrow_cache                                           1m30s so far
━━━━━━━━━━━━──────────────────────────────────   25%  frame 500/2000  4m30s left
speed     5.56 frames/s   memory 1.2 of 23 GB
`},
		{"training", training(), 80, `
demo  training                                                      1m00s so far
━━━━━━━━━━━━━━━━━━━━━━━━────────────────────────   50%  step 200/400  1m00s left
loss      █▆▅▄▄▄▃▃▃▃▃▂▂▂▂▂▂▂▂▂▁▁▁▁▁▁▁▁  0.2134   lr 0.0006   grad norm 0.519
val error █▁  0.334 of bilinear's error
speed     3.4 steps/s   13.6 frames/s   slowest train 80%   memory 1.2 of 23 GB
at step 200 the model has 0.33 of bilinear's error, the linear filter 9x9 0.37;
it keeps 84% of the lost band's power, the linear filter 9x9 28%
`},
		{"training", training(), 140, `
demo  training                                                                                                                  1m00s so far
━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━────────────────────────────────────   50%  step 200/400  1m00s left
loss      █▆▆▅▅▄▄▄▄▄▄▃▃▃▃▃▃▃▃▃▃▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▂▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁  0.2134   lr 0.0006   grad norm 0.519
val error █▁  0.334 of bilinear's error
speed     3.4 steps/s   13.6 frames/s   slowest train 80%   memory 1.2 of 23 GB
at step 200 the model has 0.33 of bilinear's error, the linear filter 9x9 0.37; it keeps 84% of the lost band's power, the linear filter 9x9
28%
`},
		{"training", training(), 60, `
demo  training                                  1m00s so far
━━━━━━━━━━━━━━──────────────   50%  step 200/400  1m00s left
loss      █▄▃▃▂▂▁▁  0.2134   lr 0.0006   grad norm 0.519
val error █▁  0.334 of bilinear's error
speed     3.4 steps/s   13.6 frames/s   slowest train 80%
at step 200 the model has 0.33 of bilinear's error, the
linear filter 9x9 0.37; it keeps 84% of the lost band's
power, the linear filter 9x9 28%
`},
		{"stopped in an evaluation", evaluating(), 80, `
demo  stopping: interrupted by interrupt                            1m00s so far
━━━━━━━━━━━━━━━━━━━━━━━━────────────────────────   50%  step 200/400  1m00s left
  evaluating ode_ema, frames 1 to 4: step 37/100                              7s
loss      █▆▅▄▄▄▃▃▃▃▃▂▂▂▂▂▂▂▂▂▁▁▁▁▁▁▁▁  0.2134   lr 0.0006   grad norm 0.519
val error █▁  0.334 of bilinear's error
speed     3.4 steps/s   13.6 frames/s   slowest train 80%   memory 1.2 of 23 GB
at step 200 the model has 0.33 of bilinear's error, the linear filter 9x9 0.37;
it keeps 84% of the lost band's power, the linear filter 9x9 28%
`},
		{"applying", applying(), 80, `
a very long name of a run that somebody…  working                   1m30s so far
━━━━━━────────────────────────────────────────────   12%  frame 1/8  10m30s left
  sampling snapshot\x1b_of_a_name_000123\x0a.npy, frame 2: step 3/100         2s
speed     90 s/frame
`},
		{"training", training(), 20, `
demo  training
━   50%  step 200/40
loss      █▄▃▃▂▂▁▁  
val error █▁  0.334 
speed     3.4 steps/
at step 200 the
model has 0.33 of
bilinear's error,
the linear filter
9x9 0.37; it keeps
84% of the lost
band's power, the
linear filter 9x9
28%
`},
	} {
		got := ansi.Strip(strings.Join(c.state.lines(newLook(), c.width, after(90)), "\n")) + "\n"
		if d := cmp.Diff(strings.TrimPrefix(c.want, "\n"), got); d != "" {
			t.Errorf("%s at %d columns:\n%s\n%s", c.name, c.width, got, d)
		}
		for line := range strings.SplitSeq(got, "\n") {
			if w := ansi.StringWidth(line); w > c.width {
				t.Errorf("%s at %d columns: a line of %d: %s", c.name, c.width, w, line)
			}
		}
	}
	ending := ansi.Strip(strings.Join(training().ending(newLook(), 80, training().stages, after(151)), "\n"))
	if d := cmp.Diff(`
loss      █▆▅▄▄▄▃▃▃▃▃▂▂▂▂▂▂▂▂▂▁▁▁▁▁▁▁▁  0.2134   lr 0.0006   grad norm 0.519
val error █▁  0.334 of bilinear's error
verdict   at step 200 the model has 0.33 of bilinear's error, the linear filter
          9x9 0.37; it keeps 84% of the lost band's power, the linear filter 9x9
          28%
time      2m31s: train 80%, eval 19%, npy_load 1%`, ending); d != "" {
		t.Errorf("the end:\n%s\n%s", ending, d)
	}
}

// TestSeries: a curve of any length keeps its shape in few points.
func TestSeries(t *testing.T) {
	var s series
	for i := range 100000 {
		s.add(float64(i))
	}
	values := s.values(10)
	if len(s.all) >= most || len(values) != 10 || s.last() != 99999 {
		t.Fatalf("%d points, %d values, the last is %g", len(s.all), len(values), s.last())
	}
	for i, v := range values {
		if want := 5000 + 10000*float64(i); v < want-500 || v > want+500 {
			t.Errorf("value %d is %g, want %g", i, v, want)
		}
	}
	for _, c := range []struct {
		values []float64
		want   string
	}{
		{nil, ""},
		{[]float64{5}, "▁"},
		{[]float64{1, 10, 100}, "▁▅█"}, // logarithmic
		{[]float64{-1, 0, 1}, "▁▅█"},
		{[]float64{0, 0}, "▁▁"},
	} {
		if got := sparkline(c.values); got != c.want {
			t.Errorf("%v gives %q, want %q", c.values, got, c.want)
		}
	}
	if got := fmt.Sprint(spell(7*time.Second), " ", spell(182*time.Second), " ", spell(18420*time.Second)); got != "7s 3m02s 5h07m" {
		t.Error(got)
	}
}
