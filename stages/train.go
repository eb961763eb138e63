package stages

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"fmsr.example/fmsr/internal/display"
	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/hostmem"
	"fmsr.example/fmsr/internal/ranks"
	"fmsr.example/fmsr/internal/torchx"
	"fmsr.example/fmsr/model"
	"fmsr.example/fmsr/pipeline"
)

// Train is the training loop: a batch in, a step out.
//
//	batches (N,C,H,W)   -- v1 ---- b1 ----------- b2 ------------
//	                    [ forward, backward, clip, AdamW         ]
//	steps               -- v1 ---- step 1 ------- step 2 --------
type Train struct {
	LR             float64            `yaml:"lr" above:"0" flag:"lr" doc:"learning rate"`
	WeightDecay    float64            `yaml:"weight_decay" min:"0" flag:"weight-decay" doc:"decoupled weight decay of AdamW"`
	TotalSteps     int                `yaml:"total_steps" min:"1" flag:"total-steps" doc:"steps of the whole run" resume:"free"`
	PrintEvery     int                `yaml:"print_every" min:"1" flag:"print-every" doc:"steps between lines of the learning curve, printed and in the logs"`
	WarmupSteps    int                `yaml:"warmup_steps" min:"0" flag:"warmup-steps" doc:"steps over which lr rises linearly from 0; none with run.overfit"`
	LRSchedule     string             `yaml:"lr_schedule" oneof:"constant|cosine|linear" flag:"lr-schedule" doc:"lr after the warm-up; cosine, linear: falls to 0 at total_steps, which a resumed run then keeps"`
	InitFrom       string             `yaml:"init_from" flag:"init-from" path:"file" doc:"checkpoint, or its run's folder, of the same fields and widths: training starts from its weights (the average, if it has one) with a fresh optimizer, at step 0"`
	Best           string             `yaml:"best" flag:"best" doc:"an error of eval, as val/mse_ema or val/nmse: checkpoint.best.pt is the checkpoint of the evaluation where it was least; empty: none" resume:"free"`
	Accumulate     int                `yaml:"accumulate" min:"1" max:"1000000" flag:"accumulate" doc:"batches whose gradients make one step"`
	GradClip       float64            `yaml:"grad_clip" above:"0" flag:"grad-clip" doc:"largest global gradient norm"`
	LossScale      float64            `yaml:"loss_scale" above:"0" flag:"loss-scale" doc:"factor of the loss, to stay clear of AdamW's epsilon"`
	Objective      string             `yaml:"objective" oneof:"flow|regression|crps|flow_map" flag:"objective" doc:"flow: flow matching; flow_map: distils a teacher to a few evaluations; the others are baselines, samples of one evaluation; regression: the mean of all fields that the input allows; crps: an ensemble by its fair CRPS"`
	Teacher        string             `yaml:"teacher" flag:"teacher" path:"file" doc:"of objective flow_map: checkpoint, or its run's folder, of a model with the same fields, widths, base and training frames, trained with objective flow; the student starts from its weights (the average, if it has one)" resume:"free"`
	MapSteps       int                `yaml:"map_steps" min:"1" max:"64" flag:"map-steps" doc:"of objective flow_map: the most steps of a sample, a power of two; the student learns to take 1, 2, 4, ... up to as many" resume:"free"`
	Members        int                `yaml:"members" min:"2" max:"4" flag:"members" doc:"members of the ensemble of each training sample, with objective crps: a step costs that many times more"`
	BaseDist       string             `yaml:"base_dist" oneof:"x_lo_plus_noise|gaussian|x_lo_plus_lost_band|learned" flag:"base-dist" doc:"distribution that sampling starts from; x_lo_plus_lost_band: x_lo with noise that has, for each field, the spectrum of x_hi - x_lo in the training frames; learned: the linear filter of x_lo, with noise that has the spectrum of its error"`
	BaseNoiseScale float64            `yaml:"base_noise_scale" min:"0" flag:"base-noise-scale" doc:"deviation of x_lo_plus_noise's noise, normalized units"`
	BaseNoise      string             `yaml:"base_noise" oneof:"free|constrained" flag:"base-noise" doc:"constrained: all noise, in sampling too, is projected onto what the constraints leave free"`
	TMin           float64            `yaml:"t_min" min:"0" flag:"t-min-train" doc:"smallest time drawn"`
	TMax           float64            `yaml:"t_max" max:"1" flag:"t-max-train" doc:"largest time drawn"`
	TDist          string             `yaml:"t_dist" oneof:"uniform|stratified" flag:"t-dist" doc:"times drawn; stratified: one in each of as many equal parts as the batch has samples"`
	UseBF16        bool               `yaml:"use_bf16" flag:"bf16" doc:"bf16 autocast for forward and loss, where the device has instructions for it"`
	Network        string             `yaml:"network" flag:"network" doc:"the network, by name"`
	ModelChannels  int                `yaml:"model_channels" max:"8192" flag:"model-channels" doc:"width of the network's first level"`
	ChannelMult    []int              `yaml:"channel_mult" min:"1" max:"64" flag:"channel-mult" doc:"width of each level over model_channels"`
	MaxBadSteps    int                `yaml:"max_bad_steps" min:"1" flag:"max-bad-steps" doc:"steps in a row without a finite loss and gradient that end the run" resume:"free"`
	Padding        string             `yaml:"padding" oneof:"periodic|open|zeros" flag:"padding" doc:"how convolutions continue beyond an edge; open, also called zeros: with zeros. Without this key, as run.grid.boundary if the spec writes that"`
	Wire           string             `yaml:"wire" oneof:"float32|bf16" flag:"wire" doc:"numbers in which several ranks send each other their gradients" resume:"free"`
	ChannelWeights map[string]float64 `yaml:"channel_weights" flag:"channel-weights" above:"0" doc:"weights of fields in the loss, as {Bx: 2}; others have 1; divided by their mean, so that the loss keeps its scale"`
	LossParts      bool               `yaml:"loss_parts" flag:"loss-parts" doc:"logs the loss by field and by time too"`
	SymmetryConfig
	model.ConstraintConfig
}

func init() {
	pipeline.Register(pipeline.Declaration[Train]{
		Name: "train",
		Doc: `Trains the network, a step a batch.

	batches (N,C,H,W)   -- v1 ---- b1 ----------- b2 ------------
	                    [ forward, backward, clip, AdamW         ]
	steps               -- v1 ---- step 1 ------- step 2 --------

Flow matching along xt = (1-t) x0 + t x1 with target v = x1 - x0. As baselines, objective
trains the same network for samples of one evaluation, x1 = x_lo + v(x0, t = 0). With
regression, x0 is x_lo, and the loss is that of flow matching. With crps, x0 has noise, and
the loss is the fair continuous ranked probability score (Ferro 2014) of members samples.

Objective flow_map distils a trained model, the teacher, to samples of 1, 2, ... map_steps
evaluations: the student learns the mean velocity from t to s along the teacher's ODE
(Boffi et al. 2024; docs/sampling.md). It needs the coarse fields alone. A resumed run must
have the same teacher, by its weights.

The noise of base_dist x_lo_plus_lost_band has a spectrum of its own for each field: that of
x_hi - x_lo in the first 256 training frames. With learned, sampling starts from the linear
filter of x_lo, and the noise has the spectrum of the filter's error. The checkpoint keeps them.

Before the first step, it fits a linear filter to the training frames, a baseline that the
checkpoint keeps: docs/physics.md.

The next step
starts when every stage below has let go of the last one. Validation batches are
passed on. What a step draws is a function of run.seed and the step. One whose loss
or gradient is not finite is skipped: it leaves the weights as they are.

The network's levels halve the grid, three times by default. If that does not divide H
or W, the network sees the field continued to the next multiple (of 8): periodically,
or reflected along an axis that is open in run.grid.boundary (unless padding is
periodic). The loss is of the field's own cells alone.

Several ranks (torchrun, srun, fmsr run --ranks N) share each batch, and average their
gradients while the backward pass runs. They have the same weights, which is checked at
every print_every steps and before checkpoints.

symmetries (docs/training.md) moves each training sample by a random combination of
symmetries of the equations: fields get their signs, and x_lo stays the average of x_hi.`,
		Link: pipeline.Link{
			Needs: pipeline.Paired | pipeline.Normalized | pipeline.Batched | pipeline.Replayed,
			Adds:  pipeline.Steps,
			Drops: pipeline.Planar | pipeline.Paired | pipeline.Normalized | pipeline.Batched | pipeline.Replayed,
		},
		Default: Train{
			LR: 2e-4, TotalSteps: 50000, PrintEvery: 100, WarmupSteps: usualWarmup, LRSchedule: "constant", Accumulate: 1, GradClip: 1, LossScale: 100,
			Objective: model.FlowMatching.String(), Members: usualMembers, MapSteps: usualMapSteps,
			BaseDist: string(model.XLoPlusNoise), BaseNoiseScale: usualNoise, BaseNoise: freeNoise, TMin: 1e-4, TMax: 1 - 1e-4,
			TDist: "uniform", UseBF16: true, Network: model.DefaultNetwork, ModelChannels: 128, ChannelMult: model.DefaultMult,
			MaxBadSteps: 10, Padding: "zeros", Wire: "float32", ConstraintConfig: model.DefaultConstraints(),
		},
		New: func(c *Train) pipeline.Stage { return &train{Train: *c} },
	})
}

var (
	_ pipeline.Stepper  = (*train)(nil)
	_ pipeline.Flusher  = (*train)(nil)
	_ pipeline.Fitter   = (*train)(nil)
	_ pipeline.Resumer  = (*train)(nil)
	_ pipeline.Preparer = (*train)(nil)
)

// Times returns the times that the network is trained on.
func (c *Train) Times() (from, to float64) { return c.TMin, c.TMax }

// BestFigure returns the figure by which the best checkpoint is kept, or nothing.
func (c *Train) BestFigure() string { return c.Best }

// TrainedFor returns the objective.
func (c *Train) TrainedFor() model.Objective {
	o, _ := model.ObjectiveNamed(c.Objective) // its oneof has the same names
	return o
}

func (t *train) flow() model.Flow {
	f := model.Flow{
		Objective: t.TrainedFor(), Base: model.BaseDist(t.BaseDist), NoiseScale: t.BaseNoiseScale, LossScale: t.LossScale, Noise: t.noise, Measured: t.base,
	}
	if f.Measures() {
		f.NoiseScale = 1
	}
	if t.teacher != nil {
		f.Map = model.Distilled{Most: t.MapSteps, From: t.TMin, To: t.TMax, Teacher: t.teacher.digest}
	}
	return f
}

func (t *train) hyper() model.Hyper {
	warmup := t.WarmupSteps
	if t.env.Run.Overfit {
		warmup = 0
	}
	return model.Hyper{
		Flow:    t.flow(),
		Members: t.Members, Weights: t.weights, LossFields: t.lossFields(),
		LR: t.LR, WeightDecay: t.WeightDecay, WarmupSteps: warmup, Schedule: t.LRSchedule, TotalSteps: t.TotalSteps, GradClip: t.GradClip,
		TMin: t.TMin, TMax: t.TMax, BF16: t.UseBF16, Stratified: t.TDist == "stratified", Seed: t.env.Run.Seed,
	}
}

var errNoTraining = errors.New("no training frame came")

type train struct {
	Train
	env    *pipeline.Env
	in     pipeline.Meta
	config model.Config
	noise  field.Constraints // of noise; zero: free
	stop   int               // the step at which this run ends

	weights []float64  // of the fields in the loss, with a mean of 1; nil: all are 1
	augment *augmenter // of training samples; nil: they stay as they are

	from    *model.Loaded             // checkpoint to resume from; nil once the trainer has its state
	init    *model.Loaded             // checkpoint to start from; nil once the trainer has its weights
	teacher *teacher                  // nil: none
	trainer *model.Trainer            // nil before Prepare
	began   bool                      // the first training batch has come
	thread  *torchx.Thread            // the trainer's
	sent    *model.Step               // token of the newest step, while it is with the stages below
	logged  bool                      // the step that came back last has a line in the logs
	batches [][]frames.Origin         // the batches of the next step that have come
	origins map[int][][]frames.Origin // the batches of the steps whose results are not known

	lineAt time.Time // when the last line of the learning curve was over
	frames int       // frames trained on since then

	checkpoints checkpoints
	rehearsed   []time.Duration // steps of a dry run

	meter     model.InputMeter
	inputs    *model.Inputs
	baseMeter *model.BaseMeter    // nil unless base_dist measures
	base      *model.MeasuredBase // nil unless base_dist has one
}

// Open checks grid and device. Prepare makes the network.
func (t *train) Open(ctx context.Context, env *pipeline.Env, in pipeline.Meta) (pipeline.Meta, error) {
	if in.Factor == 0 { // a data set may have been exported without
		return in, errors.New("there is no x_lo: put pool_upsample above it")
	}
	device, err := openDevice(env)
	if err != nil {
		return in, err
	}
	for range in.Channels {
		in.Filters = append(in.Filters, field.NewLinear(in.Factor))
	}
	t.env, t.in, t.UseBF16 = env, in, usesBF16(env, device, t.UseBF16)
	t.config = model.Config{
		Network: t.Network, Fields: len(in.Channels), Channels: t.ModelChannels, Mult: t.ChannelMult,
		Periodic: t.Padding == "periodic", Boundary: in.Boundary, Device: device, Spans: t.TrainedFor() == model.FlowMap,
	}
	plan, err := model.Plan(t.config)
	if err != nil {
		return in, err
	}
	if t.TrainedFor() != model.FlowMap { // else the base is the teacher's
		t.baseMeter = model.NewBaseMeter(t.flow(), len(in.Channels), t.input(), in.Grid, in.Stats)
	}
	if t.BaseNoise == constrainedNoise {
		if t.noise, err = t.Of(in.Channels, in.Grid); err != nil {
			return in, err
		}
	}
	if t.weights, err = t.fieldWeights(); err != nil {
		return in, err
	}
	if t.augment, err = newAugmenter(t.SymmetryConfig, env, in); err != nil {
		return in, err
	}
	if t.Best != "" && env.Ends&pipeline.Evaluated == 0 {
		return in, fmt.Errorf("best is %s, but no stage of the flow evaluates: add eval", t.Best)
	}
	if err := t.openTeacher(ctx); err != nil {
		return in, err
	}
	if err := t.openInit(ctx); err != nil {
		return in, err
	}
	if err := t.checkBatch(); err != nil {
		return in, err
	}
	if env.Asked == nil && !env.Dry { // else other machines train, or what they need is shown first
		if err := t.checkMemory(plan, hostmem.Left()); err != nil {
			return in, err
		}
	}
	t.stop = t.TotalSteps
	if limit := env.Run.MaxSteps; limit > 0 {
		t.stop = min(t.stop, limit)
	}
	return in, nil
}

// Steps are the training's; libtorch makes its kernels in the first.
func (*train) Steps() (name string, warmUp int) { return "step", 3 }

// Process is the training loop: a step for every Accumulate training batches.
func (t *train) Process(ctx context.Context, in pipeline.Element) ([]pipeline.Element, error) {
	batch := in.(*frames.Frames)
	if batch.Split() != frames.Train {
		batch.Retain()
		return []pipeline.Element{batch}, nil
	}
	if t.sent != nil && t.sent.N >= t.stop { // the last one: with what the stages below write at the end, it has passed
		return nil, nil
	}
	t.begin()
	t.passed()
	if t.trainer.Passed && t.trainer.Step >= t.stop {
		t.env.Finish()
		return nil, nil
	}
	t.env.Ranks.Doing(t.trainer.Step+1, ranks.Step)
	t.batches = append(t.batches, batch.Origins)
	first, last := len(t.batches) == 1, len(t.batches) == t.Accumulate
	if t.trainer.Passed { // else the earlier run took the step, and its token alone is missing
		if first {
			if err := t.saveIfDue(ctx); err != nil {
				return nil, err
			}
		}
		if err := t.step(ctx, batch, first, last); err != nil {
			return nil, err
		}
		if last {
			t.origins[t.trainer.Step] = t.batches
			if err := t.outcomes(ctx, t.hasLine(t.trainer.Step) || t.trainer.Step >= t.stop); err != nil {
				return nil, err
			}
		}
	}
	if !last {
		t.env.Ranks.Doing(t.trainer.Step, ranks.Batch)
		return nil, nil
	}
	return t.send(), nil
}

// passed records that the token that was sent has come back, as it has when the next
// training batch comes.
func (t *train) passed() {
	if t.sent != nil {
		t.compareBest(t.sent)
		t.trainer.StepPassed(t.sent)
		if t.logged = t.sent.Logged(); t.logged {
			t.lineAt, t.frames = time.Now(), 0
		}
		t.sent = nil
	}
}

// step runs a batch forward and backward and, with the last one, updates the weights.
func (t *train) step(ctx context.Context, batch *frames.Frames, first, last bool) error {
	t.frames += batch.N()
	if t.env.Ranks != nil {
		t.frames += batch.N() * (t.env.Ranks.Size - 1)
	}
	if first {
		if err := t.env.Profile.Step(ctx, recorder{t.thread}); err != nil {
			return err
		}
	}
	if t.augment != nil {
		place := 0 // of the batch's first sample in that of all ranks
		if t.env.Ranks != nil {
			place = t.env.Ranks.Rank * batch.N()
		}
		moved, err := t.augment.move(batch, t.trainer.Step+1, len(t.batches)-1, place)
		if err != nil {
			return err
		}
		defer moved.Release()
		batch = moved
	}
	err := t.trainer.Do(ctx, func(s *torchx.Scope) (err error) {
		xLo := model.NetInput(s, t.trainer.Net, batch.Lo.Bytes(), batch.N(), batch.H, batch.W)
		x1 := model.NetInput(s, t.trainer.Net, batch.Hi.Bytes(), batch.N(), batch.H, batch.W)
		if t.Accumulate == 1 {
			_, err = t.trainer.TrainStep(s, xLo, x1)
			return err
		}
		t.trainer.Accumulate(s, xLo, x1, len(t.batches)-1, t.Accumulate)
		if last {
			_, err = t.trainer.Update(s)
		}
		return err
	})
	if err != nil && strings.Contains(err.Error(), "CUDA out of memory") {
		err = fmt.Errorf("%w; a smaller batch.size takes less, and train.accumulate makes a step of several batches", err)
	}
	return t.env.Ranks.Explain(ctx, err)
}

// hasLine reports whether a line of the learning curve is due at a step.
func (t *train) hasLine(n int) bool { return n%t.PrintEvery == 0 || n == t.TotalSteps }

// outcomes reports the skipped ones of the steps whose results have come, as an error when
// it was one too many. If all, it waits for the newest step's result.
func (t *train) outcomes(ctx context.Context, all bool) error {
	var err error
	if all {
		err = t.trainer.Settle(ctx)
	}
	for _, o := range t.trainer.Outcomes() {
		if o.Skipped() && err == nil {
			err = t.skipped(o, t.origins[o.N])
		}
		delete(t.origins, o.N)
	}
	return err
}

// skipped reports what was wrong with a step of these batches.
func (t *train) skipped(o model.Outcome, of [][]frames.Origin) error {
	var batches []string
	for _, origins := range of {
		batches = append(batches, frames.Names(origins))
	}
	what := fmt.Sprintf("step %d was skipped: loss %g, gradient norm %g, of %s", o.N, o.Loss, o.GradNorm, strings.Join(batches, "; "))
	if o.InARow < t.MaxBadSteps {
		t.env.Progress.Note("%s", what)
		return nil
	}
	return fmt.Errorf("%s: that is %d in a row (train.max_bad_steps); a smaller train.lr may help", what, o.InARow)
}

// send returns the token of the newest step.
func (t *train) send() []pipeline.Element {
	t.batches = nil
	t.sent = model.NewStep(t.trainer, t.trainer.Last, t.TotalSteps)
	t.sent.Line = t.hasLine(t.sent.N)
	t.env.Ranks.Stepped(t.sent.N, t.sent.Line)
	t.sent.Speed = float64(t.frames) / time.Since(t.lineAt).Seconds()
	loss, norm := t.trainer.Window.Mean()
	t.env.Progress.Step(display.Step{
		N: t.sent.N, Stop: t.stop, Total: t.TotalSteps, Loss: loss, GradNorm: norm, LR: t.sent.LR, Last: t.sent.Loss, FramesPerSecond: t.sent.Speed,
	})
	if t.sent.N >= t.stop {
		t.env.Finish()
	}
	return []pipeline.Element{t.sent}
}

// Flush returns an error if there was nothing to train on.
func (t *train) Flush(ctx context.Context) ([]pipeline.Element, error) {
	if !t.began {
		return nil, errNoTraining
	}
	return nil, t.compareRanks(ctx)
}

// Close leaves the checkpoint of the last whole step, however the run ended, and frees
// the network. It comes after all that the stages below write at the end: with that
// checkpoint, the run is over. If a stage below failed, the step's token is sent to it once
// more by the run that resumes.
func (t *train) Close() (err error) {
	for _, l := range []**model.Loaded{&t.from, &t.init} {
		if *l != nil {
			err = errors.Join(err, (*l).Close())
			*l = nil
		}
	}
	if t.teacher != nil {
		err = errors.Join(err, t.teacher.Close())
		t.teacher = nil
	}
	if t.trainer == nil {
		return err
	}
	if t.began {
		err = errors.Join(err, t.end())
	}
	t.trainer.Close()
	t.trainer = nil
	return err
}

// lastStep is how long the end of a run waits for a GPU to do its last steps. If another rank is
// gone, it never does.
const lastStep = 30 * time.Second

// end waits for the checkpoint that is being written, and writes that of the last step
// unless it is there.
func (t *train) end() error {
	if !t.env.Leads() {
		return nil
	}
	t.env.Ranks.Doing(t.trainer.Step, ranks.Save)
	ctx, cancel := context.WithTimeout(context.Background(), lastStep)
	defer cancel()
	if err := t.outcomes(ctx, true); err != nil {
		if !t.env.Failed() {
			return err
		}
		t.env.Progress.Note("step %d is not saved: %v", t.trainer.Step, err)
		_ = t.checkpoints.wait() // the run has an error to report
		return nil
	}
	if !t.env.Failed() {
		t.passed()
		return t.saveLast()
	}
	_ = t.checkpoints.wait()                   // the run has an error to report
	whole := t.trainer.Passed || t.sent != nil // else the checkpoint that the run resumed from has all that there is
	if t.env.Ranks != nil && t.checkpoints.saved == t.trainer.Step {
		t.env.Progress.Note("%s has step %d, the last whole one", filepath.Join(t.env.Run.Dir, model.CheckpointFile), t.checkpoints.saved)
	}
	if !whole || t.trainer.Step == t.checkpoints.saved || t.trainer.Last.Skipped() && !t.env.Interrupted() {
		return nil
	}
	err := t.saveLast()
	if err != nil && !t.env.Interrupted() {
		t.env.Progress.Note("%v", err)
		return nil
	}
	if err == nil {
		t.env.Progress.Note("saved step %d to %s", t.checkpoints.saved, filepath.Join(t.env.Run.Dir, model.CheckpointFile))
	}
	return err
}

// Prepare makes the trainer, or restores the trainer that the run resumes from.
func (t *train) Prepare(ctx context.Context) error {
	err := t.make(ctx)
	switch {
	case err != nil:
	case t.from != nil:
		err = t.restore(ctx)
	case t.init != nil:
		err = t.start(ctx)
	case t.teacher != nil:
		err = t.imitate(ctx)
	}
	if err != nil {
		return err
	}
	return t.join(ctx)
}

// make makes the trainer, with fresh weights.
func (t *train) make(ctx context.Context) (err error) {
	if t.thread, err = torchx.StartThread(t.env.Run.Threads); err != nil {
		return err
	}
	if err := t.shareBase(ctx); err != nil {
		return err
	}
	if t.trainer, err = model.NewTrainer(ctx, t.thread, t.config, t.hyper()); err != nil {
		return err
	}
	if t.trainer.OnGrid, err = model.NewGridBase(t.trainer.Flow, t.input(), t.in.Grid, t.in.Stats); err != nil {
		return err
	}
	t.origins = map[int][][]frames.Origin{}
	t.trainer.Late = t.config.Device != torchx.CPU
	t.trainer.Notices(func(line string) { t.env.Progress.Note("%s", line) })
	return t.teach(ctx)
}

// begin starts the clock of the checkpoints and of the progress when the first training
// batch comes.
func (t *train) begin() {
	if t.began {
		return
	}
	t.began = true
	t.checkpoints.start(t.env, t.trainer.Step)
	precision := "float32"
	if t.UseBF16 {
		precision = "bf16"
	}
	same := ""
	if t.env.Run.Overfit {
		same = ", the same ones (run.overfit)"
	}
	on := t.config.Device.String()
	if g := t.env.Ranks; g != nil {
		on = fmt.Sprintf("%d ranks (%s)", g.Size, on)
	}
	t.env.Progress.Note("training %d parameters on %s, %s: %s at %d x %d, %d training and %d validation frames%s",
		model.Count(t.trainer.Net), on, precision, strings.Join(t.in.Channels, ", "), t.in.H, t.in.W,
		t.in.Frames[frames.Train], t.in.Frames[frames.Val], same)
	if t.weights != nil {
		t.env.Progress.Note("the loss weighs the fields (train.channel_weights, over their mean): %s", t.weightList())
	}
	if t.augment != nil {
		t.env.Progress.Note("training samples are moved by random combinations of %s (train.symmetries)", strings.Join(t.Symmetries, ", "))
		for _, line := range t.augment.warnings() {
			t.env.Progress.Note("%s", line)
		}
	}
	t.env.Progress.Work(display.Work{Name: "training", Unit: "steps", Done: t.trainer.Step, Total: t.TotalSteps})
	t.env.Progress.Start(t.trainer.Step, t.PrintEvery)
	t.lineAt = time.Now()
}
