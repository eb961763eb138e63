package stages

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr.example/fmsr/internal/dataset"
	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/rng"
	"fmsr.example/fmsr/internal/synth"
	"fmsr.example/fmsr/pipeline"
)

// Synth makes random fields, for benchmarks and trials.
//
//	                                -- seed 0 -------- seed 1 --
//	                                [          synth           ]
//	frames (1,H,W,8), with origin   -- frame 0 -- 1 -- 0 -- 1 --
type Synth struct {
	Seeds  int     `yaml:"seeds" min:"1" max:"1000000" flag:"synth-seeds" doc:"number of seeds, from 0 on"`
	Frames int     `yaml:"frames" min:"1" max:"1000000" flag:"synth-frames" doc:"frames of each seed"`
	Grid   []int   `yaml:"grid" min:"4" max:"16384" flag:"grid" doc:"cells along y and x"`
	Slope  float64 `yaml:"slope" min:"0" max:"10" flag:"slope" doc:"power in shell k falls as k^-slope"`
	Splitting
}

func init() {
	pipeline.Register(pipeline.Declaration[Synth]{
		Name: "synth",
		Doc: `Makes random fields with a power-law spectrum.

	                                -- seed 0 -------- seed 1 --
	                                [          synth           ]
	frames (1,H,W,8), with origin   -- frame 0 -- 1 -- 0 -- 1 --

The fields are density velx vely velz Bx By Bz jz, with the spreads of MRI
turbulence, on a periodic grid of square cells of side 1/max(H,W). (Bx,By) has no
corner divergence (average across, difference along), and jz is its curl by
central differences. Nothing is simulated: a seed's frames are two random patterns
that drift through each other. Seeds are split as npy_load does.

A frame depends only on run.seed, its seed and its number: one program gives the same
values on every machine. At 256 x 256 a seed takes about a tenth of a second, and each
of its frames a millisecond.`,
		Link:    pipeline.Link{Adds: pipeline.Stored},
		Default: Synth{Seeds: 100, Frames: 200, Grid: []int{256, 256}, Slope: 5. / 3},
		New:     func(c *Synth) pipeline.Stage { return &synthSource{Synth: *c} },
	})
}

var _ pipeline.Picker = (*synthSource)(nil)

// Validate reports a grid without two sizes, and splits that contradict each other.
func (c *Synth) Validate(run *pipeline.Run, report func(key, format string, args ...any)) {
	if len(c.Grid) != 2 {
		report("grid", "is %v: want the cells along y and x", c.Grid)
	}
	c.check(run, report)
}

type synthSource struct {
	Synth
	seedFilter
	mem   memory.Allocator
	run   uint64 // its seed
	grid  field.Grid
	seeds []dataset.Seed // without files
}

// Open splits the seeds.
func (s *synthSource) Open(_ context.Context, env *pipeline.Env, _ pipeline.Meta) (pipeline.Meta, error) {
	s.mem, s.run, s.grid = env.Mem, env.Run.Seed, env.Run.Domain(s.Grid[0], s.Grid[1])
	all := make([]int, s.Seeds)
	for i := range all {
		all[i] = i
	}
	wanted := s.selection(nil, env.Run.Overfit)
	seeds, err := wanted.Choose(all, "seeds")
	if err != nil {
		return pipeline.Meta{}, err
	}
	assigned, err := wanted.Assign(seeds)
	if err != nil {
		return pipeline.Meta{}, err
	}
	identity := sha256.Sum256(fmt.Appendf(nil, "synth 1 %d %d %v %g", s.run, s.Frames, s.Grid, s.Slope))
	meta := pipeline.Meta{Channels: allFields(), Grid: s.grid, Identity: hex.EncodeToString(identity[:])}
	each := dataset.Numbers(s.Frames)
	for _, a := range assigned {
		numbers, err := wanted.Cut(a, each)
		if err != nil {
			return pipeline.Meta{}, fmt.Errorf("seed %d: %w", a.Seed, err)
		}
		s.seeds = append(s.seeds, dataset.Seed{Assignment: a, Frames: numbers})
		meta.Announce(pipeline.Seed{Seed: a.Seed, Frames: len(numbers), Split: a.Split, Cut: a.Cut})
	}
	return meta, nil
}

// Emit makes the frames, seed by seed.
func (s *synthSource) Emit(ctx context.Context, _ pipeline.Pass, send func(pipeline.Element) error) error {
	maker := synth.New(s.grid.H, s.grid.W, s.Slope)
	for _, p := range s.seeds {
		if !s.wants(p.Part()) {
			continue
		}
		seed := maker.Seed(rng.Stream(s.run, rng.Synthetic, uint64(p.Seed)))
		for _, i := range p.Frames {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			values := frames.NewBuffer(s.mem, s.grid.Cells()*synth.Channels)
			seed.Frame(frames.Floats(values), i)
			origin := []frames.Origin{{Seed: p.Seed, Frame: i, Split: p.Split}}
			if err := send(frames.New(allFields(), s.grid, origin, values, nil)); err != nil {
				return err
			}
		}
	}
	return nil
}

// Close has nothing to free.
func (s *synthSource) Close() error { return nil }
