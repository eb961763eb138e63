package stages

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/store/infile"
	"fmsr.example/fmsr/internal/torchx"
	"fmsr.example/fmsr/internal/words"
	"fmsr.example/fmsr/model"
	"fmsr.example/fmsr/pipeline"
)

// Superres applies a trained model to coarse frames.
//
//	coarse (1,H,W,C)          -- 1 ---------------- 2 ---------------
//	                          [ normalize, upsample, sample, back   ]
//	fine, x_lo (1,C,2H,2W)    -- 1' -- 1" --------- 2' -- 2" --------
type Superres struct {
	Checkpoint string `yaml:"checkpoint" flag:"checkpoint" path:"file" doc:"checkpoint.pt of a trained model, or its run's folder"`
	Weights    string `yaml:"weights" oneof:"ema|raw" flag:"weights" doc:"ema: the moving average, if the checkpoint has one"`
	model.SamplerConfig
	Unsaid
	BaseNoiseScale float64 `yaml:"base_noise_scale" flag:"base-noise-scale" doc:"deviation of the starting noise, or a factor of it where base_dist measures it; -1: as trained; 0: the output is a function of the input alone"`
	Samples        int     `yaml:"samples" min:"1" max:"1000000" flag:"samples" doc:"samples of each frame, an ensemble; its mean and spread are written too"`
	Batch          int     `yaml:"batch" min:"0" max:"1000000" flag:"sample-batch" doc:"samples, of one frame or of several, drawn at once; 0: one on the CPU, and on a GPU as many as fit, at most 8"`
	Noise          string  `yaml:"noise" oneof:"per_frame|fixed" flag:"noise" doc:"fixed: the same noise for every frame of a time series"`
	Tile           int     `yaml:"tile" min:"0" flag:"tile" doc:"side in fine cells of overlapping tiles whose velocities are blended at every step; 0: the whole field at once, unless memory is short"`
	UseBF16        bool    `yaml:"use_bf16" flag:"bf16" doc:"bf16 autocast instead of float32, where the device has instructions for it"`
}

func init() {
	pipeline.Register(pipeline.Declaration[Superres]{
		Name: "superres",
		Doc: `Applies a trained model to coarse frames.

	coarse (1,H,W,C)          -- 1 ---------------- 2 ---------------
	                          [ normalize, upsample, sample, back   ]
	fine, x_lo (1,C,2H,2W)    -- 1' -- 1" --------- 2' -- 2" --------

Physical units in and out. The channels are the checkpoint's, in its order, unless
files_load.fields names the files': then each is found by its name. The grid
may be of any size. Where the network's levels do not divide the fine grid, the network
sees the field continued beyond its edges, as it did in training: see train. A
sample's noise is a function of run.seed, the frame's number and the sample's, whatever
the batch. The size of a batch changes a sample by round-off.

A checkpoint trained with another objective than flow gives a sample in one evaluation,
x1 = x_lo + v(x0, t = 0), whatever solver, times and SDE the keys name. Regression has no
noise: it makes one sample, whatever samples says. A flow map (objective flow_map) takes the few
numbers of steps that it was distilled to; sample_steps 0 is the largest.

A checkpoint that PyTorch wrote may lack base_dist, base_noise_scale, padding, factor
and boundary. Then it says so, and takes the original code's, unless these keys are set.

It warns of each file in which a field is not like the coarse fields that the model was
trained on: if its mean, its deviation or its share of the variance in an octave of
wavelengths, on average over up to 16 frames, is outside the range of the training
frames, by 0.3 deviations, a factor of 1.3 and a factor of 2.

Tiles are for fields that are too large for the network to fit in memory. There is one
noise field and one x; the tiles' velocities are blended at every step of the sampler.`,
		Link: pipeline.Link{Needs: pipeline.Stored, Adds: pipeline.Planar | pipeline.Paired, Drops: pipeline.Stored},
		Default: Superres{
			Weights: "ema", BaseNoiseScale: asTrained, Samples: 1, Noise: "per_frame",
			Unsaid:        Unsaid{BaseDist: asTrainedName, Padding: asTrainedName, Boundary: asTrainedName},
			SamplerConfig: usualSampler,
		},
		New: func(c *Superres) pipeline.Stage { return &superres{Superres: *c} },
	})
}

var usualSampler = model.SamplerConfig{Solver: string(model.Multistep), TMin: 1e-4, TMax: 1 - 1e-4, SDESchedule: string(model.Matched), ConstraintConfig: model.DefaultConstraints()}

var (
	_ pipeline.Stepper = (*superres)(nil)
	_ pipeline.Fitter  = (*superres)(nil)
	_ pipeline.Reader  = (*superres)(nil)
)

// Validate reports noise and times that cannot be.
func (c *Superres) Validate(_ *pipeline.Run, report func(key, format string, args ...any)) {
	if c.Factor == 1 {
		report("factor", "is 1: want 2 or more, or 0 for as trained")
	}
	if s := c.BaseNoiseScale; !(s >= 0 && s < math.Inf(1)) && s != asTrained {
		report("base_noise_scale", "is %g: want at least 0, or %d for as trained", s, asTrained)
	}
	c.SamplerConfig.Validate(report)
}

// Advise warns of an SDE that is stiff, and of keys that do nothing.
func (c *Superres) Advise(_ *pipeline.Run, warn func(key, summary, detail string)) {
	c.SamplerConfig.Advise(model.Matched, warn)
	if c.SDEDelta > 0 && c.Solver != string(model.Multistep) && c.Solver != string(model.Euler) {
		warn("solver", fmt.Sprintf("is %s, but does nothing: sde_delta is %g, and the SDE has a method of its own (Euler-Maruyama)", c.Solver, c.SDEDelta), "leave one of them out")
	}
	if c.BaseNoiseScale == 0 && c.SDEDelta == 0 && c.Samples > 1 {
		warn("samples", c.alike(), "set sde_delta, or base_noise_scale")
	}
}

// alike says that an ensemble has no spread.
func (c *Superres) alike() string {
	return fmt.Sprintf("is %d, but all are the same: base_noise_scale is 0, and so is sde_delta", c.Samples)
}

// unwise returns warnings of keys that do not suit the flow of the checkpoint.
func (c *Superres) unwise(flow model.Flow) (warnings []string) {
	objective, loaded := flow.Objective, c.BaseNoiseScale == asTrained
	if !objective.OneEvaluation() {
		if flow.Sigma() == 0 && loaded && c.SDEDelta == 0 && c.Samples > 1 {
			warnings = append(warnings, "samples "+c.alike())
		}
		return warnings
	}
	idle := c.Idle(usualSampler)
	if objective == model.Regression && !loaded {
		idle = append(idle, "base_noise_scale")
	}
	if idle != nil {
		warnings = append(warnings, fmt.Sprintf("set, but without effect: %s: the checkpoint's objective is %s, whose samples take one evaluation", strings.Join(idle, ", "), objective))
	}
	if objective == model.Regression && c.Samples > 1 {
		warnings = append(warnings, fmt.Sprintf("samples is %d, and one is made: all would be the same, since the checkpoint's objective is %s, which has no noise", c.Samples, objective))
	}
	return warnings
}

// asTrained as base_noise_scale means the checkpoint's value.
const asTrained = -1

type superres struct {
	Superres
	env     *pipeline.Env
	mem     memory.Allocator
	files   []pipeline.File
	loaded  *model.Loaded
	sampler model.Sampler
	x1      field.Constraints // of samples
	warned  map[int]bool      // files whose contradiction with them has been reported
	thread  *torchx.Thread
	net     *model.Inference
	pick    []int // index of each of the model's channels in the files
	up      map[field.Grid]*field.Upsampler
	tile    int         // 0: whole fields
	held    []heldFrame // of one grid, to be drawn together
	meter   model.InputMeter
	looks   [][][]model.Look // of each file: of the frames that were looked at
	done    int              // frames
	watch   pipeline.Watch

	frameTime time.Duration // of a frame's samples, in a dry run; 0: not measured
}

// Reads returns the checkpoint.
func (r *superres) Reads() []string { return []string{r.Checkpoint} }

// Open reads the checkpoint and checks the inputs against it.
func (r *superres) Open(ctx context.Context, env *pipeline.Env, in pipeline.Meta) (_ pipeline.Meta, err error) {
	if r.Checkpoint == "" {
		return in, fmt.Errorf("checkpoint is not set: give a trained model's checkpoint.pt by --checkpoint")
	}
	device, err := openDevice(env)
	if err != nil {
		return in, err
	}
	if r.loaded, err = model.OpenCheckpoint(r.Checkpoint); err != nil {
		return in, err
	}
	defer func() {
		if err != nil {
			r.Close()
		}
	}()
	assumed, err := r.settle(r.loaded, r.BaseNoiseScale != asTrained)
	if err != nil {
		return in, fmt.Errorf("%s: %w", r.Checkpoint, err)
	}
	if assumed != "" {
		env.Progress.Note("warning: %s does not say how it was trained: taking the original code's %s; set the keys of superres (--base-dist, --base-noise-scale, --padding, ...) if it was otherwise", r.Checkpoint, assumed)
	}
	flow := r.loaded.Flow
	if r.BaseNoiseScale != asTrained {
		if flow.Base == model.Gaussian {
			return in, fmt.Errorf("base_noise_scale is %g, but the model starts from pure noise (base_dist %s)", r.BaseNoiseScale, flow.Base)
		}
		flow.NoiseScale = r.BaseNoiseScale
	}
	r.sampler = r.Sampler(flow)
	if err := r.sampler.Validate(); err != nil {
		return in, err
	}
	if err := r.find(in.Channels); err != nil {
		return in, err
	}
	if err := r.CheckMap(flow, usualSampler); err != nil {
		return in, err
	}
	for _, warning := range r.unwise(flow) {
		env.Progress.Note("warning: %s", warning)
	}
	if flow.Objective == model.Regression {
		r.Samples = 1
	}
	if err := in.Lossy.Check(r.loaded.Channels); err != nil {
		return in, err
	}
	if warning := r.Beyond(r.loaded.TMin, r.loaded.TMax); warning != "" && flow.Objective == model.FlowMatching {
		env.Progress.Note("warning: %s", warning)
	}
	if warning := r.sampler.Stiff(); warning != "" {
		env.Progress.Note("%s", warning)
	}
	r.env, r.mem, r.up, r.warned = env, env.Mem, map[field.Grid]*field.Upsampler{}, map[int]bool{}
	r.bound(in.Files)
	in.Files = r.files
	if err := r.check(in.Channels, r.files); err != nil {
		return in, err
	}
	if err := r.chooseTile(device); err != nil {
		return in, err
	}
	if r.thread, err = torchx.StartThread(env.Run.Threads); err != nil {
		return in, err
	}
	key, notice := r.loaded.StateKey(r.Weights)
	if notice != "" {
		env.Progress.Note("%s", notice)
	}
	err = r.thread.Do(ctx, func(s *torchx.Scope) (err error) {
		net, err := r.loaded.Net(s, key, device)
		if err == nil {
			r.net = model.NewInference(net, usesBF16(env, device, r.UseBF16))
		}
		return err
	})
	if err != nil {
		return in, fmt.Errorf("%s: %w", r.Checkpoint, err)
	}
	if in.Identity, err = r.identity(); err != nil {
		return in, err
	}
	in.Channels, in.Factor, in.Samples = r.loaded.Channels, r.loaded.Input.Factor, r.Samples
	in.Periodic, in.Trained, in.Filters = r.loaded.Input.Periodic, r.loaded.Stats, r.loaded.Filters
	in.Objective, in.Constraints, in.Watch = flow.Objective.String(), r.x1, &r.watch
	return in, nil
}

// bound settles the domain's boundaries, and gives them to the files. An axis is open if the
// run says so, or if the network has learned one that is.
func (r *superres) bound(files []pipeline.File) {
	of := r.env.Run.Domain(0, 0).Boundary
	for axis := range of {
		of[axis] = max(of[axis], r.loaded.Config.Boundary[axis])
	}
	if said := r.env.Run.Domain(0, 0).Boundary; of != said {
		r.env.Progress.Note("boundaries along y and x: %s and %s, as in training (run.grid.boundary is %s and %s)", of[0], of[1], said[0], said[1])
	}
	r.loaded.Config.Boundary, r.files = of, slices.Clone(files)
	for i := range r.files {
		r.files[i].Grid.Boundary = of
	}
}

// identity returns a hash of what a file's samples depend on, besides the file and the
// configs of the stages.
func (r *superres) identity() (string, error) {
	stamp, err := infile.StampOf(model.CheckpointIn(r.Checkpoint))
	grid := r.env.Run.Grid
	grid.Boundary = []string{r.loaded.Config.Boundary[0].String(), r.loaded.Config.Boundary[1].String()}
	sum := sha256.Sum256(fmt.Appendf(nil, "%+v %d %+v", stamp, r.env.Run.Seed, grid))
	return hex.EncodeToString(sum[:]), err
}

// find finds the checkpoint's channels in the files. Without names the files have the
// same channels in the same order.
func (r *superres) find(names []string) error {
	var missing []string
	for i, name := range r.loaded.Channels {
		if names != nil {
			i = slices.Index(names, name)
		}
		if i < 0 {
			missing = append(missing, name)
		}
		r.pick = append(r.pick, i)
	}
	if missing != nil {
		return fmt.Errorf("the files' fields are %s: the checkpoint's are %s: %s missing (name files that hold a field, or a frame, each by --pattern, as {field}_{frame}.npy)",
			strings.Join(names, ", "), strings.Join(r.loaded.Channels, ", "), strings.Join(missing, ", "))
	}
	return nil
}

// check checks every file's channels against the network's.
func (r *superres) check(named []string, files []pipeline.File) error {
	for _, f := range files {
		if named == nil && f.C != len(r.loaded.Channels) {
			return fmt.Errorf("%s: %s, but the checkpoint's are %d: %s (name the file's by --fields)", f.Path, words.Count(f.C, "channel"), len(r.loaded.Channels), strings.Join(r.loaded.Channels, ", "))
		}
		err := f.Grid.Check()
		if err == nil {
			r.x1, err = r.Of(r.loaded.Channels, f.Grid)
		}
		if err == nil {
			err = r.loaded.Flow.Noise.Check(f.Grid)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", f.Path, err)
		}
	}
	return nil
}

// Steps are draws, each of one frame or of the frames of a batch.
func (*superres) Steps() (name string, warmUp int) { return "draw", 0 }

// Process normalizes and interpolates a frame (1,H,W,C) and holds it back until the
// frames fill a batch. Then it draws them all.
func (r *superres) Process(ctx context.Context, in pipeline.Element) (out []pipeline.Element, err error) {
	f := in.(*frames.Frames)
	f.Boundary = r.loaded.Config.Boundary
	next := heldFrame{origin: f.Origins[0], grid: f.Finer(r.loaded.Input.Factor)}
	if len(r.held) > 0 && r.held[0].grid != next.grid {
		if out, err = r.drawHeld(ctx); err != nil {
			return out, err
		}
	}
	if next.xLo, err = r.condition(f); err != nil {
		return out, fmt.Errorf("%s: %w", r.fileOf(next.origin), err)
	}
	r.held = append(r.held, next)
	if (len(r.held)+1)*r.Samples <= r.batchFor(next.grid) { // there is room for one more
		return out, nil
	}
	drawn, err := r.drawHeld(ctx)
	return append(out, drawn...), err
}

// Flush draws the frames that are still held back.
func (r *superres) Flush(ctx context.Context) ([]pipeline.Element, error) {
	if len(r.held) == 0 {
		return nil, nil
	}
	return r.drawHeld(ctx)
}

func (r *superres) fileOf(o frames.Origin) string { return filepath.Base(r.files[o.Seed].Path) }

// numbered returns the origin with the frame's own number.
func (r *superres) numbered(o frames.Origin) frames.Origin { return r.files[o.Seed].Numbered(o) }

// condition returns x_lo (C,h,w): the coarse frame (1,H,W,C), normalized and interpolated.
func (r *superres) condition(f *frames.Frames) (*memory.Buffer, error) {
	channels, factor, cells := len(r.loaded.Channels), r.loaded.Input.Factor, f.Cells()
	if r.up[f.Grid] == nil {
		r.up[f.Grid] = field.NewUpsampler(f.Grid, factor, r.loaded.Input.Periodic)
	}
	out := frames.NewBuffer(r.mem, channels*cells*factor*factor)
	plane := make([]float32, cells)
	fine := cells * factor * factor
	for c := range channels {
		field.Gather(plane, frames.Floats(f.Hi), r.pick[c], len(f.Channels))
		if err := f.CheckFinite(r.loaded.Channels[c:c+1], plane); err != nil {
			out.Release()
			return nil, err
		}
		lo := frames.Floats(out)[c*fine : (c+1)*fine]
		if r.loaded.Stats.IsLog(c) { // as in training: interpolated in physical units
			r.up[f.Grid].Plane(lo, plane)
			r.loaded.Stats.Normalize(lo, lo, c)
			if field.FirstNonFinite(lo) >= 0 {
				out.Release()
				return nil, fmt.Errorf("field %s has a value that is not positive, and the model was trained on its logarithm", r.loaded.Channels[c])
			}
			continue
		}
		r.loaded.Stats.Normalize(plane, plane, c)
		r.up[f.Grid].Plane(lo, plane)
	}
	return out, nil
}

// wraps reports whether tiles wrap around the field's edges.
func (r *superres) wraps() bool {
	return r.loaded.Input.Periodic && field.Grid{Boundary: r.loaded.Config.Boundary}.Wraps()
}

// Close frees the network and closes the checkpoint.
func (r *superres) Close() error {
	r.letGo()
	if r.net != nil {
		_ = r.thread.Do(context.Background(), func(*torchx.Scope) error { r.net.Close(); r.net.Net.Free(); return nil })
		r.net = nil
	}
	if r.thread != nil {
		r.thread.Close()
		r.thread = nil
	}
	if r.loaded == nil {
		return nil
	}
	loaded := r.loaded
	r.loaded = nil
	return loaded.Close()
}
