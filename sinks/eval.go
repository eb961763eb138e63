package sinks

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"fmsr/internal/frames"
	"fmsr/internal/linear"
	"fmsr/internal/prep"
	"fmsr/internal/rng"
	"fmsr/internal/spectra"
	"fmsr/internal/torchx"
	"fmsr/model"
	"fmsr/pipeline"
)

// Eval samples the validation batch and compares it with the truth.
//
//	validation batches, steps   -- v1 -- 1 -- 2 -- ... -- 100 ----------
//	                            [ every log_every steps: sample, measure ]
//	steps                       -------- 1 -- 2 -- ... -- 100 + figures
type Eval struct {
	LogEvery    int     `yaml:"log_every" min:"1" flag:"log-every" doc:"steps between evaluations; the last step is always evaluated"`
	Batches     int     `yaml:"batches" min:"1" flag:"eval-batches" doc:"validation batches that are looked at"`
	SampleSteps int     `yaml:"sample_steps" min:"1" flag:"sample-steps" doc:"steps of a sampler"`
	Solver      string  `yaml:"solver" oneof:"euler|midpoint|heun|rk4|multistep" flag:"solver" doc:"of the ODE"`
	TMin        float64 `yaml:"t_min" min:"0" flag:"t-min-sample" doc:"where sampling starts"`
	TMax        float64 `yaml:"t_max" max:"1" flag:"t-max-sample" doc:"where sampling ends"`
	SDEDelta    float64 `yaml:"sde_delta" min:"0" flag:"sde-delta" doc:"strength of the SDE's noise; 0: no SDE samples"`
	SDESchedule string  `yaml:"sde_schedule" oneof:"constant|matched|quadratic" flag:"sde-schedule" doc:"w(t) of the SDE"`
	Linear      bool    `yaml:"linear" doc:"fit a linear filter to the training frames as a baseline"`
}

func init() {
	pipeline.Register(pipeline.Declaration[Eval]{
		Name: "eval",
		Doc: `Samples the validation frames and compares them with the truth.

	validation batches, steps   -- v1 -- 1 -- 2 -- ... -- 100 ----------
	                            [ every log_every steps: sample, measure ]
	steps                       -------- 1 -- 2 -- ... -- 100 + figures

Figures, in physical units: train/loss, the gradient norm before clipping, the share
of steps that were clipped and the number of those that were skipped; val/mse and val/mse_ema of the raw and the
averaged model's samples (and val/mse_sde); as baselines val/mse_lo of the bilinear
input and val/mse_linear of a 9x9 least-squares filter of the coarse field that it was
interpolated from, for each sub-pixel; val/band...
is the power in the band that pooling lost (N/2f <= k < N/2), over the truth's;
val/mse.../FIELD is one field's, and val/nmse... the mean over the fields of each
one's error over its variance. It warns when an SDE is stiff.
Pictures: samples, diffs and power spectra.`,
		Link: pipeline.Link{
			Needs: pipeline.Steps, Adds: pipeline.Evaluated,
			Wants: pipeline.Averaged, Without: "no samples or errors of the averaged model",
		},
		Default: Eval{LogEvery: 100, Batches: 1, SampleSteps: 100, Solver: string(model.Euler), TMin: 1e-4, TMax: 1 - 1e-4, SDESchedule: string(model.Constant), Linear: true},
		New:     func(c *Eval) pipeline.Stage { return &eval{Eval: *c} },
	})
}

var (
	_ pipeline.Processor = (*eval)(nil)
	_ pipeline.Fitter    = (*eval)(nil)
)

// Validate reports times that cannot be.
func (c *Eval) Validate(_ *pipeline.Run, report func(key, format string, args ...any)) {
	last := c.TMin + (c.TMax-c.TMin)*float64(c.SampleSteps-1)/float64(c.SampleSteps)
	switch {
	case !(c.TMin < c.TMax):
		report("t_min", "is %g: want less than t_max, which is %g", c.TMin, c.TMax)
	case c.SDEDelta > 0 && last >= 1:
		report("t_max", "is %g: the score is not defined at t = 1", c.TMax)
	}
}

// Advise warns of an SDE that is stiff at any usual number of steps.
func (c *Eval) Advise(_ *pipeline.Run, warn func(key, summary, detail string)) {
	if c.SDEDelta > 0 && c.SDESchedule == string(model.Constant) {
		warn("sde_delta", fmt.Sprintf("is %g, with the constant schedule, which is stiff near t = 1", c.SDEDelta), "set sde_schedule to matched or quadratic")
	}
}

func (c *Eval) sampler(f model.Flow, delta float64) model.Sampler {
	return model.Sampler{Flow: f, Solver: model.Solver(c.Solver), Steps: c.SampleSteps, TMin: c.TMin, TMax: c.TMax, Delta: delta, Schedule: model.Schedule(c.SDESchedule)}
}

type eval struct {
	Eval
	env    *pipeline.Env
	in     pipeline.Meta
	shells *spectra.Shells
	linear []*linear.Filter // one a field
	val    []*frames.Frames // normalized, held to the end of the run

	warned bool
}

// enoughCells is how many coarse cells of a field determine the linear filter's
// 82 weights well; a fit of that many takes a second or two.
const enoughCells = 1 << 19

// Open checks that there is something to compare with.
func (e *eval) Open(_ context.Context, env *pipeline.Env, in pipeline.Meta) (pipeline.Meta, error) {
	if in.Frames[frames.Val] == 0 {
		return in, fmt.Errorf("there are no validation frames: name some in npy_load.split, or set run.overfit")
	}
	e.env, e.in = env, in
	ly, lx := env.Run.Box()
	e.shells = spectra.NewShells(in.H, in.W, ly, lx)
	for range in.Channels {
		e.linear = append(e.linear, linear.New(in.Factor, env.Run.PeriodicBoundary()))
	}
	return in, nil
}

// FitKey is nil when no filter is wanted.
func (e *eval) FitKey() any {
	if !e.Linear {
		return nil
	}
	return struct { // which training frames come first, and are enough, is the seed's doing
		Grid pipeline.Grid
		Seed uint64
	}{e.env.Run.Grid, e.env.Run.Seed}
}

// Fit takes training frames in until they determine the filter.
func (e *eval) Fit(_ context.Context, in pipeline.Element) (bool, error) {
	f := in.(*frames.Frames)
	if f.Split() != frames.Train {
		return false, nil
	}
	e.coarse(f, func(i int, coarse []float32) {
		e.linear[i%len(e.linear)].Add(coarse, f.XHi()[i*f.H*f.W:][:f.H*f.W], f.H, f.W)
	})
	return e.linear[0].Cells() >= enoughCells, nil
}

// Fitted is the filters, solved.
func (e *eval) Fitted() (any, error) {
	for i, f := range e.linear {
		if err := f.Solve(); err != nil {
			return nil, fmt.Errorf("field %s: %w", e.in.Channels[i], err)
		}
	}
	return e.linear, nil
}

// Restore takes solved filters back.
func (e *eval) Restore(data []byte) error {
	var filters []*linear.Filter
	if err := json.Unmarshal(data, &filters); err != nil {
		return fmt.Errorf("linear filters: %w", err)
	}
	if len(filters) != len(e.linear) {
		return fmt.Errorf("linear filters of %d fields, want %d", len(filters), len(e.linear))
	}
	e.linear = filters
	return nil
}

// Process keeps validation batches and evaluates the steps that are due.
func (e *eval) Process(ctx context.Context, in pipeline.Element) ([]pipeline.Element, error) {
	switch in := in.(type) {
	case *frames.Frames:
		if len(e.val) < e.Batches {
			in.Retain()
			e.val = append(e.val, in)
		}
		return nil, nil
	case *model.Step:
		e.warnIfStiff(in)
		if in.N%e.LogEvery == 0 || in.Last() {
			if err := e.evaluate(ctx, in); err != nil {
				return nil, err
			}
		}
	}
	in.Retain()
	return []pipeline.Element{in}, nil
}

// warnIfStiff says once what the SDE will make of well-determined cells.
func (e *eval) warnIfStiff(step *model.Step) {
	if e.warned || e.SDEDelta == 0 {
		return
	}
	e.warned = true
	if warning := e.sampler(step.Trainer.Flow, e.SDEDelta).Stiff(); warning != "" {
		e.env.Progress.Note("%s", warning)
	}
}

// Close releases the validation frames.
func (e *eval) Close() error {
	for _, f := range e.val {
		f.Release()
	}
	e.val = nil
	return nil
}

// evaluate fills step.Eval.
func (e *eval) evaluate(ctx context.Context, step *model.Step) error {
	began := time.Now()
	c := newComparison(e.in.Channels, e.env.Run.Unit, e.in.Factor, e.shells)
	for i, batch := range e.val {
		var labels []string
		for _, o := range batch.Origins {
			labels = append(labels, o.String())
		}
		c.start(labels, e.physical(batch, frames.Floats(batch.Hi)))
		c.add(sourceLo, e.physical(batch, frames.Floats(batch.Lo)))
		if e.Linear {
			c.add(sourceLinear, e.physical(batch, e.filtered(batch)))
		}
		if err := e.sample(ctx, step, c, i, batch, sourceRaw); err != nil {
			return err
		}
		if step.Averaged {
			if err := e.sample(ctx, step, c, i, batch, sourceEMA); err != nil {
				return err
			}
		}
		if e.SDEDelta > 0 {
			if err := e.sample(ctx, step, c, i, batch, sourceSDE); err != nil {
				return err
			}
		}
		if err := step.Trainer.Do(ctx, c.measure); err != nil {
			return fmt.Errorf("spectra: %w", err)
		}
	}
	result := &model.Evaluation{Scalars: e.finite(step, append(trainScalars(step), c.scalars()...))}
	var err error
	if result.Pictures, err = c.pictures(); err != nil {
		return err
	}
	took := time.Since(began)
	result.Seconds = took.Seconds()
	e.env.Progress.Aside(took)
	step.Eval = result
	return nil
}

// trainScalars are the training's own figures; a step that was skipped has no loss.
func trainScalars(step *model.Step) []model.Scalar {
	var figures []model.Scalar
	if !step.Skipped() {
		figures = append(figures, model.Scalar{Name: "train/loss", Value: step.Loss}, model.Scalar{Name: "train/grad_norm", Value: step.GradNorm})
	}
	return append(figures, model.Scalar{Name: "train/lr", Value: step.LR}, model.Scalar{Name: "train/clipped", Value: clippedShare(step)},
		model.Scalar{Name: "train/skipped", Value: float64(step.Trainer.Skips.Total)})
}

// finite leaves out, and names, what is not: logs have no way to say it.
func (e *eval) finite(step *model.Step, figures []model.Scalar) []model.Scalar {
	var out []string
	figures = slices.DeleteFunc(figures, func(f model.Scalar) bool {
		bad := math.IsNaN(f.Value) || math.IsInf(f.Value, 0)
		if bad {
			out = append(out, f.Name)
		}
		return bad
	})
	if len(out) > 0 {
		e.env.Progress.Note("eval at step %d: not finite, and left out: %s", step.N, strings.Join(out, ", "))
	}
	return figures
}

// physical is normalized values in physical units.
func (e *eval) physical(batch *frames.Frames, values []float32) []float32 {
	out := make([]float32, len(values))
	cells := batch.H * batch.W
	for i := range out {
		channel := i / cells % len(e.in.Channels)
		out[i] = float32(float64(values[i])*e.in.Stats.Std[channel] + e.in.Stats.Mean[channel])
	}
	return out
}

// clippedShare is the share of the steps since the last evaluation whose gradient
// was clipped.
func clippedShare(step *model.Step) float64 {
	c := &step.Trainer.Clips // the token is here: nobody else looks at it
	share := float64(c.Total-c.AtEval) / float64(step.N-c.EvalStep)
	c.AtEval, c.EvalStep = c.Total, step.N
	return share
}

// filtered is the linear baseline's prediction, normalized.
func (e *eval) filtered(batch *frames.Frames) []float32 {
	out := make([]float32, batch.N()*batch.FrameLen())
	e.coarse(batch, func(i int, coarse []float32) {
		e.linear[i%len(e.linear)].Apply(out[i*batch.H*batch.W:][:batch.H*batch.W], coarse, batch.H, batch.W)
	})
	return out
}

// coarse calls do with the coarse plane of every plane of x_lo in turn.
func (e *eval) coarse(f *frames.Frames, do func(i int, coarse []float32)) {
	lo, cells := f.XLo(), f.H*f.W
	coarse := make([]float32, cells/(e.in.Factor*e.in.Factor))
	for i := range len(lo) / cells {
		prep.Coarse(coarse, lo[i*cells:][:cells], f.H, f.W, e.in.Factor, e.in.Periodic)
		do(i, coarse)
	}
}

// sample draws one sample of each frame of the i-th validation batch. Its noise
// is the same at every step, so that curves over steps show the model alone.
func (e *eval) sample(ctx context.Context, step *model.Step, c *comparison, i int, batch *frames.Frames, src source) error {
	tr := step.Trainer
	net, delta := tr.Net, 0.0
	if src != sourceRaw {
		net = tr.EMA
	}
	if src == sourceSDE {
		delta = e.SDEDelta
	}
	var out []float32
	err := tr.Do(ctx, func(s *torchx.Scope) error {
		torchx.NoGrad(func() {
			xLo := net.Input(s, batch.Lo.Bytes(), batch.N(), batch.H, batch.W)
			noise := func(s *torchx.Scope, k uint64) torchx.Tensor {
				seed := rng.Stream(tr.Seed, rng.EvalNoise, uint64(i), k)
				return s.To(s.Randn(seed, xLo.Shape()...), torchx.Float32, net.Device, net.Format)
			}
			x0 := tr.SampleBase(s, xLo, noise(s, 0))
			stepNoise := func(s *torchx.Scope, n int) torchx.Tensor { return noise(s, uint64(n)+1) }
			x := e.sampler(tr.Flow, delta).Sample(ctx, s, tr.Velocity(net, xLo), x0, xLo, stepNoise)
			out = s.Floats(x)
		})
		return s.Err()
	})
	if err != nil {
		return fmt.Errorf("sampling: %w", err)
	}
	c.add(src, e.physical(batch, out))
	return nil
}
