package sinks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"

	"fmsr.example/fmsr/internal/display"
	"fmsr.example/fmsr/internal/evaluate"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/hostmem"
	"fmsr.example/fmsr/internal/runview"
	"fmsr.example/fmsr/model"
	"fmsr.example/fmsr/pipeline"
)

// Metrics appends the learning curve and the figures of evaluations to metrics.jsonl.
//
//	steps   -- 1 -- ... -- 100 + figures --
//	        [ one JSON object a line       ]
//	steps   -- 1 -- ... -- 100 -----------
type Metrics struct{}

func init() {
	pipeline.Register(pipeline.Declaration[Metrics]{
		Name: "metrics",
		Doc: `Appends the learning curve and the figures of evaluations to metrics.jsonl.

	steps   -- 1 -- ... -- 100 + figures --
	        [ one JSON object a line       ]
	steps   -- 1 -- ... -- 100 -----------

An object holds step and name: value pairs. Nothing in it depends on the clock: training
frames a second since the last line, the seconds that an evaluation took, the process's
memory, and each stage's part of the time so far go to timing.jsonl. Each evaluation's figures of every field, with their meaning, and its spectra
go to evaluations/STEP.json. run.json says on what data and machine the run is. ` + curveHelp,
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
	in              pipeline.Meta
	figures, timing *os.File
}

// Open keeps the run for Start.
func (m *metrics) Open(_ context.Context, env *pipeline.Env, in pipeline.Meta) (pipeline.Meta, error) {
	m.env, m.in, m.on, m.curve = env, in, m.write, true
	return in, nil
}

// Writes returns the files.
func (m *metrics) Writes() []string {
	return []string{runview.MetricsName, runview.TimingName, runview.Evaluations, runview.AboutName}
}

// Start creates the files; a resumed run appends to the logs.
func (m *metrics) Start() (err error) {
	dir, resume := m.env.Run.Dir, m.env.Resume
	if err := startSteps(filepath.Join(dir, runview.Evaluations), resume); err != nil {
		return err
	}
	if err := m.writeAbout(); err != nil {
		return err
	}
	if m.figures, err = openLog(filepath.Join(dir, runview.MetricsName), resume, linesUpTo); err != nil {
		return err
	}
	m.timing, err = openLog(filepath.Join(dir, runview.TimingName), resume, linesUpTo)
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
	if line, err = timingLine(step, m.env.Progress.Stages()); err != nil {
		return err
	}
	if _, err := m.timing.Write(line); err != nil {
		return err
	}
	if step.Eval == nil {
		return nil
	}
	record := *step.Eval.Record
	record.Step, record.Of, record.Split = step.N, m.in.Frames[frames.Val], splitOf(m.env)
	m.env.Progress.Evaluated(evaluation(step, &record))
	_, err = writeRecord(m.env.Run.Dir, step.N, &record)
	return err
}

// writeRecord writes an evaluation for pages and returns its name, evaluations/STEP.json.
func writeRecord(dir string, step int, record *evaluate.Record) (name string, err error) {
	data, err := json.Marshal(record)
	if err != nil {
		return "", err
	}
	name = filepath.Join(runview.Evaluations, fmt.Sprintf("%d.json", step))
	return name, writeWithin(filepath.Join(dir, name), append(data, '\n'))
}

// splitOf names the frames that the model is judged by.
func splitOf(env *pipeline.Env) string {
	if env.Run.Overfit {
		return "training"
	}
	return "validation"
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

// timingLine returns the step's line of timing.jsonl: speeds, memory, and each stage's part of the time.
func timingLine(step *model.Step, stages []display.Stage) ([]byte, error) {
	line := object{{"step", step.N}}
	add := func(name string, digits int, v float64) {
		line = append(line, member{name, json.Number(strconv.FormatFloat(v, 'f', digits, 64))})
	}
	if step.Speed > 0 {
		add("frames_per_s", 3, step.Speed)
	}
	if step.Eval != nil {
		add("eval_s", 3, step.Eval.Seconds)
	}
	resident, left := hostmem.Resident(), hostmem.Left()
	add(runview.MemoryName, 3, float64(resident)/1e9)
	if left < math.MaxInt64 {
		add(runview.MemoryLimitName, 3, float64(resident+left)/1e9)
	}
	for i, share := range display.Shares(stages) {
		if stages[i].In == "" {
			add(runview.BusyPrefix+stages[i].Name, 3, share)
		}
	}
	text, err := json.Marshal(line)
	return append(text, '\n'), err
}

// evaluation returns an evaluation as displays show it.
func evaluation(step *model.Step, record *evaluate.Record) display.Evaluation {
	e := display.Evaluation{Step: step.N, Frames: step.Eval.Frames, Seconds: step.Eval.Seconds, Verdict: record.Verdict()}
	headline, _ := evaluate.Finite(step.Eval.Figures.Headline())
	for _, s := range headline {
		e.Headline = append(e.Headline, display.Figure{Name: s.Name, Value: float64(s.Value)})
	}
	if model, _ := record.Best(); model != nil {
		e.Error, _ = record.Value(model, "of_bilinear")
	}
	return e
}

// Close closes the files.
func (m *metrics) Close() error { return errors.Join(closeLog(m.figures), closeLog(m.timing)) }
