package stages

import (
	"context"
	"fmt"

	"fmsr.example/fmsr/model"
	"fmsr.example/fmsr/pipeline"
)

// EMA keeps the moving average of the weights.
//
//	steps      -- 1 -------- 2 ------
//	           [ ema += (1-d)(w-ema)]
//	steps      -- 1 -------- 2 ------
type EMA struct {
	Decay float64 `yaml:"decay" min:"0" below:"1" flag:"ema-decay" doc:"weight of the old average at each step"`
	Ramp  string  `yaml:"ramp" oneof:"none|linear" flag:"ema-ramp" doc:"linear, for short runs: the decay is min(decay, (1+n)/(10+n)) at step n"`
}

func init() {
	pipeline.Register(pipeline.Declaration[EMA]{
		Name: "ema",
		Doc: `Keeps the exponential moving average of the weights.

	steps      -- 1 -------- 2 ------
	           [ ema += (1-d)(w-ema)]
	steps      -- 1 -------- 2 ------

The average starts at the initial weights and is updated in every step, without bias
correction. This stage sets the decay and makes the first update. From the second step
on, the trainer updates the average together with the weights.`,
		Link:    pipeline.Link{Needs: pipeline.Steps, Refuses: pipeline.Averaged | pipeline.Evaluated, Adds: pipeline.Averaged},
		Default: EMA{Decay: 0.9999, Ramp: "none"},
		New:     func(c *EMA) pipeline.Stage { return &ema{EMA: *c} },
	})
}

var _ pipeline.Processor = (*ema)(nil)

// AdviseFlow warns of an average that is mostly the initial weights at the end.
func (e *EMA) AdviseFlow(above []any, warn func(key, summary, detail string)) {
	const much = 0.1
	for _, c := range above {
		train, ok := c.(*Train)
		if !ok {
			continue
		}
		average, left := e.averaging(), 1.0
		for n := 1; n <= train.TotalSteps && left > much; n++ {
			left *= average.DecayAt(n)
		}
		if left > much {
			warn("decay", fmt.Sprintf("is %g: after %d steps the average is still %.3g%% initial weights", e.Decay, train.TotalSteps, 100*left), "set ramp to linear (--ema-ramp linear), or a smaller decay")
		}
	}
}

// Averages marks the config of a stage that averages the weights.
func (*EMA) Averages() {}

func (e *EMA) averaging() model.Averaging {
	return model.Averaging{Decay: e.Decay, Ramp: e.Ramp == "linear"}
}

type ema struct{ EMA }

// Open passes the Meta on.
func (e *ema) Open(_ context.Context, _ *pipeline.Env, in pipeline.Meta) (pipeline.Meta, error) {
	return in, nil
}

// Process asks the trainer for the average and passes the step on. The first call
// updates the average. From then on the trainer has already updated it, in the
// optimizer's pass over the weights.
func (e *ema) Process(ctx context.Context, in pipeline.Element) ([]pipeline.Element, error) {
	in.Retain()
	if step, ok := in.(*model.Step); ok {
		if err := step.Trainer.UpdateEMA(ctx, e.averaging()); err != nil {
			in.Release()
			return nil, err
		}
		step.Averaged = true
	}
	return []pipeline.Element{in}, nil
}

// Close has nothing to free.
func (e *ema) Close() error { return nil }
