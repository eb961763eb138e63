package stages

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"fmsr.example/fmsr/internal/display"
	"fmsr.example/fmsr/internal/evaluate"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/store/runfolder"
	"fmsr.example/fmsr/model"
	"fmsr.example/fmsr/pipeline"
)

// saveIfDue begins the checkpoint of the newest step, if one is due. The step has
// come back from the stages below, so its average is up to date. Training waits
// for the copy of the weights only. Several ranks save only what they have compared.
func (t *train) saveIfDue(ctx context.Context) error {
	c, step := &t.checkpoints, t.trainer.Step
	due, late := c.due(step), c.late(step)
	if due || late || t.logged || t.isBest() {
		if err := t.outcomes(ctx, true); err != nil {
			return err
		}
	}
	skipped := t.trainer.Last.Skipped() // matters only if the result was waited for
	due = due && !skipped
	compared := t.env.Ranks == nil
	if t.logged || due {
		t.logged, compared = false, true
		if err := t.compareRanks(ctx); err != nil {
			return err
		}
	}
	var err error
	if t.env.Leads() {
		err = c.look()
		if err == nil && (due || compared && !skipped && (late || t.isBest())) {
			if err = c.wait(); err == nil {
				err = t.save(ctx)
			}
		}
	}
	if due {
		c.passed = step
	}
	if errors.Is(err, model.ErrUnhealthy) { // the steps to come will be bad, and end the run
		t.env.Progress.Note("%v", err)
		return nil
	}
	return err
}

func (t *train) save(ctx context.Context) error {
	snapshot, err := t.trainer.Snapshot(ctx, model.Checkpoint{
		Channels: t.in.Channels, Stats: t.in.Stats, Input: t.input(), Inputs: t.inputs, Filters: t.in.Filters,
		Frames: t.in.Frames[frames.Train], Digests: t.in.Digests, Averaged: t.averages(), Spec: string(t.env.Lasting),
	})
	if err == nil {
		t.checkpoints.begin(snapshot, t.isBest(), t.checkpoints.forGood(t.trainer.Step))
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
	if err := t.checkpoints.wait(); err != nil && !errors.Is(err, model.ErrUnhealthy) || t.trainer.Step == t.checkpoints.saved && !t.isBest() {
		return err
	}
	t.env.Progress.Part(display.Work{Name: fmt.Sprintf("saving step %d", t.trainer.Step)})
	defer t.env.Progress.Part(display.Work{})
	if err := t.save(context.Background()); err != nil {
		return err
	}
	return t.checkpoints.wait()
}

// compareBest records the evaluation of a step that has come back, if it is the best.
func (t *train) compareBest(step *model.Step) {
	if t.Best == "" || step.Eval == nil || step.Skipped() || !t.env.Leads() {
		return
	}
	i := slices.IndexFunc(step.Eval.Scalars, func(s evaluate.Scalar) bool { return s.Name == t.Best })
	if i < 0 {
		t.env.Progress.Note("train.best: step %d has no figure %s", step.N, t.Best)
		return
	}
	if v := float64(step.Eval.Scalars[i].Value); t.trainer.Best.Figure == "" || v < t.trainer.Best.Value {
		t.trainer.Best = model.Best{Figure: t.Best, Value: v, Step: step.N}
	}
}

// isBest reports whether the newest step is the best, and not yet saved as such.
func (t *train) isBest() bool {
	return t.trainer.Passed && t.trainer.Best.Step == t.trainer.Step && t.checkpoints.best < t.trainer.Step
}

// checkpoints writes the checkpoints of a training run beside the training, one
// at a time.
type checkpoints struct {
	run    *pipeline.Run
	folder *runfolder.Folder // lists the named checkpoints that prune may remove

	saved int // step of the newest that is whole; 0: none

	last    int // step of the newest that was begun
	passed  int // the last step that was due by its number
	best    int // step of the newest best one that was begun
	at      time.Time
	writing chan error // of that one's end; nil where it has been seen
}

// ResumeFiles names the checkpoints of a run's folder.
func (t *train) ResumeFiles() (newest, pattern string) {
	return model.CheckpointFile, model.CheckpointFiles
}

func (c *checkpoints) start(env *pipeline.Env, step int) {
	c.run, c.folder, c.at, c.passed = env.Run, env.Folder, time.Now(), step
}

// due reports whether a checkpoint of this step is due by its number, or one before it was
// whose step was skipped. All ranks agree on it.
func (c *checkpoints) due(step int) bool {
	return c.reached(c.run.CheckpointEvery, step) || c.forGood(step)
}

// late reports whether a checkpoint is due by the time since the last.
func (c *checkpoints) late(step int) bool {
	minutes := c.run.CheckpointMinutes
	return step > c.last && minutes > 0 && time.Since(c.at).Minutes() >= minutes
}

// forGood reports whether the checkpoint of this step is to stay.
func (c *checkpoints) forGood(step int) bool {
	return c.run.KeepEvery > 0 && c.reached(c.run.KeepEvery, step)
}

// reached reports whether the run has reached a multiple of every since the last step that was
// due.
func (c *checkpoints) reached(every, step int) bool { return step/every > c.passed/every }

// begin starts to write a snapshot, and frees it in the end. The last one must
// have been waited for.
func (c *checkpoints) begin(s *model.Snapshot, best, forGood bool) {
	c.last, c.at = s.Step, time.Now()
	if best {
		c.best = s.Step
	}
	c.writing = make(chan error, 1)
	go func() { c.writing <- errors.Join(c.write(s, best, forGood), s.Close()) }()
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

// write puts checkpoint.pt in place, after the best, which it mentions. A checkpoint
// that is kept beside it has its step's name too.
func (c *checkpoints) write(s *model.Snapshot, best, forGood bool) error {
	if best {
		if err := s.Save(filepath.Join(c.run.Dir, model.BestFile)); err != nil {
			return err
		}
	}
	path := filepath.Join(c.run.Dir, model.CheckpointFile)
	if err := s.Save(path); err != nil {
		return err
	}
	if c.run.Keep == 1 && !forGood {
		return nil
	}
	name := fmt.Sprintf(namedFile, s.Step)
	named, remove := filepath.Join(c.run.Dir, name), os.Remove
	if !c.folder.Has(name) { // the user's, or one for good of a run that went on from an earlier one
		remove = func(path string) error { return runfolder.SetAside(path) }
	}
	if err := remove(named); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if !forGood {
		if err := c.folder.Add(name); err != nil {
			return err
		}
	}
	if err := os.Link(path, named); err != nil {
		return fmt.Errorf("run.keep is %d and run.keep_every %d, which want a file system with hard links: %w", c.run.Keep, c.run.KeepEvery, err)
	}
	return c.prune(s.Step)
}

// namedFile is the name of a checkpoint that is kept beside the newest, with its step.
const namedFile = "checkpoint-%08d.pt"

// prune removes the named checkpoints that are too old to be kept. It leaves those that are
// kept for good and those that are the user's: the folder's record lists neither.
func (c *checkpoints) prune(newest int) error {
	entries, err := os.ReadDir(c.run.Dir)
	if err != nil {
		return err
	}
	var steps []int
	for _, e := range entries {
		var step int
		if _, err := fmt.Sscanf(e.Name(), namedFile, &step); err != nil || e.Name() != fmt.Sprintf(namedFile, step) {
			continue
		}
		good := c.run.KeepEvery > 0 && step%c.run.KeepEvery == 0 // whatever run.keep_every was when it was recorded
		if step <= newest && !good && c.folder.Has(e.Name()) {
			steps = append(steps, step)
		}
	}
	slices.Sort(steps)
	for _, old := range steps[:max(0, len(steps)-c.run.Keep)] {
		if err := os.Remove(filepath.Join(c.run.Dir, fmt.Sprintf(namedFile, old))); err != nil {
			return err
		}
	}
	return nil
}
