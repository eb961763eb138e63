package sinks

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/apache/arrow/go/v15/arrow"

	"fmsr.example/fmsr/internal/display"
	"fmsr.example/fmsr/internal/evaluate"
	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/rng"
	"fmsr.example/fmsr/internal/torchx"
	"fmsr.example/fmsr/internal/words"
	"fmsr.example/fmsr/model"
	"fmsr.example/fmsr/pipeline"
)

// Eval samples the first validation frames and compares it with the truth.
//
//	validation batches, steps   -- v1 -- 1 -- 2 -- ... -- 100 ----------
//	                            [ every log_every steps: sample, measure ]
//	steps                       -------- 1 -- 2 -- ... -- 100 + figures
type Eval struct {
	LogEvery int `yaml:"log_every" min:"1" flag:"log-every" doc:"steps between evaluations; the last step is always evaluated"`
	Frames   int `yaml:"frames" min:"1" flag:"eval-frames" doc:"validation frames that are sampled, the first ones, or all if there are fewer"`
	model.SamplerConfig
	Linear bool `yaml:"linear" doc:"compare with the linear filter that train has fitted to the training frames"`
	MapScale
}

func init() {
	pipeline.Register(pipeline.Declaration[Eval]{
		Name: "eval",
		Doc: `Samples the first validation frames and compares them with the truth.

	validation batches, steps   -- v1 -- 1 -- 2 -- ... -- 100 ----------
	                            [ every log_every steps: sample, measure ]
	steps                       -------- 1 -- 2 -- ... -- 100 + figures

Metrics, in physical units, as val/NAME, the mean over the fields:

` + evaluate.Standard.Help(evaluate.Logs) + `
A suffix names the source: val/mse is of samples of the raw model, val/mse_ema of the
averaged model, val/mse_sde of the averaged model's SDE, val/mse_lo of the bilinear
input, and val/mse_linear of a least-squares filter of 9x9 coarse cells with weights for
each sub-pixel; with constraints, val/mse_lo_projected and val/mse_linear_projected are of
these two, projected. val/mse/FIELD is the error of one field. A warning says so if the SDE is
stiff.

Pictures: samples and diffs, with the error (root mean square over the truth's deviation)
and the correlation below each map, and the cells where the input lacks most of the truth
enlarged; and power spectra, with the spread of P over the truth's over frames.`,
		Link: pipeline.Link{
			Needs: pipeline.Steps, Adds: pipeline.Evaluated,
			Wants: pipeline.Averaged, Without: "no samples or errors of the averaged model, by ODE or SDE",
		},
		Default: Eval{
			LogEvery: 100, Frames: 4, Linear: true, SamplerConfig: usualSampler, MapScale: usualMaps,
		},
		New: func(c *Eval) pipeline.Stage { return &eval{Eval: *c} },
	})
}

var usualSampler = model.SamplerConfig{
	SampleSteps: 100, Solver: string(model.Euler), TMin: 1e-4, TMax: 1 - 1e-4, SDESchedule: string(model.Constant), ConstraintConfig: model.DefaultConstraints(),
}

var (
	_ pipeline.Processor  = (*eval)(nil)
	_ pipeline.Forecaster = (*eval)(nil)
)

// Validate reports a sampler that cannot be.
func (c *Eval) Validate(_ *pipeline.Run, report func(key, format string, args ...any)) {
	c.SamplerConfig.Validate(report)
}

// Advise warns of an SDE that is stiff.
func (c *Eval) Advise(_ *pipeline.Run, warn func(key, summary, detail string)) {
	c.SamplerConfig.Advise(model.Constant, warn)
}

// AdviseFlow warns of sampling at times that the training leaves out, and of keys that do
// nothing with its objective.
func (c *Eval) AdviseFlow(above []any, warn func(key, summary, detail string)) {
	batch, averaged := 0, false
	for _, config := range above {
		if b, ok := config.(interface{ BatchSize() int }); ok {
			batch = b.BatchSize()
		}
		_, average := config.(interface{ Averages() })
		averaged = averaged || average
	}
	for _, config := range above {
		train, ok := config.(training)
		if ok {
			c.adviseBest(train.BestFigure(), averaged, warn)
			c.adviseCost(train.SamplesAStep(batch), averaged, train.MostEvaluations(), warn)
		}
		switch {
		case !ok:
		case train.TrainedFor().OneEvaluation():
			for _, key := range c.Idle(usualSampler) {
				warn(key, fmt.Sprintf("does nothing: train.objective is %s, whose samples take one evaluation", train.TrainedFor()), "leave it out")
			}
		case train.TrainedFor() == model.FlowMap:
			own := usualSampler
			own.SampleSteps = c.SampleSteps
			for _, key := range c.Idle(own) {
				warn(key, fmt.Sprintf("does nothing: train.objective is %s, which has steps of its own", train.TrainedFor()), "leave it out")
			}
		default:
			if warning := c.Beyond(train.Times()); warning != "" {
				warn("t_min", "is "+fmt.Sprint(c.TMin)+": "+warning, "set t_min and t_max of train and eval alike")
			}
		}
	}
}

// training is the config of the trainer above.
type training interface {
	Times() (from, to float64)
	TrainedFor() model.Objective
	SamplesAStep(batch int) int
	MostEvaluations() int
	BestFigure() string
}

// adviseBest warns of a figure, by which the best checkpoint is to be kept, that is not made.
func (c *Eval) adviseBest(figure string, averaged bool, warn func(key, summary, detail string)) {
	switch {
	case strings.Contains(figure, "_ema") && !averaged:
		warn("", fmt.Sprintf("makes no figure %s, by which train.best keeps the best checkpoint: no stage averages the weights", figure), "put ema above it, or name another figure")
	case strings.Contains(figure, "_sde") && (c.SDEDelta == 0 || !averaged):
		warn("sde_delta", fmt.Sprintf("makes no figure %s, by which train.best keeps the best checkpoint: that takes sde_delta above 0, and ema", figure), "name another figure")
	}
}

// muchCost is how many times as long as the training between two evaluations an evaluation may
// take without a warning.
const muchCost = 3

// adviseCost warns of evaluations that take most of the run.
func (c *Eval) adviseCost(samplesAStep int, averaged bool, most int, warn func(key, summary, detail string)) {
	if samplesAStep == 0 {
		return
	}
	cost := float64(c.Frames*c.evaluations(averaged, most)) / float64(model.StepsOfForward*samplesAStep*c.LogEvery)
	if cost > muchCost {
		warn("log_every", fmt.Sprintf("is %d: an evaluation takes about %.2g times as long as the training between two of them", c.LogEvery, cost), "set more, or fewer sample_steps or frames")
	}
}

// evaluations returns how often an evaluation takes the network for each frame, if a sample
// takes so many at most; 0: any number.
func (c *Eval) evaluations(averaged bool, most int) int {
	each := func(delta float64) int {
		n := c.sampling(delta).Sampler(model.Flow{}).Evaluations()
		if most > 0 {
			return min(n, most)
		}
		return n
	}
	switch {
	case !averaged:
		return each(0)
	case c.SDEDelta > 0 && most == 0:
		return 2*each(0) + each(c.SDEDelta)
	default:
		return 2 * each(0)
	}
}

// sampling returns the sampler's keys with another strength of the SDE's noise.
func (c *Eval) sampling(delta float64) model.SamplerConfig {
	sampler := c.SamplerConfig
	sampler.SDEDelta = delta
	return sampler
}

type eval struct {
	Eval
	env     *pipeline.Env
	in      pipeline.Meta
	val     []*frames.Frames // normalized, held until the run ends
	held    int              // frames in val
	kernels evaluate.Kernels

	constraints  field.Constraints // of samples
	contradicted bool              // by a frame's averages, and said so

	warned bool
}

// Open checks that there are validation frames.
func (e *eval) Open(_ context.Context, env *pipeline.Env, in pipeline.Meta) (pipeline.Meta, error) {
	if in.Frames[frames.Val] == 0 {
		return in, fmt.Errorf("there are no validation frames: name some in npy_load.split, or set run.overfit")
	}
	e.env, e.in = env, in
	var err error
	if e.constraints, err = e.Of(in.Channels, in.Grid); err != nil {
		return in, err
	}
	e.kernels, err = kernels(in.Grid, in.Factor)
	return in, err
}

// Process keeps validation frames and evaluates the steps that are due.
func (e *eval) Process(ctx context.Context, in pipeline.Element) ([]pipeline.Element, error) {
	switch in := in.(type) {
	case *frames.Frames:
		if n := min(in.N(), e.Frames-e.held); n > 0 {
			e.val = append(e.val, in.First(n))
			e.held += n
		}
		return nil, nil
	case *model.Step:
		e.warnIfStiff(in)
		if in.N%e.LogEvery == 0 || in.Last() {
			if err := in.Settle(ctx); err != nil {
				return nil, err
			}
			if err := e.evaluate(ctx, in); err != nil {
				return nil, err
			}
		}
	}
	in.Retain()
	return []pipeline.Element{in}, nil
}

// warnIfStiff warns once if the SDE makes well-determined cells too noisy.
func (e *eval) warnIfStiff(step *model.Step) {
	if e.warned || e.SDEDelta == 0 {
		return
	}
	e.warned = true
	if warning := e.sampling(e.SDEDelta).Sampler(step.Trainer.Flow).Stiff(); warning != "" {
		e.env.Progress.Note("%s", warning)
	}
}

// Forecast adds the time of the evaluations, which is that of the network.
func (e *eval) Forecast(f *pipeline.Forecast) {
	first := f.From/e.LogEvery + 1
	times := max(0, f.To/e.LogEvery-first+1)
	if f.To%e.LogEvery != 0 {
		times++ // the last step
	}
	samples := min(e.Frames, e.in.Frames[frames.Val])
	if f.Work == 0 || times == 0 {
		return
	}
	work := samples * e.evaluations(e.env.Ends&pipeline.Averaged != 0, f.Most)
	each := f.Work * time.Duration(work)
	f.Time(each*time.Duration(times), "%s of about %.3g s (%s, %s of the network)", words.Count(times, "evaluation"), each.Seconds(), words.Count(samples, "frame"), words.Count(work, "evaluation"))
}

// Close releases the validation frames.
func (e *eval) Close() error {
	for _, f := range e.val {
		f.Release()
	}
	e.val = nil
	return nil
}

// evaluate compares the validation frames with the truth and fills step.Eval. Ranks share
// the sampling; rank 0 alone measures.
func (e *eval) evaluate(ctx context.Context, step *model.Step) error {
	e.env.Ranks.Doing(step.N, "an evaluation")
	defer e.env.Ranks.Stepped(step.N, true)
	if !e.env.Leads() {
		return e.assist(ctx, step)
	}
	began := time.Now()
	e.env.Progress.Part(display.Work{Name: "evaluating"})
	defer e.env.Progress.Part(display.Work{})
	c := evaluate.New(evaluate.Standard, e.in.Channels, e.in.Grid, e.in.Factor, e.kernels)
	for _, batch := range e.val {
		if err := e.compare(ctx, step, c, batch); err != nil {
			return err
		}
	}
	figures := c.Figures()
	scalars, left := evaluate.Finite(figures.Scalars())
	if len(left) > 0 {
		e.env.Progress.Note("eval at step %d: not finite, and left out: %s", step.N, strings.Join(left, ", "))
	}
	pictures, err := c.Pictures(e.drawing(e.env.Run.Unit))
	if err != nil {
		return err
	}
	tiles, err := c.Tiles()
	if err != nil {
		return err
	}
	took := time.Since(began)
	e.env.Progress.Aside(took)
	step.Eval = &evaluate.Evaluation{
		Frames: c.Truth.Frames, Scalars: scalars, Figures: figures, Pictures: pictures, Tiles: tiles,
		Record: c.Record(e.env.Run.Unit), Seconds: took.Seconds(),
	}
	return nil
}

// assist draws the samples of this rank's frames for rank 0. Its evaluation has no figures.
func (e *eval) assist(ctx context.Context, step *model.Step) error {
	first := 0
	for _, batch := range e.val {
		for _, s := range e.samplers(step) {
			if _, err := e.samples(ctx, step.Trainer, first, batch, s); err != nil {
				return err
			}
		}
		first += batch.N()
	}
	step.Eval = &evaluate.Evaluation{Frames: first}
	return nil
}

// compare adds a batch of validation frames to the comparison: the truth, the
// baselines and samples.
func (e *eval) compare(ctx context.Context, step *model.Step, c *evaluate.Comparison, batch *frames.Frames) error {
	first := c.Truth.Frames
	var labels []string
	for _, o := range batch.Origins {
		labels = append(labels, fmt.Sprintf("seed %d, %s", o.Seed, o.Label()))
	}
	if err := c.Start(labels, e.physical(batch, frames.Floats(batch.Hi))); err != nil {
		return err
	}
	if err := e.addBaselines(c, batch); err != nil {
		return err
	}
	for _, s := range e.samplers(step) {
		out, err := e.samples(ctx, step.Trainer, first, batch, s)
		if err != nil {
			return err
		}
		if err := c.Add(s.source, out); err != nil {
			return err
		}
	}
	return nil
}

// sampler is one way to draw samples at a step.
type sampler struct {
	source evaluate.Source
	ema    bool    // by the averaged model
	delta  float64 // sde_delta; 0: the ODE
}

// samplesOf names the samples of the raw and of the averaged model.
var samplesOf = map[model.Objective]struct{ raw, average evaluate.Source }{
	model.FlowMatching: {evaluate.ODE, evaluate.ODEEMA},
	model.Regression:   {evaluate.Regression, evaluate.RegressionEMA},
	model.CRPS:         {evaluate.CRPS, evaluate.CRPSEMA},
	model.FlowMap:      {evaluate.ODE, evaluate.ODEEMA},
}

// samplers returns the ways to draw samples at this step.
func (e *eval) samplers(step *model.Step) []sampler {
	objective := step.Trainer.Objective
	sources := samplesOf[objective]
	all := []sampler{{source: sources.raw}}
	if step.Averaged { // else the average has its initial weights
		all = append(all, sampler{source: sources.average, ema: true})
		if e.SDEDelta > 0 && objective == model.FlowMatching {
			all = append(all, sampler{evaluate.SDEEMA, true, e.SDEDelta})
		}
	}
	return all
}

// physical returns normalized values (N,C,H,W) in physical units.
func (e *eval) physical(batch *frames.Frames, values []float32) []float32 {
	out := make([]float32, len(values))
	e.in.Stats.PhysicalPlanes(out, values, batch.Cells())
	return out
}

// addBaselines adds the baselines of a batch, each of all its frames.
func (e *eval) addBaselines(c *evaluate.Comparison, batch *frames.Frames) error {
	b := evaluate.Baselines{Stats: e.in.Stats, Constraints: e.constraints}
	if e.Linear {
		b.Filters = e.in.Filters
	}
	lo := e.physical(batch, batch.XLo())
	var all []evaluate.Fields
	for n := range batch.N() {
		at, length := n*batch.FrameLen(), batch.FrameLen()
		each, err := b.Of(e.in.Grid, e.in.Factor, lo[at:][:length], e.coarse(batch.XLo()[at:][:length]))
		if err != nil {
			return err
		}
		for i, of := range each {
			if n == 0 {
				all = append(all, evaluate.Fields{Source: of.Source})
			}
			all[i].Values = append(all[i].Values, of.Values...)
		}
	}
	for _, of := range all {
		if err := c.Add(of.Source, of.Values); err != nil {
			return err
		}
	}
	return nil
}

// coarse returns the planes (C,H/f,W/f) of a frame's x_lo, normalized.
func (e *eval) coarse(lo []float32) []float32 {
	cells, small := e.in.Cells(), e.in.Coarser(e.in.Factor).Cells()
	out := make([]float32, len(e.in.Channels)*small)
	for c := range e.in.Channels {
		e.in.Stats.Coarse(out[c*small:][:small], lo[c*cells:][:cells], c, e.in.Grid, e.in.Factor, e.in.Periodic)
	}
	return out
}

// samples draws one sample of each frame of a batch, (N,C,H,W) in physical units. Its frames
// are the validation frames first, first+1, ... Of several ranks, rank r of N draws those of
// frames r, r+N, ..., and rank 0 gets all of them.
func (e *eval) samples(ctx context.Context, tr *model.Trainer, first int, batch *frames.Frames, by sampler) ([]float32, error) {
	e.env.Ranks.Doing(tr.Step, "an evaluation")
	size, rank := 1, 0
	if g := e.env.Ranks; g != nil {
		size, rank = g.Size, g.Rank
	}
	var own []int // frames of the batch
	for i := range batch.N() {
		if (first+i)%size == rank {
			own = append(own, i)
		}
	}
	out, err := e.sample(ctx, tr, first, batch, own, by)
	if err != nil || size == 1 {
		return out, err
	}
	parts, err := e.env.Ranks.Gather(ctx, "gather the samples", frames.Bytes(out))
	if err != nil || rank > 0 {
		return nil, err
	}
	frame := 4 * batch.FrameLen()
	var all []float32
	for i := range batch.N() {
		part := &parts[(first+i)%size]
		if len(*part) < frame {
			return nil, fmt.Errorf("samples: %d bytes of frame %d, want %d", len(*part), first+i, frame)
		}
		all = append(all, arrow.Float32Traits.CastFromBytes((*part)[:frame])...)
		*part = (*part)[frame:]
	}
	return all, nil
}

// sample draws one sample of some frames of a batch. The noise of a frame is the same at
// every step, in every batch and on every rank, so that curves over steps show the model
// alone.
func (e *eval) sample(ctx context.Context, tr *model.Trainer, first int, batch *frames.Frames, which []int, by sampler) ([]float32, error) {
	if len(which) == 0 {
		return nil, nil
	}
	x1, err := model.NewProjection(e.constraints, model.Input{Factor: e.in.Factor, Periodic: e.in.Periodic}, e.in.Grid, e.in.Stats)
	if err != nil {
		return nil, err
	}
	sampler := e.sampling(by.delta).Sampler(tr.Flow)
	sampler.Watch = func(_ *torchx.Scope, step int, _ float64, _ torchx.Tensor) {
		e.env.Progress.Part(display.Work{
			Name: fmt.Sprintf("evaluating %s, frames %d to %d", by.source, first+1, first+batch.N()), Unit: "steps", Done: step, Total: sampler.Steps,
		})
	}
	g := model.Generator{
		Inference: tr.Inference(by.ema), Sampler: sampler, Stats: e.in.Stats,
		OnX1: x1, OnGrid: tr.OnGrid,
		Streams: func(k uint64) (streams []uint64) {
			for _, i := range which {
				streams = append(streams, rng.Stream(tr.Seed, rng.EvalNoise, uint64(first+i), k))
			}
			return streams
		},
	}
	lo := batch.Lo.Bytes()
	if frame := 4 * batch.FrameLen(); len(which) < batch.N() {
		some := make([]byte, 0, len(which)*frame)
		for _, i := range which {
			some = append(some, lo[i*frame:][:frame]...)
		}
		lo = some
	}
	out := make([]float32, len(which)*batch.FrameLen())
	err = tr.Do(ctx, func(s *torchx.Scope) error {
		g.Draw(ctx, s, model.NetInput(s, g.Net, lo, len(which), batch.H, batch.W), out)
		return s.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("sampling: %w", err)
	}
	for n, i := range which {
		if warning := model.Contradiction(x1.Lacks(n)); warning != "" && !e.contradicted {
			e.contradicted = true
			e.env.Progress.Note("warning: %s: %s", batch.Origins[i], warning)
		}
	}
	return out, nil
}
