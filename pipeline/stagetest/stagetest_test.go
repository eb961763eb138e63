package stagetest_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr.example/fmsr/pipeline"
	"fmsr.example/fmsr/pipeline/stagetest"
)

// Wrong is a stage with a choice of faults.
type Wrong struct {
	Fault string `yaml:"fault" doc:"which"`
}

// Forgetful drops x_lo, and says so.
type Forgetful struct{}

func init() {
	pipeline.Register(pipeline.Declaration[Wrong]{
		Name: "wrong", Doc: "Makes faults.", Link: pipeline.Link{Needs: pipeline.Planar},
		New: func(c *Wrong) pipeline.Stage { return &wrong{Wrong: *c} },
	})
	pipeline.Register(pipeline.Declaration[Forgetful]{
		Name: "forgetful", Doc: "Drops x_lo.", Link: pipeline.Link{Needs: pipeline.Paired, Drops: pipeline.Paired},
		New: func(*Forgetful) pipeline.Stage { return &wrong{Wrong: Wrong{"no x_lo"}} },
	})
}

type wrong struct {
	Wrong
	env *pipeline.Env
	end chan bool
}

func (w *wrong) Open(_ context.Context, env *pipeline.Env, in pipeline.Meta) (pipeline.Meta, error) {
	w.env = env
	if w.Fault == "announces" {
		in.Channels = []string{"a", "b"}
	}
	return in, nil
}

func (w *wrong) Close() error { return nil }

// Process makes a new frame of twice the values, with one fault.
func (w *wrong) Process(_ context.Context, in pipeline.Element) ([]pipeline.Element, error) {
	f := in.(*pipeline.Frames)
	lo := f.Lo
	if lo != nil {
		lo.Retain()
	}
	out := pipeline.NewFrames(f.Channels, f.Grid, f.Origins, pipeline.NewBuffer(w.env.Mem, len(f.XHi())), lo)
	for i, v := range f.XHi() {
		out.XHi()[i] = 2 * v
	}
	switch w.Fault {
	case "leaks":
		f.Retain()
	case "releases":
		f.Release()
	case "changes":
		f.XHi()[0]++
	case "goroutine":
		end := make(chan bool)
		w.end = end
		go func() { <-end }()
	case "no x_lo":
		if out.Lo != nil {
			out.Lo.Release()
			out.Lo = nil
		}
	case "short":
		out.Hi.Resize(4)
	case "channels":
		out.Channels = []string{"b"}
	case "grid":
		out.Grid.H, out.Grid.W = out.W, out.H
	case "no origin":
		out.Origins = nil
	case "splits":
		out.Origins = []pipeline.Origin{{Split: pipeline.Train}, {Split: pipeline.Test}}
	case "nil":
		out.Release()
		return []pipeline.Element{nil}, nil
	}
	return []pipeline.Element{out}, nil
}

// recorder is a test that keeps what is wrong.
type recorder struct {
	testing.TB
	wrong []string
}

func (r *recorder) Helper()                           {}
func (r *recorder) Error(args ...any)                 { r.wrong = append(r.wrong, fmt.Sprint(args...)) }
func (r *recorder) Errorf(format string, args ...any) { r.Error(fmt.Sprintf(format, args...)) }

// pair returns two frames 2 x 3 of a field, with an x_lo.
func pair() (in stagetest.Input) {
	for n := range 2 {
		f := stagetest.Frame(pipeline.Origin{Seed: 3, Frame: n}, []string{"a"}, pipeline.Grid{H: 2, W: 4}, func(_, y, x int) float32 { return float32(100*n + 10*y + x) })
		f.Lo = pipeline.NewBuffer(memory.DefaultAllocator, len(f.XHi()))
		in.Frames = append(in.Frames, f)
	}
	return in
}

// TestFaults: each fault of a stage is reported, by the run or by the helper, and nothing
// panics or hangs.
func TestFaults(t *testing.T) {
	for fault, want := range map[string]struct{ err, told string }{
		"none":      {},
		"leaks":     {told: "invalid memory size exp=0"},
		"changes":   {told: "seed 3, frame 0: the stage has changed its input, which it only borrows"},
		"goroutine": {told: "found unexpected goroutines"},
		"releases":  {told: "seed 3, frame 0: the stage has released its input, which it only borrows"},
		"no x_lo":   {err: "flow[1].wrong: seed 3, frame 0: sent frames without x_lo, which the stages below rely on: the stage has to carry it to the frames that it makes, or its declaration has to say Link{Drops: pipeline.Paired}"},
		"short":     {err: "flow[1].wrong: seed 3, frame 0: sent 4 bytes of x_hi: want 32, float32 of 1 frames of 1 fields on 2 x 4 cells"},
		"channels":  {err: "flow[1].wrong: seed 3, frame 0: sent the fields b, and announced a"},
		"announces": {err: "flow[1].wrong: seed 3, frame 0: sent the fields a, and announced a, b"},
		"grid":      {err: "flow[1].wrong: seed 3, frame 0: sent 4 x 2 cells (box [0 0], boundaries [periodic periodic]), and announced 2 x 4 ([0 0], [periodic periodic])"},
		"no origin": {err: "flow[1].wrong: seed 3, frame 0: sent frames without an origin: want one of each frame"},
		"splits":    {err: "flow[1].wrong: seed 0, frame 0: sent frames of train and test in one element: want one split"},
		"nil":       {err: "flow[1].wrong: seed 3, frame 0: sent nil"},
	} {
		t.Run(fault, func(t *testing.T) {
			r := &recorder{TB: t}
			out, err := stagetest.Run(r, pair(), pipeline.With(func(c *Wrong) { c.Fault = fault }))
			if got := fmt.Sprint(err); err != nil && got != want.err || err == nil && want.err != "" {
				t.Errorf("error %q, want %q", got, want.err)
			}
			if told := strings.Join(r.wrong, "\n"); !strings.Contains(told, want.told) || (told == "") != (want.told == "") {
				t.Errorf("told %q, want %q", told, want.told)
			}
			if fault == "none" && (len(out) != 2 || out[1].XHi()[7] != 226 || out[1].Origin() != "seed 3, frame 1") {
				t.Errorf("%d frames: %v", len(out), out)
			}
		})
	}
}

// TestDropped: a flow in which a stage needs what one above it drops is refused, and below the
// stage that drops x_lo no x_lo is announced.
func TestDropped(t *testing.T) {
	_, err := stagetest.Run(t, pair(), pipeline.With[Forgetful](nil), pipeline.With[Forgetful](nil))
	const want = "flow[2].forgetful: needs paired (x_hi, x_lo) frames, which forgetful drops: put it above forgetful"
	if err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
	if _, err := stagetest.Run(t, pair(), pipeline.With[Forgetful](nil), pipeline.With[Wrong](nil)); err != nil {
		t.Error(err)
	}
}
