package stages

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"fmsr.example/fmsr/internal/torchx"
	"fmsr.example/fmsr/model"
)

// teacher is the checkpoint that a flow map is distilled from.
type teacher struct {
	*model.Loaded
	key    string // of its weights
	digest string // of these
}

// openTeacher reads the whole checkpoint of the teacher, if the objective has one, and checks
// that the run's network can learn from it.
func (t *train) openTeacher(ctx context.Context) error {
	if t.TrainedFor() != model.FlowMap {
		return nil
	}
	if t.Teacher == "" {
		return errors.New("teacher is not set: objective flow_map distils a trained model; name its checkpoint, or its run's folder, by --teacher")
	}
	l, err := t.openWeights(ctx, "teacher", t.Teacher)
	if err != nil {
		return err
	}
	t.teacher = &teacher{Loaded: l}
	t.teacher.key, _ = l.StateKey("ema")
	if err = t.checkTeacher(l); err == nil {
		t.teacher.digest, err = l.Digest(t.teacher.key)
	}
	if err != nil {
		return fmt.Errorf("teacher: %s: %w", t.Teacher, err)
	}
	l.Config.Boundary = t.config.Boundary
	return nil
}

// checkTeacher returns an error unless the student can have the teacher's inputs and base
// distribution.
func (t *train) checkTeacher(l *model.Loaded) error {
	flow := t.flow()
	flow.Objective, flow.Map = model.FlowMatching, model.Distilled{}
	if d := l.Differences(t.config, flow, t.input()); d != nil {
		return fmt.Errorf("%s: a student is trained as its teacher was", strings.Join(d, "; "))
	}
	return nil
}

// teach gives the new trainer its teacher, whose statistics must be the run's.
func (t *train) teach(ctx context.Context) error {
	if t.teacher == nil {
		return nil
	}
	err := t.teacher.CheckStats(t.in.Stats)
	if err == nil {
		err = t.trainer.Do(ctx, func(s *torchx.Scope) error {
			net, err := t.teacher.Net(s, t.teacher.key, t.config.Device)
			if err == nil {
				t.trainer.Teacher = model.NewInference(net, t.UseBF16)
			}
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("teacher: %s: %w", t.Teacher, err)
	}
	return nil
}

// imitate starts the student from its teacher's weights.
func (t *train) imitate(ctx context.Context) error {
	if err := t.trainer.Init(ctx, t.teacher.Loaded, t.teacher.key); err != nil {
		return fmt.Errorf("teacher: %s: %w", t.Teacher, err)
	}
	t.env.Progress.Note("distilling %s, step %d (%s), to samples of %s evaluations", t.Teacher, t.teacher.Step, t.teacher.key, t.trainer.Map.Takes())
	return nil
}
