package sinks

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"time"

	"fmsr/model"
	"fmsr/pipeline"
)

// TensorBoard writes every evaluation's figures and pictures as TensorBoard events.
//
//	steps   -- 1 -- ... -- 100 + figures --
//	        [ tb/events.out.tfevents...    ]
//	steps   -- 1 -- ... -- 100 ------------
type TensorBoard struct{}

func init() {
	pipeline.Register(pipeline.Declaration[TensorBoard]{
		Name: "tensorboard",
		Doc: `Writes every evaluation's figures and pictures for TensorBoard, to tb/.

	steps   -- 1 -- ... -- 100 + figures --
	        [ tb/events.out.tfevents...    ]
	steps   -- 1 -- ... -- 100 ------------

tensorboard --logdir RUN/tb shows them.`,
		Link: pipeline.Link{Needs: pipeline.Steps | pipeline.Evaluated, Bystander: true},
		New:  func(*TensorBoard) pipeline.Stage { return &tensorboard{} },
	})
}

var (
	_ pipeline.Processor = (*tensorboard)(nil)
	_ pipeline.Starter   = (*tensorboard)(nil)
)

// The file's name holds no time: there is one a run.
const tensorboardFile = "events.out.tfevents.0.fmsr"

type tensorboard struct {
	env  *pipeline.Env
	file *os.File
}

// Open makes the folder.
func (t *tensorboard) Open(_ context.Context, env *pipeline.Env, in pipeline.Meta) (pipeline.Meta, error) {
	t.env = env
	return in, env.MakeFolder("tb")
}

// Start begins the file, or goes on with it.
func (t *tensorboard) Start() (err error) {
	t.file, err = openLog(filepath.Join(t.env.Run.Dir, "tb", tensorboardFile), t.env.Resume, tfEventsUpTo)
	if err != nil {
		return err
	}
	if at, err := t.file.Seek(0, io.SeekCurrent); err != nil || at > 0 {
		return err
	}
	return writeTFRecord(t.file, tfVersion(wallTime()))
}

func wallTime() float64 { return float64(time.Now().UnixMicro()) / 1e6 }

// Process writes one event for an evaluated step.
func (t *tensorboard) Process(_ context.Context, in pipeline.Element) ([]pipeline.Element, error) {
	if step, ok := in.(*model.Step); ok && step.Eval != nil {
		event, err := tfSummary(wallTime(), step.N, step.Eval)
		if err != nil {
			return nil, err
		}
		if err := writeTFRecord(t.file, event); err != nil {
			return nil, err
		}
	}
	in.Retain()
	return []pipeline.Element{in}, nil
}

// Close closes the file; what was written stays.
func (t *tensorboard) Close() error { return closeLog(t.file) }
