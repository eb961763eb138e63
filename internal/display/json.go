package display

import (
	"context"
	"io"
	"log/slog"
	"strings"
)

// JSON shows a run as records of log/slog, an object a line:
//
//	{"time":"...","level":"INFO","msg":"step","step":100,"total":400,"loss":2.1,...}
//	{"time":"...","level":"WARN","msg":"...: is 30, and total_steps 2: ..."}
type JSON struct {
	log     *slog.Logger
	verbose bool
}

// NewJSON returns a display on out. Verbose adds the account of where the time went.
func NewJSON(out io.Writer, verbose bool) JSON {
	return JSON{slog.New(slog.NewJSONHandler(out, nil)), verbose}
}

// Write logs each line.
func (j JSON) Write(text []byte) (int, error) {
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		level := slog.LevelInfo
		if warns(line) {
			level = slog.LevelWarn
			line = strings.Replace(line, warning, "", 1)
		}
		if line != "" {
			j.log.Log(context.Background(), level, line)
		}
	}
	return len(text), nil
}

// Work logs nothing.
func (JSON) Work(Work) {}

// Part logs nothing.
func (JSON) Part(Work) {}

// Flow logs nothing.
func (JSON) Flow(func() []Stage) {}

// Piece logs a piece of the work.
func (j JSON) Piece(w Work) { j.log.Info(w.Name, "done", w.Done, "total", w.Total) }

// Step logs a step where a line is due.
func (j JSON) Step(s Step) {
	if s.Due {
		j.log.Info("step", "step", s.N, "total", s.Total, "loss", s.Loss, "grad_norm", s.GradNorm, "lr", s.LR,
			"frames_per_s", s.FramesPerSecond, "steps_per_s", s.Rate, "left_s", s.Left.Seconds())
	}
}

// Evaluated logs the headline, by the figures' names.
func (j JSON) Evaluated(e Evaluation) {
	facts := []any{"step", e.Step, "frames", e.Frames, "seconds", e.Seconds}
	for _, f := range e.Headline {
		facts = append(facts, f.Name, f.Value)
	}
	j.log.Info("evaluation", append(facts, "verdict", e.Verdict)...)
}

// Account logs a record a stage, if the display is verbose.
func (j JSON) Account(stages []Stage) {
	if !j.verbose {
		return
	}
	for i, share := range Shares(stages) {
		s := stages[i]
		j.log.Info("stage", "stage", s.Name, "in", s.In, "elements", s.Elements, "busy_s", s.Busy.Seconds(), "waiting_s", s.Waiting.Seconds(), "share", share)
	}
}
