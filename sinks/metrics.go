package sinks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"fmsr/internal/display"
	"fmsr/internal/evaluate"
	"fmsr/model"
	"fmsr/pipeline"
)

// Metrics appends the learning curve and the figures of evaluations to metrics.jsonl.
//
//	steps   -- 1 -- ... -- 100 + figures --
//	        [ one JSON object a line       ]
//	steps   -- 1 -- ... -- 100 -----------
type Metrics struct{}

// The files in the run's folder.
const (
	figuresName = "metrics.jsonl"
	timingName  = "timing.jsonl"
)

func init() {
	pipeline.Register(pipeline.Declaration[Metrics]{
		Name: "metrics",
		Doc: `Appends the learning curve and the figures of evaluations to metrics.jsonl.

	steps   -- 1 -- ... -- 100 + figures --
	        [ one JSON object a line       ]
	steps   -- 1 -- ... -- 100 -----------

An object holds step and name: value pairs. Nothing in it depends on the clock: training
frames a second since the last line, and the seconds that an evaluation took, go to
timing.jsonl. ` + curveHelp,
		Link: pipeline.Link{Needs: pipeline.Steps | pipeline.Evaluated, Bystander: true},
		New:  func(*Metrics) pipeline.Stage { return &metrics{} },
	})
}

var (
	_ pipeline.Processor = (*metrics)(nil)
	_ pipeline.Starter   = (*metrics)(nil)
	_ pipeline.Writer    = (*metrics)(nil)
)

type metrics struct {
	stepSink
	env             *pipeline.Env
	figures, timing *os.File
}

// Open keeps the run for Start.
func (m *metrics) Open(_ context.Context, env *pipeline.Env, in pipeline.Meta) (pipeline.Meta, error) {
	m.env, m.on, m.curve = env, m.write, true
	return in, nil
}

// Writes returns both files.
func (m *metrics) Writes() []string { return []string{figuresName, timingName} }

// Start creates both files; a resumed run appends to them.
func (m *metrics) Start() (err error) {
	dir, resume := m.env.Run.Dir, m.env.Resume
	if m.figures, err = openLog(filepath.Join(dir, figuresName), resume, linesUpTo); err != nil {
		return err
	}
	m.timing, err = openLog(filepath.Join(dir, timingName), resume, linesUpTo)
	return err
}

// linesUpTo returns the length of the lines of steps up to this one. The last line may have
// no end; it returns an error for any other line that is not an object with a step.
func linesUpTo(data []byte, step int) (length int, err error) {
	for n := 1; ; n++ {
		end := bytes.IndexByte(data[length:], '\n')
		if end < 0 {
			return length, nil
		}
		var line struct{ Step *int }
		if json.Unmarshal(data[length:length+end], &line) != nil || line.Step == nil {
			return 0, fmt.Errorf("line %d is damaged: %.40q", n, data[length:length+end])
		}
		if *line.Step > step {
			return length, nil
		}
		length += end + 1
	}
}

// write appends a step's line to each file.
func (m *metrics) write(step *model.Step) error {
	line, err := figuresLine(step)
	if err != nil {
		return err
	}
	if _, err := m.figures.Write(line); err != nil {
		return err
	}
	if line, err = timingLine(step); err != nil {
		return err
	}
	if _, err := m.timing.Write(line); err != nil {
		return err
	}
	if step.Eval != nil {
		m.env.Progress.Evaluated(evaluation(step))
	}
	return nil
}

// figuresLine returns the step's line of metrics.jsonl.
func figuresLine(step *model.Step) ([]byte, error) {
	line := object{{"step", step.N}}
	for _, s := range scalars(step) {
		line = append(line, member{s.Name, s.Value})
	}
	text, err := json.Marshal(line)
	return append(text, '\n'), err
}

// timingLine returns the step's line of timing.jsonl.
func timingLine(step *model.Step) ([]byte, error) {
	line := object{{"step", step.N}}
	if step.Speed > 0 {
		line = append(line, member{"frames_per_s", json.Number(fmt.Sprintf("%.3f", step.Speed))})
	}
	if step.Eval != nil {
		line = append(line, member{"eval_s", json.Number(fmt.Sprintf("%.3f", step.Eval.Seconds))})
	}
	text, err := json.Marshal(line)
	return append(text, '\n'), err
}

// evaluation returns an evaluation as displays show it.
func evaluation(step *model.Step) display.Evaluation {
	e := display.Evaluation{Step: step.N, Frames: step.Eval.Frames, Seconds: step.Eval.Seconds}
	headline, _ := evaluate.Finite(step.Eval.Figures.Headline())
	for _, s := range headline {
		e.Headline = append(e.Headline, display.Figure{Name: s.Name, Value: float64(s.Value)})
	}
	if v, ok := evaluate.Judge(step.Eval.Scalars); ok {
		e.Error, e.Verdict = v.Error, v.Sentence(step.N)
	}
	return e
}

// Close closes the files.
func (m *metrics) Close() error { return errors.Join(closeLog(m.figures), closeLog(m.timing)) }
