package stages

import (
	"context"

	"fmsr/model"
	"fmsr/pipeline"
)

// EMA keeps the moving average of the weights.
//
//	steps      -- 1 -------- 2 ------
//	           [ ema += (1-d)(w-ema)]
//	steps      -- 1 -------- 2 ------
type EMA struct {
	Decay float64 `yaml:"decay" flag:"ema-decay" doc:"weight of the old average at each step"`
	Ramp  string  `yaml:"ramp" flag:"ema-ramp" doc:"none, or linear for short runs: the decay is min(decay, (1+n)/(10+n)) at step n"`
}

func init() {
	pipeline.Register(pipeline.Declaration{
		Name: "ema",
		Doc: `Keeps the exponential moving average of the weights.

	steps      -- 1 -------- 2 ------
	           [ ema += (1-d)(w-ema)]
	steps      -- 1 -------- 2 ------

From step 1 on, starting at the initial weights, without bias correction. The trainer
updates the average together with the weights from its second step on: this stage
says how, and updates it after the first.`,
		Link:   pipeline.Link{Needs: pipeline.Steps},
		Config: func() any { return &EMA{Decay: 0.9999, Ramp: "none"} },
		New:    func(config any) pipeline.Stage { return &ema{EMA: *config.(*EMA)} },
	})
}

// Validate reports values that cannot be.
func (c *EMA) Validate(_ *pipeline.Run, report func(key, format string, args ...any)) {
	if c.Decay < 0 || c.Decay >= 1 {
		report("decay", "is %g: want 0 <= decay < 1", c.Decay)
	}
	if c.Ramp != "none" && c.Ramp != "linear" {
		report("ramp", "is %q: want none or linear", c.Ramp)
	}
}

type ema struct{ EMA }

// Open passes on what it receives.
func (e *ema) Open(_ context.Context, _ *pipeline.Env, in pipeline.Meta) (pipeline.Meta, error) {
	return in, nil
}

// Process asks the trainer for the average and passes the step on. The first time
// that updates the average; after that the trainer has updated it already, in the
// optimizer's pass over the weights.
func (e *ema) Process(ctx context.Context, in pipeline.Element) ([]pipeline.Element, error) {
	in.Retain()
	if step, ok := in.(*model.Step); ok {
		if err := step.Trainer.UpdateEMA(ctx, model.Averaging{Decay: e.Decay, Ramp: e.Ramp == "linear"}); err != nil {
			in.Release()
			return nil, err
		}
		step.Averaged = true
	}
	return []pipeline.Element{in}, nil
}

// Close has nothing to free.
func (e *ema) Close() error { return nil }
