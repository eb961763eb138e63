package sinks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"fmsr/model"
	"fmsr/pipeline"
)

// Metrics appends every evaluation's figures to metrics.jsonl.
//
//	steps   -- 1 -- ... -- 100 + figures --
//	        [ one JSON object a line       ]
//	steps   -- 1 -- ... -- 100 -----------
type Metrics struct{}

func init() {
	pipeline.Register(pipeline.Declaration[Metrics]{
		Name: "metrics",
		Doc: `Appends every evaluation's figures to metrics.jsonl in the run's folder.

	steps   -- 1 -- ... -- 100 + figures --
	        [ one JSON object a line       ]
	steps   -- 1 -- ... -- 100 -----------

An object holds step and name: value pairs. Nothing in it depends on the clock:
the seconds that evaluations took go to timing.jsonl.`,
		Link: pipeline.Link{Needs: pipeline.Steps | pipeline.Evaluated, Bystander: true},
		New:  func(*Metrics) pipeline.Stage { return &metrics{} },
	})
}

var (
	_ pipeline.Processor = (*metrics)(nil)
	_ pipeline.Starter   = (*metrics)(nil)
)

type metrics struct {
	env             *pipeline.Env
	figures, timing *os.File
}

// Open makes the folder.
func (m *metrics) Open(_ context.Context, env *pipeline.Env, in pipeline.Meta) (pipeline.Meta, error) {
	m.env = env
	return in, env.MakeFolder()
}

// Start begins both files, or goes on with them.
func (m *metrics) Start() (err error) {
	dir, resume := m.env.Run.Dir, m.env.Resume
	if m.figures, err = openLog(filepath.Join(dir, "metrics.jsonl"), resume, linesUpTo); err != nil {
		return err
	}
	m.timing, err = openLog(filepath.Join(dir, "timing.jsonl"), resume, linesUpTo)
	return err
}

// linesUpTo is the length of the whole lines of steps up to that one.
func linesUpTo(data []byte, step int) int {
	length := 0
	for {
		end := bytes.IndexByte(data[length:], '\n')
		var line struct{ Step *int }
		if end < 0 || json.Unmarshal(data[length:length+end], &line) != nil || line.Step == nil || *line.Step > step {
			return length
		}
		length += end + 1
	}
}

// Process writes a line where the step was evaluated.
func (m *metrics) Process(_ context.Context, in pipeline.Element) ([]pipeline.Element, error) {
	if step, ok := in.(*model.Step); ok && step.Eval != nil {
		line, err := figuresLine(step)
		if err != nil {
			return nil, err
		}
		if _, err := m.figures.Write(line); err != nil {
			return nil, err
		}
		if _, err := fmt.Fprintf(m.timing, "{\"step\":%d,\"eval_s\":%.3f}\n", step.N, step.Eval.Seconds); err != nil {
			return nil, err
		}
		m.env.Progress.Note("%s", summary(step))
	}
	in.Retain()
	return []pipeline.Element{in}, nil
}

// figuresLine keeps the evaluation's order, which encoding/json's maps would not.
func figuresLine(step *model.Step) ([]byte, error) {
	line := []byte(`{"step":` + strconv.Itoa(step.N))
	for _, s := range step.Eval.Scalars {
		value, err := json.Marshal(s.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.Name, err) // NaN and Inf have no JSON
		}
		line = append(line, fmt.Sprintf(",%q:%s", s.Name, value)...)
	}
	return append(line, "}\n"...), nil
}

// summary is the evaluation in one line, for a person.
func summary(step *model.Step) string {
	text := fmt.Sprintf("eval at step %d (%.1f s):", step.N, step.Eval.Seconds)
	for _, name := range []string{"val/mse", "val/mse_ema", "val/mse_sde", "val/mse_lo", "val/mse_linear"} {
		if v, ok := step.Eval.Scalar(name); ok {
			text += fmt.Sprintf("  %s %.4g", name, v)
		}
	}
	return text
}

// Close closes the files; what was written stays.
func (m *metrics) Close() error { return errors.Join(closeLog(m.figures), closeLog(m.timing)) }
