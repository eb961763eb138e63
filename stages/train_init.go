package stages

import (
	"context"
	"fmt"

	"fmsr.example/fmsr/model"
)

// openInit reads the whole checkpoint that training starts from, if the spec names one
// and the run does not resume, and checks that the run's network can take its weights.
func (t *train) openInit(ctx context.Context) (err error) {
	if t.InitFrom == "" || t.env.Resume.From != "" || !t.env.Leads() { // the other ranks get rank 0's weights
		return nil
	}
	if _, err := model.Verify(ctx, t.InitFrom); err != nil {
		return fmt.Errorf("init_from: %w", err)
	}
	if t.init, err = model.OpenCheckpoint(t.InitFrom); err != nil {
		return fmt.Errorf("init_from: %w", err)
	}
	if err = t.checkFields(t.init); err == nil {
		err = t.init.CheckInit(t.config)
	}
	if err != nil {
		t.init.Close()
		t.init = nil
		return fmt.Errorf("init_from: %s: %w", t.InitFrom, err)
	}
	return nil
}

// start gives the new trainer the weights of the checkpoint that training starts from.
func (t *train) start(ctx context.Context) error {
	key, notice := t.init.StateKey("ema")
	if notice != "" {
		t.env.Progress.Note("%s", notice)
	}
	if err := t.trainer.Init(ctx, t.init, key); err != nil {
		return fmt.Errorf("init_from: %s: %w", t.InitFrom, err)
	}
	for _, d := range t.init.Differences(t.config, t.trainer.Flow, t.input()) {
		t.env.Progress.Note("warning: %s was trained otherwise: %s", t.InitFrom, d)
	}
	t.env.Progress.Note("starting from the weights of step %d of %s (%s)", t.init.Step, t.InitFrom, key)
	err := t.init.Close()
	t.init = nil
	return err
}
