package stages

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/model"
	"fmsr.example/fmsr/pipeline"
)

// ResumeSpec reads a whole checkpoint, and returns the spec that it carries.
func (t *train) ResumeSpec(ctx context.Context, path string) ([]byte, error) {
	l, err := model.OpenCheckpoint(path)
	if err != nil {
		return nil, err
	}
	return []byte(l.Spec), errors.Join(l.CheckSums(ctx), l.Close())
}

// ResumeFrom opens a checkpoint, and returns what the earlier run has done. The
// step of a checkpoint that not every stage had seen is not done: its batches
// come once more, its token is sent once more, and its logs are dropped.
func (t *train) ResumeFrom(path string) (done pipeline.Done, err error) {
	if t.from, err = model.OpenCheckpoint(path); err != nil {
		return done, err
	}
	at, err := t.from.Position()
	if err == nil && !slices.Equal(t.from.Channels, t.in.Channels) {
		err = fmt.Errorf("its channels are %s, the run's are %s", strings.Join(t.from.Channels, ", "), strings.Join(t.in.Channels, ", "))
	}
	if err == nil {
		err = t.from.CheckTraining(t.config, t.hyper(), t.input())
	}
	if err == nil && t.averages() && !t.from.Averaged {
		err = errors.New("it has no average of the weights, and the run's flow has an ema stage")
	}
	if err != nil {
		return done, fmt.Errorf("%s: %w", path, err)
	}
	done.Steps = at.Step
	if !at.Passed {
		done.Steps--
	}
	done.Frames = done.Steps * t.Accumulate * t.in.Batch
	return done, nil
}

// restore puts the trainer where the checkpoint was written, provided that the
// training data are those that it was trained on.
func (t *train) restore(ctx context.Context) error {
	path := t.env.Resume.From
	err := t.trainer.Restore(ctx, t.from)
	if err == nil {
		err = t.from.CheckData(model.Data{Stats: t.in.Stats, Frames: t.in.Frames[frames.Train], Digests: t.in.Digests})
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	t.checkpoints.last = t.trainer.Step
	other := t.Best != "" && t.trainer.Best.Figure != t.Best
	if !t.env.Resume.Here() || other { // the best is in another folder, or of another figure
		t.trainer.Best = model.Best{}
	}
	t.checkpoints.best = t.trainer.Best.Step
	if t.env.Resume.Here() && t.trainer.Passed { // else it is written again once the step has passed
		t.checkpoints.saved = t.trainer.Step
	}
	t.env.Progress.Note("resuming from step %d of %s", t.trainer.Step, path)
	if t.trainer.Passed && t.trainer.Step >= t.stop {
		t.env.Progress.Note("this run has taken its %d steps: nothing is left to do. A larger --total-steps (or --max-steps) continues it; another --out starts a new run", t.stop)
	}
	err = t.from.Close()
	t.from = nil
	return err
}
