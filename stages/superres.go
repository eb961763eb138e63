package stages

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr/internal/field"
	"fmsr/internal/frames"
	"fmsr/internal/rng"
	"fmsr/internal/torchx"
	"fmsr/model"
	"fmsr/pipeline"
)

// Superres applies a trained model to coarse frames.
//
//	coarse (1,H,W,C)          -- 1 ---------------- 2 ---------------
//	                          [ normalize, upsample, sample, back   ]
//	fine, x_lo (1,C,2H,2W)    -- 1' -- 1" --------- 2' -- 2" --------
type Superres struct {
	Checkpoint     string  `yaml:"checkpoint" flag:"checkpoint" path:"file" doc:"checkpoint.pt of a trained model"`
	Weights        string  `yaml:"weights" flag:"weights" doc:"ema (the average) or raw"`
	Solver         string  `yaml:"solver" flag:"solver" doc:"of the ODE: multistep, euler, midpoint, heun or rk4"`
	SampleSteps    int     `yaml:"sample_steps" flag:"sample-steps" doc:"steps of the sampler; 0: 9 with multistep, 100 else"`
	TMin           float64 `yaml:"t_min" flag:"t-min-sample" doc:"where sampling starts"`
	TMax           float64 `yaml:"t_max" flag:"t-max-sample" doc:"where sampling ends"`
	SDEDelta       float64 `yaml:"sde_delta" flag:"sde-delta" doc:"strength of the SDE's noise; 0: the ODE"`
	SDESchedule    string  `yaml:"sde_schedule" flag:"sde-schedule" doc:"w(t) of the SDE: constant, matched or quadratic"`
	BaseNoiseScale float64 `yaml:"base_noise_scale" flag:"base-noise-scale" doc:"deviation of the starting noise; -1: as trained; 0: the output is a function of the input alone"`
	Samples        int     `yaml:"samples" flag:"samples" doc:"samples of each frame, an ensemble; its mean and spread are written too"`
	Noise          string  `yaml:"noise" flag:"noise" doc:"per_frame, or fixed: the same noise for every frame of a time series"`
	Tile           int     `yaml:"tile" flag:"tile" doc:"side in fine cells of overlapping tiles whose velocities are blended at every step; 0: the whole field at once, unless memory is short"`
	UseBF16        bool    `yaml:"use_bf16" flag:"bf16" doc:"bf16 autocast instead of float32, where the device has instructions for it"`
}

func init() {
	pipeline.Register(pipeline.Declaration{
		Name: "superres",
		Doc: `Applies a trained model to coarse frames.

	coarse (1,H,W,C)          -- 1 ---------------- 2 ---------------
	                          [ normalize, upsample, sample, back   ]
	fine, x_lo (1,C,2H,2W)    -- 1' -- 1" --------- 2' -- 2" --------

Physical units in and out. The channels are the checkpoint's, in its order, unless
files_load.fields names the files': then each is found by its name. H and W are
multiples of 4, since the network halves the fine grid three times. A sample's noise
is a function of run.seed, the frame's number and the sample's.

It warns where the inputs' spread, or their power in an octave of wavelength, is not
within 30% of what the checkpoint says of the coarse fields that it was trained on.

Tiles serve fields whose network does not fit in memory: there is one noise field and
one x, and the tiles' velocities are blended at every step of the sampler.`,
		Link: pipeline.Link{Needs: pipeline.Stored, Adds: pipeline.Planar | pipeline.Paired, Drops: pipeline.Stored},
		Config: func() any {
			return &Superres{
				Weights: "ema", Solver: string(model.Multistep), TMin: 1e-4, TMax: 1 - 1e-4,
				SDESchedule: string(model.Matched), BaseNoiseScale: -1, Samples: 1, Noise: "per_frame",
			}
		},
		New: func(config any) pipeline.Stage { return &superres{Superres: *config.(*Superres)} },
	})
}

// Validate reports values that cannot be.
func (c *Superres) Validate(_ *pipeline.Run, report func(key, format string, args ...any)) {
	if c.Weights != "ema" && c.Weights != "raw" {
		report("weights", "is %q: want ema or raw", c.Weights)
	}
	if c.Noise != "per_frame" && c.Noise != "fixed" {
		report("noise", "is %q: want per_frame or fixed", c.Noise)
	}
	if c.Samples < 1 {
		report("samples", "is %d: want at least 1", c.Samples)
	}
	if s := c.BaseNoiseScale; !(s >= 0 && s < math.Inf(1)) && s != asTrained {
		report("base_noise_scale", "is %g: want at least 0, or %d for as trained", s, asTrained)
	}
	if c.Tile < 0 {
		report("tile", "is %d: want at least 0", c.Tile)
	}
	c.sampling().Validate(report)
}

// asTrained is the base_noise_scale that stands for the checkpoint's.
const asTrained = -1

func (c *Superres) sampling() model.SamplerConfig {
	return model.SamplerConfig{
		SampleSteps: c.SampleSteps, Solver: c.Solver, TMin: c.TMin, TMax: c.TMax, SDEDelta: c.SDEDelta, SDESchedule: c.SDESchedule,
	}
}

type superres struct {
	Superres
	env     *pipeline.Env
	mem     memory.Allocator
	files   []pipeline.File
	loaded  *model.Loaded
	sampler model.Sampler
	thread  *torchx.Thread
	net     *model.Inference
	pick    []int // of each channel in the files
	up      map[field.Grid]*field.Upsampler
	tile    int // 0: whole fields
	meter   *model.InputMeter
	seen    int // frames, by meter
	done    int
	total   int
}

// Open reads the checkpoint and holds it against the inputs.
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
	flow := r.loaded.Flow
	if r.BaseNoiseScale != asTrained {
		if flow.Base == model.Gaussian {
			return in, fmt.Errorf("base_noise_scale is %g, but the model starts from pure noise (base_dist %s)", r.BaseNoiseScale, flow.Base)
		}
		flow.NoiseScale = r.BaseNoiseScale
	}
	r.sampler = r.sampling().Sampler(flow)
	if err := r.sampler.Validate(); err != nil {
		return in, err
	}
	if err := r.find(in.Channels); err != nil {
		return in, err
	}
	if warning := r.sampler.Stiff(); warning != "" {
		env.Progress.Note("%s", warning)
	}
	r.env, r.mem, r.files, r.up = env, env.Mem, in.Files, map[field.Grid]*field.Upsampler{}
	if err := r.check(in.Channels, in.Files); err != nil {
		return in, err
	}
	if err := r.chooseTile(device); err != nil {
		return in, err
	}
	if r.thread, err = torchx.StartThread(env.Run.Threads); err != nil {
		return in, err
	}
	key := map[string]string{"ema": "ema_state_dict", "raw": "model_state_dict"}[r.Weights]
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
	in.Channels, in.Factor, in.Samples = r.loaded.Channels, r.loaded.Input.Factor, r.Samples
	in.Periodic = r.loaded.Input.Periodic
	return in, nil
}

// find finds the checkpoint's channels among the files'; without names they are the same.
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
		return fmt.Errorf("the files' fields are %s: the checkpoint's are %s: %s missing",
			strings.Join(names, ", "), strings.Join(r.loaded.Channels, ", "), strings.Join(missing, ", "))
	}
	return nil
}

// check holds every file's shape against the network.
func (r *superres) check(named []string, files []pipeline.File) error {
	factor, multiple := r.loaded.Input.Factor, r.loaded.Plan.Multiple()
	for _, f := range files {
		if named == nil && f.C != len(r.loaded.Channels) {
			return fmt.Errorf("%s: %d channels, but the checkpoint's are %d: %s (name the file's by --fields)", f.Path, f.C, len(r.loaded.Channels), strings.Join(r.loaded.Channels, ", "))
		}
		if f.H*factor%multiple != 0 || f.W*factor%multiple != 0 {
			return fmt.Errorf("%s: grid %d x %d: want H and W that, times %d, are multiples of %d", f.Path, f.H, f.W, factor, multiple)
		}
		r.total += f.F
	}
	return nil
}

// Steps are frames.
func (*superres) Steps() (name string, warmUp int) { return "frame", 0 }

// Process makes one frame fine, as often as there are samples. They share x_lo.
func (r *superres) Process(ctx context.Context, in pipeline.Element) (out []pipeline.Element, err error) {
	if err := r.env.Profile.Step(ctx, r.thread); err != nil {
		return nil, err
	}
	f := in.(*frames.Frames)
	origin := f.Origins[0]
	file := filepath.Base(r.files[origin.Seed].Path)
	xLo, err := r.condition(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	defer xLo.Release()
	fine := f.Finer(r.loaded.Input.Factor)
	for origin.Sample = range r.Samples {
		x := frames.NewBuffer(r.mem, len(frames.Floats(xLo)))
		xLo.Retain()
		out = append(out, frames.New(r.loaded.Channels, fine, []frames.Origin{origin}, x, xLo))
		err := r.thread.Do(ctx, func(s *torchx.Scope) error {
			r.draw(ctx, s, xLo, fine, origin, frames.Floats(x))
			return s.Err()
		})
		if err != nil {
			return out, fmt.Errorf("%s: %w", file, err)
		}
		if err := fine.CheckFinite(r.loaded.Channels, frames.Floats(x)); err != nil {
			return out, fmt.Errorf("%s: the model gives %w", file, err)
		}
	}
	r.loaded.Stats.PhysicalPlanes(frames.Floats(xLo), frames.Floats(xLo), fine.Cells()) // the network has seen it
	r.done++
	r.env.Progress.Note("%s, frame %d: %d of %d", file, origin.Frame, r.done, r.total)
	return out, nil
}

// condition is x_lo (C,h,w): the coarse frame, normalized and interpolated.
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
		r.loaded.Stats.Normalize(plane, plane, c)
		r.up[f.Grid].Plane(frames.Floats(out)[c*fine:(c+1)*fine], plane)
	}
	return out, nil
}

// draw is one sample (1,C,h,w), in physical units.
func (r *superres) draw(ctx context.Context, s *torchx.Scope, xLo *memory.Buffer, fine field.Grid, origin frames.Origin, out []float32) {
	frame := uint64(origin.Frame)
	if r.Noise == "fixed" {
		frame = 0
	}
	g := model.Generator{
		Inference: r.net, Sampler: r.sampler, Stats: r.loaded.Stats, Tile: r.tile, Wraps: r.wraps(),
		Streams: func(k uint64) []uint64 {
			stream := rng.Stream(r.env.Run.Seed, rng.SampleNoise, frame, k)
			if origin.Sample > 0 { // an ensemble's first sample is the one without an ensemble
				stream = rng.Stream(stream, uint64(origin.Sample))
			}
			return []uint64{stream}
		},
	}
	g.Draw(ctx, s, model.NetInput(s, r.net.Net, xLo.Bytes(), 1, fine.H, fine.W), out)
}

// wraps says whether tiles wrap around the field's edges.
func (r *superres) wraps() bool {
	return r.loaded.Input.Periodic && r.env.Run.Domain(0, 0).Wraps()
}

// Close frees the network and closes the checkpoint.
func (r *superres) Close() error {
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
