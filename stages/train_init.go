package stages

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"fmsr.example/fmsr/model"
)

// openInit reads the whole checkpoint that training starts from, if the spec names one
// and the run does not resume, and checks that the run's network can take its weights.
func (t *train) openInit(ctx context.Context) (err error) {
	if t.InitFrom == "" || t.env.Resume.From != "" || !t.env.Leads() { // the other ranks get rank 0's weights
		return nil
	}
	t.init, err = t.openWeights(ctx, "init_from", t.InitFrom)
	return err
}

// openWeights reads the whole checkpoint that a key names, and checks that the run's network
// can take its weights.
func (t *train) openWeights(ctx context.Context, key, path string) (l *model.Loaded, err error) {
	if _, err = model.Verify(ctx, path); err == nil {
		l, err = model.OpenCheckpoint(path)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", key, err)
	}
	if err = t.checkFields(l); err == nil {
		err = l.CheckInit(t.config)
	}
	if err != nil {
		l.Close()
		return nil, fmt.Errorf("%s: %s: %w", key, path, err)
	}
	return l, nil
}

// checkFields returns an error unless the checkpoint's fields are the run's, in order.
func (t *train) checkFields(l *model.Loaded) error {
	if slices.Equal(l.Channels, t.in.Channels) {
		return nil
	}
	return fmt.Errorf("its fields are %s, the run's are %s: want the same in the same order", strings.Join(l.Channels, ", "), strings.Join(t.in.Channels, ", "))
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
