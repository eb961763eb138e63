package stages

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr/internal/frames"
	"fmsr/internal/rng"
	"fmsr/internal/torchx"
	"fmsr/model"
	"fmsr/pipeline"
)

// Superres applies a trained model to coarse frames.
//
//	coarse (1,H,W,C)     -- 1 ---------------- 2 ---------------
//	                     [ normalize, upsample, sample, back   ]
//	fine (1,2H,2W,C)     -- 1' --------------- 2' --------------
type Superres struct {
	Checkpoint     string  `yaml:"checkpoint" flag:"checkpoint" path:"file" doc:"checkpoint.pt of a trained model"`
	Weights        string  `yaml:"weights" flag:"weights" doc:"ema (the average) or raw"`
	Solver         string  `yaml:"solver" flag:"solver" doc:"of the ODE: euler, midpoint, heun or rk4"`
	SampleSteps    int     `yaml:"sample_steps" flag:"sample-steps" doc:"steps of the sampler"`
	TMin           float64 `yaml:"t_min" flag:"t-min-sample" doc:"where sampling starts"`
	TMax           float64 `yaml:"t_max" flag:"t-max-sample" doc:"where sampling ends"`
	SDEDelta       float64 `yaml:"sde_delta" flag:"sde-delta" doc:"strength of the SDE's noise; 0: the ODE"`
	SDESchedule    string  `yaml:"sde_schedule" flag:"sde-schedule" doc:"w(t) of the SDE: constant, matched or quadratic"`
	BaseNoiseScale float64 `yaml:"base_noise_scale" flag:"base-noise-scale" doc:"deviation of the starting noise; -1: as trained; 0: the output is a function of the input alone"`
	Noise          string  `yaml:"noise" flag:"noise" doc:"per_frame, or fixed: the same noise for every frame of a time series"`
	UseBF16        bool    `yaml:"use_bf16" flag:"bf16" doc:"bf16 autocast instead of float32"`
}

func init() {
	pipeline.Register(pipeline.Declaration{
		Name: "superres",
		Doc: `Applies a trained model to coarse frames.

	coarse (1,H,W,C)     -- 1 ---------------- 2 ---------------
	                     [ normalize, upsample, sample, back   ]
	fine (1,2H,2W,C)     -- 1' --------------- 2' --------------

Physical units in and out; the channels are the checkpoint's, in its order. H and W
are multiples of 4, since the network halves the fine grid three times. Each frame's
noise is a function of run.seed and the frame's number.`,
		Link: pipeline.Link{Needs: pipeline.Stored},
		Config: func() any {
			return &Superres{
				Weights: "ema", Solver: string(model.Euler), SampleSteps: 100, TMin: 1e-4, TMax: 1 - 1e-4,
				SDESchedule: string(model.Matched), BaseNoiseScale: -1, Noise: "per_frame",
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
	if err := c.sampler(model.Flow{Base: model.XLoPlusNoise, NoiseScale: 1}).Validate(); err != nil {
		report("sample_steps", "%v", err)
	}
}

func (c *Superres) sampler(f model.Flow) model.Sampler {
	return model.Sampler{
		Flow: f, Solver: model.Solver(c.Solver), Steps: c.SampleSteps, TMin: c.TMin, TMax: c.TMax,
		Delta: c.SDEDelta, Schedule: model.Schedule(c.SDESchedule),
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
	net     *model.UNet
	up      map[[2]int]*upsampler
	done    int
	total   int
}

// Open reads the checkpoint and holds it against the inputs.
func (r *superres) Open(ctx context.Context, env *pipeline.Env, in pipeline.Meta) (_ pipeline.Meta, err error) {
	if r.Checkpoint == "" {
		return in, fmt.Errorf("checkpoint is not set: give a trained model's checkpoint.pt by --checkpoint")
	}
	device, err := torchx.OpenDevice(env.Run.Device)
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
	if r.BaseNoiseScale >= 0 {
		flow.NoiseScale = r.BaseNoiseScale
	}
	r.sampler = r.Superres.sampler(flow)
	if err := r.sampler.Validate(); err != nil {
		return in, err
	}
	if err := r.check(in.Files); err != nil {
		return in, err
	}
	r.env, r.mem, r.files, r.up = env, env.Mem, in.Files, map[[2]int]*upsampler{}
	if r.thread, err = torchx.StartThread(env.Run.Threads); err != nil {
		return in, err
	}
	config := r.loaded.Config
	config.Device = device
	key := map[string]string{"ema": "ema_state_dict", "raw": "model_state_dict"}[r.Weights]
	err = r.thread.Do(ctx, func(s *torchx.Scope) (err error) {
		r.net, err = r.loaded.Net(s, key, config)
		return err
	})
	if err != nil {
		return in, fmt.Errorf("%s: %w", r.Checkpoint, err)
	}
	in.Channels, in.Factor = r.loaded.Channels, r.loaded.Input.Factor
	return in, nil
}

// check holds every file's shape against the network.
func (r *superres) check(files []pipeline.File) error {
	factor, multiple := r.loaded.Input.Factor, r.loaded.Config.Downsampling()
	for _, f := range files {
		if f.C != len(r.loaded.Channels) {
			return fmt.Errorf("%s: %d channels, but the checkpoint's are %d: %s", f.Path, f.C, len(r.loaded.Channels), strings.Join(r.loaded.Channels, ", "))
		}
		if f.H*factor%multiple != 0 || f.W*factor%multiple != 0 {
			return fmt.Errorf("%s: grid %d x %d: want H and W that, times %d, are multiples of %d", f.Path, f.H, f.W, factor, multiple)
		}
		r.total += f.F
	}
	return nil
}

// Process makes one frame fine.
func (r *superres) Process(ctx context.Context, in pipeline.Element) ([]pipeline.Element, error) {
	f := in.(*frames.Frames)
	file := filepath.Base(r.files[f.Origins[0].Seed].Path)
	xLo, err := r.condition(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	defer xLo.Release()
	factor := r.loaded.Input.Factor
	h, w := f.H*factor, f.W*factor
	var fine []float32
	err = r.thread.Do(ctx, func(s *torchx.Scope) error {
		torchx.NoGrad(func() { fine = r.draw(ctx, s, xLo, h, w, f.Origins[0].Frame) })
		return s.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	out := frames.New(r.loaded.Channels, h, w, f.Origins, frames.NewBuffer(r.mem, len(fine)), nil)
	r.physical(frames.Floats(out.Hi), fine, h*w)
	r.done++
	r.env.Progress.Note("%s, frame %d: %d of %d", file, f.Origins[0].Frame, r.done, r.total)
	return []pipeline.Element{out}, nil
}

// condition is x_lo (C,h,w): the coarse frame, normalized and interpolated.
func (r *superres) condition(f *frames.Frames) (*memory.Buffer, error) {
	channels, factor, cells := len(r.loaded.Channels), r.loaded.Input.Factor, f.H*f.W
	size := [2]int{f.H, f.W}
	if r.up[size] == nil {
		r.up[size] = newUpsampler(f.H, f.W, factor, r.loaded.Input.Periodic)
	}
	out := frames.NewBuffer(r.mem, channels*cells*factor*factor)
	plane := make([]float32, cells)
	fine := cells * factor * factor
	for c := range channels {
		gather(plane, frames.Floats(f.Hi), c, channels)
		if at := firstNonFinite(plane); at >= 0 {
			out.Release()
			return nil, fmt.Errorf("field %s: %g at y=%d, x=%d", r.loaded.Channels[c], plane[at], at/f.W, at%f.W)
		}
		mean, scale := float32(r.loaded.Stats.Mean[c]), float32(1/r.loaded.Stats.Std[c])
		for i, v := range plane {
			plane[i] = (v - mean) * scale
		}
		r.up[size].plane(frames.Floats(out)[c*fine:(c+1)*fine], plane)
	}
	return out, nil
}

// draw is one sample (C,h,w), normalized.
func (r *superres) draw(ctx context.Context, s *torchx.Scope, xLo *memory.Buffer, h, w, frame int) []float32 {
	condition := r.net.Input(s, xLo.Bytes(), 1, h, w)
	if r.Noise == "fixed" {
		frame = 0
	}
	noise := func(s *torchx.Scope, k uint64) torchx.Tensor {
		seed := rng.Stream(r.env.Run.Seed, rng.SampleNoise, uint64(frame), k)
		return s.To(s.Randn(seed, condition.Shape()...), torchx.Float32, r.net.Device, r.net.Format)
	}
	x0 := r.sampler.SampleBase(s, condition, noise(s, 0))
	stepNoise := func(s *torchx.Scope, n int) torchx.Tensor { return noise(s, uint64(n)+1) }
	return s.Floats(r.sampler.Sample(ctx, s, r.net.Velocity(condition, r.UseBF16), x0, condition, stepNoise))
}

// physical undoes the normalization and puts channels last.
func (r *superres) physical(dst, planes []float32, cells int) {
	channels := len(r.loaded.Channels)
	for c := range channels {
		mean, std := r.loaded.Stats.Mean[c], r.loaded.Stats.Std[c]
		for i, v := range planes[c*cells : (c+1)*cells] {
			dst[i*channels+c] = float32(float64(v)*std + mean)
		}
	}
}

// Close frees the network and closes the checkpoint.
func (r *superres) Close() error {
	if r.net != nil {
		r.net.Free()
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
