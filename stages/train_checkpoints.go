package stages

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"fmsr/internal/frames"
	"fmsr/internal/glob"
	"fmsr/model"
	"fmsr/pipeline"
)

// saveIfDue begins the checkpoint of the newest step, if one is due. The step has
// come back from the stages below, so its average is up to date. Training waits
// for the copy of the weights only.
func (t *train) saveIfDue(ctx context.Context) error {
	err := t.checkpoints.look()
	if err == nil && t.checkpoints.due(t.trainer.Step) && !t.trainer.Last.Skipped() {
		if err = t.checkpoints.wait(); err == nil {
			err = t.save(ctx)
		}
	}
	if errors.Is(err, model.ErrUnhealthy) { // the steps to come will be bad, and end the run
		t.env.Progress.Note("%v", err)
		return nil
	}
	return err
}

func (t *train) save(ctx context.Context) error {
	snapshot, err := t.trainer.Snapshot(ctx, model.Checkpoint{
		Channels: t.in.Channels, Stats: t.in.Stats, Input: t.input(), Inputs: t.inputs,
		Frames: t.in.Frames[frames.Train], Averaged: t.averages(), Spec: string(t.env.Lasting),
	})
	if err == nil {
		t.checkpoints.begin(snapshot)
	}
	return err
}

// input returns how x_lo was made.
func (t *train) input() model.Input {
	return model.Input{Factor: t.in.Factor, Periodic: t.in.Periodic}
}

// averages reports whether a stage of the flow averages the weights.
func (t *train) averages() bool { return t.env.Ends&pipeline.Averaged != 0 }

// saveLast leaves the checkpoint of the last step.
func (t *train) saveLast() error {
	if err := t.checkpoints.wait(); err != nil && !errors.Is(err, model.ErrUnhealthy) || t.trainer.Step == t.checkpoints.saved {
		return err
	}
	if err := t.save(context.Background()); err != nil {
		return err
	}
	return t.checkpoints.wait()
}

// checkpoints writes the checkpoints of a training run beside the training, one
// at a time.
type checkpoints struct {
	run   *pipeline.Run
	saved int // step of the newest that is whole; 0: none

	last    int // step of the newest that was begun
	at      time.Time
	writing chan error // of that one's end; nil where it has been seen
}

// ResumeFiles names the checkpoints of a run's folder.
func (t *train) ResumeFiles() (newest, pattern string) {
	return model.CheckpointFile, model.CheckpointFiles
}

func (c *checkpoints) start(run *pipeline.Run) { c.run, c.at = run, time.Now() }

// due reports whether a checkpoint of this step is due.
func (c *checkpoints) due(step int) bool {
	minutes := c.run.CheckpointMinutes
	return step > c.last && (step/c.run.CheckpointEvery > c.last/c.run.CheckpointEvery ||
		minutes > 0 && time.Since(c.at).Minutes() >= minutes)
}

// begin starts to write a snapshot, and frees it in the end. The last one must
// have been waited for.
func (c *checkpoints) begin(s *model.Snapshot) {
	c.last, c.at = s.Step, time.Now()
	c.writing = make(chan error, 1)
	go func() { c.writing <- errors.Join(c.write(s), s.Close()) }()
}

// wait waits for the checkpoint that is being written, if one is.
func (c *checkpoints) wait() error {
	if c.writing == nil {
		return nil
	}
	err := <-c.writing
	c.writing = nil
	switch {
	case err == nil:
		c.saved = c.last
		return nil
	case c.saved > 0:
		return fmt.Errorf("step %d is not saved: %w: the newest checkpoint is that of step %d", c.last, err, c.saved)
	default:
		return fmt.Errorf("step %d is not saved: %w", c.last, err)
	}
}

// look is wait where the checkpoint is whole by now.
func (c *checkpoints) look() error {
	if len(c.writing) == 0 {
		return nil
	}
	return c.wait()
}

// write puts checkpoint.pt in place. Where more than one is to be kept, each has
// its step's name too.
func (c *checkpoints) write(s *model.Snapshot) error {
	path := filepath.Join(c.run.Dir, model.CheckpointFile)
	if err := s.Save(path); err != nil {
		return err
	}
	if c.run.Keep == 1 {
		return nil
	}
	named := filepath.Join(c.run.Dir, fmt.Sprintf("checkpoint-%08d.pt", s.Step))
	_ = os.Remove(named) // of a run that went on from an earlier one
	if err := os.Link(path, named); err != nil {
		return fmt.Errorf("run.keep is %d, which wants a file system with hard links: %w", c.run.Keep, err)
	}
	return c.prune(named)
}

// prune removes the named checkpoints that are too old to be kept.
func (c *checkpoints) prune(newest string) error {
	named, err := glob.In(c.run.Dir, "checkpoint-*.pt")
	if err != nil {
		return err
	}
	slices.Sort(named)
	named = named[:slices.Index(named, newest)+1]
	for _, old := range named[:max(0, len(named)-c.run.Keep)] {
		if err := os.Remove(old); err != nil {
			return err
		}
	}
	return nil
}
