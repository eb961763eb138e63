package sinks

import (
	"context"

	"fmsr.example/fmsr/internal/evaluate"
	"fmsr.example/fmsr/model"
	"fmsr.example/fmsr/pipeline"
)

// stepSink is the common part of sinks of evaluated steps. A sink embeds it, and sets
// on in Open; with curve set, on gets the steps of the learning curve too.
//
//	steps   -- 1 -- ... -- 100 + figures --
//	        [       on(step 100)           ]
//	steps   -- 1 -- ... -- 100 ------------
type stepSink struct {
	on    func(step *model.Step) error
	curve bool
}

// Process calls on with a step that is due, and passes every step on.
func (s *stepSink) Process(_ context.Context, in pipeline.Element) ([]pipeline.Element, error) {
	if step, ok := in.(*model.Step); ok && (step.Eval != nil || s.curve && step.Line) {
		if err := s.on(step); err != nil {
			return nil, err
		}
	}
	in.Retain()
	return []pipeline.Element{in}, nil
}

// Close has nothing to free.
func (s *stepSink) Close() error { return nil }

// curveHelp says what the figures of a step that has a line are.
const curveHelp = `At every train.print_every steps, at evaluations and at the last step: train/loss and
train/grad_norm (before clipping), means over the steps since the last line; train/lr;
train/clipped, the share of those steps whose gradient was clipped; and train/skipped,
the number of skipped steps so far. train/loss is train.loss_scale times the mean over the
fields, weighted by train.channel_weights. With train.loss_parts also the mean loss of each
field, without its weight, as train/loss/Bx; and of the samples with t in each tenth of 0 to
1, as train/loss_t/0.0-0.1.`

// speedName is the name of Step.Speed in logs. It depends on the clock, and is not in
// metrics.jsonl.
const speedName = "time/frames_per_s"

// scalars returns the figures of a step that has a line: the training's own and, if it
// was evaluated, the evaluation's.
func scalars(step *model.Step) (figures []evaluate.Scalar) {
	add := func(name string, value float64) {
		figures = append(figures, evaluate.Scalar{Name: "train/" + name, Value: evaluate.Figure(value)})
	}
	w := step.Trainer.Window
	loss, norm := w.Mean()
	add("loss", loss)
	add("grad_norm", norm)
	add("lr", step.LR)
	add("clipped", float64(w.Clipped)/float64(w.Taken))
	add("skipped", float64(step.Trainer.Skips.Total))
	for _, part := range step.Trainer.LossParts() {
		add(part.Name, part.Value)
	}
	figures, _ = evaluate.Finite(figures) // there is no loss if all were skipped
	if step.Eval != nil {
		figures = append(figures, step.Eval.Scalars...)
	}
	return figures
}
