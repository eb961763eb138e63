package stages

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/hostmem"
	"fmsr.example/fmsr/internal/torchx"
	"fmsr.example/fmsr/model"
	"fmsr.example/fmsr/pipeline"
)

// errorFigure matches the names of the figures of which less is better.
var errorFigure = regexp.MustCompile(`^val/n?mse(_ema|_sde)?(/.+)?$`)

// Validate reports times and shapes that cannot be.
func (c *Train) Validate(run *pipeline.Run, report func(key, format string, args ...any)) {
	if !(c.TMin < c.TMax) {
		report("t_min", "is %g: want less than t_max, which is %g", c.TMin, c.TMax)
	}
	if c.Best != "" && !errorFigure.MatchString(c.Best) {
		report("best", "is %q: want an error of eval: val/mse or val/nmse, with _ema or _sde, and /FIELD", c.Best)
	}
	if c.TrainedFor() == model.CRPS && c.BaseDist == string(model.XLoPlusNoise) && c.BaseNoiseScale == 0 {
		report("base_noise_scale", "is 0: want noise by which the members of objective crps can differ")
	}
	if c.TrainedFor() == model.FlowMap && c.InitFrom != "" {
		report("init_from", "is set, but a student (objective flow_map) starts from its teacher: leave it out")
	}
	if n := c.MapSteps; n&(n-1) != 0 {
		report("map_steps", "is %d: want a power of two", n)
	}
	c.SymmetryConfig.Validate(run, report)
	c.ConstraintConfig.Validate(report)
	if c.BaseNoise == constrainedNoise && len(c.Constraints) == 0 {
		report("base_noise", "is %s: name its constraints", c.BaseNoise)
	}
	if !slices.Contains(model.Networks(), c.Network) {
		report("network", "is %q: want %s", c.Network, strings.Join(model.Networks(), " or "))
		return
	}
	shape := model.Config{Network: c.Network, Fields: 1, Channels: c.ModelChannels, Mult: c.ChannelMult}
	if err := shape.Validate(); err != nil {
		report("model_channels", "%v", err)
	}
}

// SetBoundary makes the convolutions follow the domain's boundary.
func (c *Train) SetBoundary(periodic bool, written func(string) bool) {
	setBoundary(&c.Padding, "padding", periodic, "zeros", written)
}

// Advise warns of a warm-up that never ends, and of keys that do nothing.
func (c *Train) Advise(run *pipeline.Run, warn func(key, summary, detail string)) {
	run.AdviseBoundary("padding", c.Padding, warn)
	switch {
	case run.Overfit && c.WarmupSteps != usualWarmup:
		warn("warmup_steps", fmt.Sprintf("is %d, but does nothing: run.overfit has no warm-up", c.WarmupSteps), "leave it out")
	case !run.Overfit && c.WarmupSteps > c.TotalSteps:
		warn("warmup_steps", fmt.Sprintf("is %d, and total_steps %d: the learning rate never reaches lr, and ends at %.2g of it", c.WarmupSteps, c.TotalSteps, float64(c.TotalSteps)/float64(c.WarmupSteps)), "set fewer")
	}
	c.adviseIdle(warn)
	if c.LR > largestLR {
		warn("lr", fmt.Sprintf("is %g, far above what AdamW trains such networks with (1e-5 to 1e-3)", c.LR), "")
	}
	if len(c.Symmetries) == 0 && len(c.Odd) > 0 {
		warn("odd", "does nothing: there are no symmetries", "leave it out")
	}
	if has := baseNoises[model.BaseDist(c.BaseDist)]; has != "" && c.BaseNoiseScale != usualNoise {
		warn("base_noise_scale", fmt.Sprintf("is %g, but does nothing: base_dist %s has noise of %s", c.BaseNoiseScale, c.BaseDist, has), "leave it out")
	}
}

// baseNoises are the noises of base distributions that base_noise_scale does not change.
var baseNoises = map[model.BaseDist]string{model.Gaussian: "deviation 1", model.LostBand: "the training frames' own power", model.Learned: "its filter's own error"}

// adviseIdle warns of keys that do nothing with the objective, but for the base_dist that the
// shipped specs have.
func (c *Train) adviseIdle(warn func(key, summary, detail string)) {
	objective := c.TrainedFor()
	timeless, quiet := objective.OneEvaluation(), objective == model.Regression
	for _, x := range []struct {
		key        string
		now, usual any
		idle       bool
	}{
		{"t_min", c.TMin, 1e-4, timeless}, {"t_max", c.TMax, 1 - 1e-4, timeless}, {"t_dist", c.TDist, "uniform", objective != model.FlowMatching},
		{"base_dist", c.BaseDist, string(model.XLoPlusNoise), quiet && c.BaseDist != string(model.Learned)}, {"base_noise_scale", c.BaseNoiseScale, usualNoise, quiet}, {"base_noise", c.BaseNoise, freeNoise, quiet},
		{"members", c.Members, usualMembers, objective != model.CRPS},
		{"teacher", c.Teacher, "", objective != model.FlowMap}, {"map_steps", c.MapSteps, usualMapSteps, objective != model.FlowMap},
	} {
		if x.idle && x.now != x.usual {
			warn(x.key, fmt.Sprintf("is %v, but does nothing: objective is %s", x.now, objective), "leave it out")
		}
	}
}

// largestLR is beyond the learning rates with which networks of any width have been trained.
const largestLR = 0.01

// SamplesAStep returns how many samples a step has, of batches of that size, with a
// distillation's evaluations as the samples that take as long.
func (c *Train) SamplesAStep(batch int) int {
	samples := batch * c.Accumulate
	switch c.TrainedFor() {
	case model.CRPS:
		samples *= c.Members
	case model.FlowMap:
		d := model.Distilled{Most: c.MapSteps}
		samples = samples * (model.StepsOfForward*d.Lessons() + d.Evaluations()) / model.StepsOfForward
	}
	return samples
}

// MostEvaluations returns how many evaluations of the network a sample takes at most, whatever
// the sampler's keys say; 0: as they say.
func (c *Train) MostEvaluations() int {
	switch o := c.TrainedFor(); {
	case o.OneEvaluation():
		return 1
	case o == model.FlowMap:
		return c.MapSteps
	default:
		return 0
	}
}

// Defaults of keys that do nothing beside certain others: only another value is warned of.
const (
	usualWarmup   = 10000
	usualNoise    = 0.1
	usualMembers  = 2
	usualMapSteps = 2
)

// The values of base_noise.
const (
	freeNoise        = "free"
	constrainedNoise = "constrained"
)

// checkBatch returns an error if a batch takes more frames than an epoch has.
func (t *train) checkBatch() error {
	if epoch := t.in.Frames[frames.Train]; epoch > 0 && t.in.Batch > epoch {
		return fmt.Errorf("a batch takes %d frames, and the training split has %d: want batch.size (--batch-size) of at most %[2]d", t.in.Batch, epoch)
	}
	return nil
}

// checkMemory returns an error if training needs more than the memory that is left on
// the host. How much a GPU has left is not known here.
func (t *train) checkMemory(net model.Net, left int64) error {
	if t.config.Device != torchx.CPU {
		return nil
	}
	weights, sample := float64(model.WeightBytes(net)), t.sampleBytes(net)
	batch, ranks, here := t.in.Batch, "", 1.0
	if g := t.env.Ranks; g != nil {
		batch /= g.Size
		here = float64(g.LocalSize)
		ranks = fmt.Sprintf(" on each of %d ranks of this machine", g.LocalSize)
	}
	need := here * (weights + sample*float64(batch))
	if need <= float64(left) {
		return nil
	}
	lack := &hostmem.Lack{
		What: fmt.Sprintf("training %d parameters with batches of %d frames of %s cells%s", model.Count(net), batch, t.in.Grid, ranks),
		Need: need, Left: left, Advice: "lower batch.size (and raise train.accumulate)",
	}
	if here*(weights+sample) > float64(left) { // even one frame is too much
		lack.Advice = "lower train.model_channels or train.channel_mult"
	}
	return lack
}

// sampleBytes estimates the memory that a step needs for each sample.
func (t *train) sampleBytes(net model.Net) float64 {
	bytes := model.SampleTrainBytes(net, t.in.H, t.in.W, t.UseBF16)
	switch t.TrainedFor() {
	case model.CRPS:
		bytes *= float64(t.Members)
	case model.FlowMap:
		bytes *= float64(model.Distilled{Most: t.MapSteps}.Lessons())
	}
	return bytes
}
