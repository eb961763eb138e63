package model

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"fmsr.example/fmsr/internal/format/torchfile"
	"fmsr.example/fmsr/internal/torchx"
)

// Skips counts the steps whose loss or gradient was not finite.
type Skips struct {
	Total  int // of all steps
	InARow int // up to the last step
}

// Window sums up the steps since the last line of the learning curve.
type Window struct {
	Taken, Skipped, Clipped int       // all steps; those that were skipped; those whose gradient was clipped
	Loss, GradNorm          float64   // sums over the steps that were not skipped
	Parts                   []float64 // sums of the parts of the loss; nil: there are none
}

// add adds a step with the parts of its loss, whose gradient is clipped to a norm.
func (w *Window) add(r Result, parts []float64, clip float64) {
	w.Taken++
	if r.Skipped() {
		w.Skipped++
		return
	}
	w.Loss += r.Loss
	w.GradNorm += r.GradNorm
	if w.Parts == nil && len(parts) > 0 {
		w.Parts = make([]float64, len(parts))
	}
	for i, v := range parts {
		w.Parts[i] += v
	}
	if r.GradNorm > clip {
		w.Clipped++
	}
}

// Mean returns the mean loss and gradient norm of the steps that were not skipped, NaN
// if there are none.
func (w *Window) Mean() (loss, norm float64) {
	n := float64(w.Taken - w.Skipped)
	return w.Loss / n, w.GradNorm / n
}

// Best is the evaluation whose figure was the least.
type Best struct {
	Figure string // its name, as val/mse_ema
	Value  float64
	Step   int
}

// resumption is the state, besides weights, average and moments, that a run needs to
// resume exactly. It has no state of a random generator: the draws of step n are a
// function of the seed and n.
type resumption struct {
	Position
	frames int // number of training frames
	last   Result
	skips  Skips
	window Window
	ends   int // Hyper.Ends
	best   Best

	average *Averaging // the trainer's; nil: none yet
}

func (r resumption) dict() torchfile.Dict {
	window := torchfile.Dict{
		{Key: "taken", Value: r.window.Taken}, {Key: "skipped", Value: r.window.Skipped}, {Key: "clipped", Value: r.window.Clipped},
		{Key: "loss", Value: r.window.Loss}, {Key: "grad_norm", Value: r.window.GradNorm},
	}
	if r.window.Parts != nil {
		window = append(window, torchfile.Entry{Key: "parts", Value: doubleTensor(r.window.Parts, int64(len(r.window.Parts)))})
	}
	d := torchfile.Dict{
		{Key: "averaged", Value: r.Averaged}, {Key: "passed", Value: r.Passed}, {Key: "frames", Value: r.frames},
		{Key: "loss", Value: r.last.Loss}, {Key: "grad_norm", Value: r.last.GradNorm}, {Key: "lr", Value: r.last.LR},
		{Key: "skipped", Value: r.skips.Total}, {Key: "skipped_in_a_row", Value: r.skips.InARow},
		{Key: "window", Value: window},
	}
	if r.ends > 0 {
		d = append(d, torchfile.Entry{Key: "lr_ends", Value: r.ends})
	}
	if r.average != nil {
		d = append(d, torchfile.Dict{{Key: "ema_decay", Value: r.average.Decay}, {Key: "ema_ramp", Value: r.average.Ramp}}...)
	}
	if r.best.Figure != "" {
		d = append(d, torchfile.Dict{{Key: "best_figure", Value: r.best.Figure}, {Key: "best", Value: r.best.Value}, {Key: "best_step", Value: r.best.Step}}...)
	}
	return d
}

// resumption reads the key "resume".
func (l *Loaded) resumption() (r resumption, err error) {
	r.Step = l.Step
	dict, ok := l.file.Root.Get("resume").(*torchfile.Map)
	if !ok {
		return r, errors.New("it has weights, but not the state that a run resumes from (the key resume)")
	}
	for key, into := range map[string]*bool{"averaged": &r.Averaged, "passed": &r.Passed} {
		if *into, ok = dict.Get(key).(bool); !ok {
			return r, fmt.Errorf("resume.%s is %s: want true or false", key, torchfile.What(dict.Get(key)))
		}
	}
	for key, into := range map[string]*float64{"loss": &r.last.Loss, "grad_norm": &r.last.GradNorm, "lr": &r.last.LR} {
		if *into, ok = dict.Get(key).(float64); !ok {
			return r, fmt.Errorf("resume.%s is %s: want a number", key, torchfile.What(dict.Get(key)))
		}
	}
	for key, into := range map[string]*int{"frames": &r.frames, "skipped": &r.skips.Total, "skipped_in_a_row": &r.skips.InARow} {
		n, ok := dict.Get(key).(int64)
		if !ok {
			return r, fmt.Errorf("resume.%s is %s: want a whole number", key, torchfile.What(dict.Get(key)))
		}
		*into = int(n)
	}
	for key, into := range map[string]*int{"lr_ends": &r.ends, "best_step": &r.best.Step} {
		if _, err := value(l, dict, "resume.", key, into); err != nil {
			return r, err
		}
	}
	if _, err := value(l, dict, "resume.", "best_figure", &r.best.Figure); err != nil {
		return r, err
	}
	if _, err := value(l, dict, "resume.", "best", &r.best.Value); err != nil {
		return r, err
	}
	var average Averaging
	there, err := value(l, dict, "resume.", "ema_decay", &average.Decay)
	if there && err == nil {
		r.average = &average
		_, err = value(l, dict, "resume.", "ema_ramp", &average.Ramp)
	}
	if err != nil {
		return r, err
	}
	return r, l.readWindow(dict, &r.window)
}

// readWindow reads the window. An older fmsr had none: the learning curve's next line is
// then of the steps to come.
func (l *Loaded) readWindow(resume *torchfile.Map, w *Window) error {
	given := resume.Get("window")
	if given == nil {
		return nil
	}
	dict, ok := given.(*torchfile.Map)
	if !ok {
		return fmt.Errorf("resume.window is %s: want a dict", torchfile.What(given))
	}
	for key, into := range map[string]*int{"taken": &w.Taken, "skipped": &w.Skipped, "clipped": &w.Clipped} {
		if _, err := value(l, dict, "resume.window.", key, into); err != nil {
			return err
		}
	}
	for key, into := range map[string]*float64{"loss": &w.Loss, "grad_norm": &w.GradNorm} {
		if _, err := value(l, dict, "resume.window.", key, into); err != nil {
			return err
		}
	}
	if dict.Get("parts") == nil {
		return nil
	}
	var err error
	w.Parts, err = l.numbers(dict, "resume.window", "parts")
	return err
}

// Position returns how far the training had come when the checkpoint was written. It
// returns an error if no training can resume from the file.
func (l *Loaded) Position() (Position, error) {
	r, err := l.resumption()
	return r.Position, err
}

// CheckTraining returns an error unless the checkpoint has the state from which a
// network of that shape resumes: weights, average and moments, by name and shape. Its
// config must be that of the training and of the inputs.
func (l *Loaded) CheckTraining(c Config, h Hyper, in Input) error {
	if d := l.Differences(c, h.Flow, in); d != nil {
		return errors.New(strings.Join(d, "; "))
	}
	r, err := l.resumption()
	if err == nil && r.window.Parts != nil && len(r.window.Parts) != h.partCount() {
		return fmt.Errorf("its resume.window.parts are %d, want %d", len(r.window.Parts), h.partCount())
	}
	if err == nil && r.ends != h.Ends() {
		return fmt.Errorf("its learning rate fell until step %d (train.total_steps), and now falls until step %d: a run with lr_schedule keeps its length", r.ends, h.Ends())
	}
	_, err = l.training(c)
	return err
}

// Differences lists what the checkpoint was trained with and what differs now.
func (l *Loaded) Differences(c Config, f Flow, in Input) (all []string) {
	for _, x := range []struct {
		key      string
		was, now any
	}{
		{"objective", l.Flow.Objective, f.Objective},
		{"map_steps", l.Flow.Map.Most, f.Map.Most}, {"teacher (digest of its weights)", l.Flow.Map.Teacher, f.Map.Teacher},
		{"base_dist", l.Flow.Base, f.Base}, {"base_noise_scale", l.Flow.NoiseScale, f.NoiseScale}, {"base_noise", l.describe(l.Flow.Noise), l.describe(f.Noise)}, {"periodic padding", l.Config.Periodic, c.Periodic},
		{"factor", l.Input.Factor, in.Factor}, {"periodic interpolation", l.Input.Periodic, in.Periodic},
	} {
		if x.was != x.now {
			all = append(all, fmt.Sprintf("its %s was %v, and the run's is %v", x.key, x.was, x.now))
		}
	}
	return all
}

// trainingKeys are the state dicts that a run resumes from. emaKey is missing if no ema
// stage averages the weights. The last two are in optimizer_state.
var trainingKeys = [4]string{rawKey, emaKey, "exp_avg", "exp_avg_sq"}

func (l *Loaded) training(c Config) (states [4]*torchfile.Map, err error) {
	optimizer, ok := l.file.Root.Get("optimizer_state").(*torchfile.Map)
	if !ok {
		return states, errors.New("it has no optimizer_state")
	}
	plan, err := Plan(c)
	if err != nil {
		return states, err
	}
	for i, dict := range []*torchfile.Map{l.file.Root, l.file.Root, optimizer, optimizer} {
		if trainingKeys[i] == emaKey && !l.Averaged {
			continue
		}
		if states[i], err = stateOf(dict, trainingKeys[i]); err != nil {
			return states, err
		}
		if err := l.check(plan.Params(), trainingKeys[i], states[i]); err != nil {
			return states, err
		}
	}
	return states, nil
}

// lists returns the trainer's tensors under trainingKeys.
func (t *Trainer) lists() [4][]torchx.Tensor {
	return [4][]torchx.Tensor{Tensors(t.Net), Tensors(t.EMA), t.m, t.v}
}

// Restore sets the trainer to the state in the checkpoint, bit for bit: weights,
// average, moments and step.
func (t *Trainer) Restore(ctx context.Context, l *Loaded) error {
	r, err := l.resumption()
	if err != nil {
		return err
	}
	states, err := l.training(t.Net.Config())
	if err != nil {
		return err
	}
	err = t.Do(ctx, func(s *torchx.Scope) (err error) {
		torchx.NoGrad(func() {
			for i, into := range t.lists() {
				if states[i] == nil { // no average: the flow keeps none
					continue
				}
				if err = l.fill(t.Net.Params(), into, trainingKeys[i], states[i]); err != nil {
					return
				}
			}
			s.Copy(t.report, s.NewReport(t.Net.Config().Device, l.Step-r.skips.Total))
		})
		return err
	})
	if err != nil {
		return err
	}
	t.Position, t.Last, t.Skips, t.Window, t.Best = r.Position, r.last, r.skips, r.window, r.best
	t.average = r.average // the next Update averages too: UpdateEMA by itself may round otherwise
	return nil
}

// CheckInit returns an error unless a network of that shape can start from the
// checkpoint's weights. The padding may differ, and a flow map can start from its teacher.
func (l *Loaded) CheckInit(c Config) error {
	plan, err := Plan(c)
	if err != nil {
		return err
	}
	was := l.Config
	c = plan.Config() // with every default
	if was.Spans {
		return errors.New("it is a flow map, a student itself: want a model trained with objective flow")
	}
	if was.Network != c.Network || was.Channels != c.Channels || !slices.Equal(was.Mult, c.Mult) {
		return fmt.Errorf("its network is %s, model_channels %d, channel_mult %v; the run's is %s, %d, %v", was.Network, was.Channels, was.Mult, c.Network, c.Channels, c.Mult)
	}
	return nil
}

// Init sets the weights, and their average, to those of a checkpoint under key. A flow map
// keeps the embedding of its second time.
func (t *Trainer) Init(ctx context.Context, l *Loaded, key string) error {
	state, err := l.state(key)
	params := t.Net.Params()[:len(l.Plan.Params())]
	if err == nil {
		err = l.check(params, key, state)
	}
	if err != nil {
		return err
	}
	return t.Do(ctx, func(*torchx.Scope) (err error) {
		torchx.NoGrad(func() {
			if err = l.fill(params, Tensors(t.Net), key, state); err == nil {
				err = l.fill(params, Tensors(t.EMA), key, state)
			}
		})
		return err
	})
}
