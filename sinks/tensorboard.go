package sinks

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"fmsr.example/fmsr/internal/format/tfevents"
	"fmsr.example/fmsr/internal/glob"
	"fmsr.example/fmsr/model"
	"fmsr.example/fmsr/pipeline"
)

// TensorBoard writes the learning curve and every evaluation's figures and pictures as TensorBoard events.
//
//	steps   -- 1 -- ... -- 100 + figures ----
//	        [ tb/NAME/events.out.tfevents... ]
//	steps   -- 1 -- ... -- 100 --------------
type TensorBoard struct{}

func init() {
	pipeline.Register(pipeline.Declaration[TensorBoard]{
		Name: "tensorboard",
		Doc: `Writes the learning curve, figures and pictures for TensorBoard, to tb/NAME.

	steps   -- 1 -- ... -- 100 + figures ----
	        [ tb/NAME/events.out.tfevents... ]
	steps   -- 1 -- ... -- 100 --------------

tensorboard --logdir RUN/tb shows the run under its name, and --logdir RUNS each of the
runs in a folder as RUN/tb/NAME. TensorBoard's numbers are float32: a figure that is too
large or too small for it, such as val/mse of a field of 1e-24, is left out. What depends
on the clock has a file of its own, which TensorBoard shows as the run NAME/clock:
time/frames_per_s, training frames a second since the last line.
` + curveHelp,
		Link: pipeline.Link{Needs: pipeline.Steps | pipeline.Evaluated, Bystander: true},
		New:  func(*TensorBoard) pipeline.Stage { return &tensorboard{} },
	})
}

var (
	_ pipeline.Processor = (*tensorboard)(nil)
	_ pipeline.Starter   = (*tensorboard)(nil)
	_ pipeline.Writer    = (*tensorboard)(nil)
)

const (
	// tensorboardFile has no time in its name, because a run has one such file.
	tensorboardFile = "events.out.tfevents.0.fmsr"
	// clockFolder is for what depends on the clock, in the folder of the run's name.
	clockFolder = "clock"
)

type tensorboard struct {
	stepSink
	env         *pipeline.Env
	file, clock *os.File
}

// Open keeps the run for Start.
func (t *tensorboard) Open(_ context.Context, env *pipeline.Env, in pipeline.Meta) (pipeline.Meta, error) {
	t.env, t.on, t.curve = env, t.write, true
	return in, nil
}

// Writes returns the folder.
func (t *tensorboard) Writes() []string { return []string{"tb"} }

// Start begins the files, or continues them.
func (t *tensorboard) Start() (err error) {
	folder := filepath.Join(t.env.Run.Dir, "tb", t.env.Run.Name)
	if err := renameLogs(folder); err != nil {
		return err
	}
	if t.file, err = t.open(folder); err != nil {
		return err
	}
	t.clock, err = t.open(filepath.Join(folder, clockFolder))
	return err
}

// renameLogs moves the logs of a run that had another name before to the folder of its name:
// TensorBoard would show both.
func renameLogs(folder string) error {
	clocks, err := glob.In(filepath.Dir(folder), filepath.Join("*", clockFolder, tensorboardFile))
	if err != nil || len(clocks) != 1 {
		return err
	}
	if earlier := filepath.Dir(filepath.Dir(clocks[0])); earlier != folder {
		return os.Rename(earlier, folder)
	}
	return nil
}

func (t *tensorboard) open(folder string) (*os.File, error) {
	if err := os.MkdirAll(folder, 0o777); err != nil {
		return nil, err
	}
	file, err := openLog(filepath.Join(folder, tensorboardFile), t.env.Resume, tfevents.UpTo)
	if err != nil {
		return nil, err
	}
	if at, err := file.Seek(0, io.SeekCurrent); err != nil || at > 0 {
		return file, err
	}
	return file, tfevents.WriteVersion(file, time.Now())
}

// write writes one event for a step, and one for what depends on the clock.
func (t *tensorboard) write(step *model.Step) error {
	var summary tfevents.Summary
	for _, s := range scalars(step) {
		summary.Scalar(s.Name, float64(s.Value))
	}
	if step.Eval != nil {
		for _, p := range step.Eval.Pictures {
			if err := summary.Image(p.Name, p.PNG); err != nil {
				return err
			}
		}
	}
	if err := tfevents.WriteSummary(t.file, time.Now(), step.N, summary); err != nil || step.Speed == 0 {
		return err
	}
	var speed tfevents.Summary
	speed.Scalar(speedName, step.Speed)
	return tfevents.WriteSummary(t.clock, time.Now(), step.N, speed)
}

// Close closes the files; what was written stays.
func (t *tensorboard) Close() error { return errors.Join(closeLog(t.file), closeLog(t.clock)) }
