package stages

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr.example/fmsr/internal/dataset"
	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/pipeline"
)

// PairLoad reads the frames of two runs that match, a fine and a coarse one.
//
//	ROOT/FINE, seeds (F,H,W,C)         -- seed 0 --------- seed 1 --
//	ROOT/COARSE, the same seeds        -- seed 0 --------- seed 1 --
//	                                   [        pair_load         ]
//	x_hi, x_lo (1,C,H,W), with origin  -- pair 0 -- 1 -- 0 -- 1 ----
type PairLoad struct {
	Root         string   `yaml:"root" flag:"data-root" path:"file" doc:"folder that holds the run folders"`
	Fine         string   `yaml:"fine" doc:"run folder of the fine frames, with seed_NNNN/npy/*.npy below it"`
	Coarse       string   `yaml:"coarse" doc:"run folder of the coarse frames, of the same seeds"`
	Fields       []string `yaml:"fields" doc:"channel names, in the order of the files' last axis"`
	Channels     []string `yaml:"channels" flag:"channels" doc:"fields to keep, in that order; all: every field of the files"`
	Seeds        []int    `yaml:"seeds" doc:"seeds to read, 0-79 or a list; empty: all of the fine run"`
	FineFrames   []int    `yaml:"fine_frames" doc:"frames of each fine file, 0-3 or a list; empty: all"`
	CoarseFrames []int    `yaml:"coarse_frames" doc:"frames of each coarse file, one for each of fine_frames; empty: the same indices"`
	Boundary     string   `yaml:"boundary" oneof:"periodic|open|clamp" doc:"how interpolation continues beyond an edge; open, also called clamp: with the value at the edge. Without this key, as run.grid.boundary if the spec writes that"`
	Splitting
}

func init() {
	pipeline.Register(pipeline.Declaration[PairLoad]{
		Name: "pair_load",
		Doc: `Reads the frames of two runs that match, a fine and a coarse one.

	ROOT/FINE, seeds (F,H,W,C)         -- seed 0 --------- seed 1 --
	ROOT/COARSE, the same seeds        -- seed 0 --------- seed 1 --
	                                   [        pair_load         ]
	x_hi, x_lo (1,C,H,W), with origin  -- pair 0 -- 1 -- 0 -- 1 ----

x_hi is the fine frame. x_lo is the coarse frame, interpolated bilinearly onto the fine
grid as pool_upsample does; it replaces the pooled x_hi. The fine grid is the same
multiple of the coarse grid along both axes. A spectra stage right below also gets the
coarse frame on its own grid.

Frames match while the two runs show the same moment and have not diverged yet: MRI
turbulence at 128 and at 256 diverges after the linear phase. Without fine_frames and
coarse_frames both files have the same number of frames, which match by index. A
pair's frame number is the fine one; split_time and split_frames cut by it, as
npy_load's do.`,
		Link:    pipeline.Link{Adds: pipeline.Planar | pipeline.Paired},
		Default: PairLoad{Fine: "mri256_nu3e-5", Coarse: "mri128_nu3e-5", Fields: allFields(), Channels: []string{"all"}, Boundary: "clamp"},
		New:     func(c *PairLoad) pipeline.Stage { return &pairLoad{PairLoad: *c} },
	})
}

var (
	_ pipeline.Picker = (*pairLoad)(nil)
	_ pipeline.Reader = (*pairLoad)(nil)

	_ pipeline.Bounded = (*PairLoad)(nil)
)

// SetBoundary makes the interpolation follow the domain's boundary.
func (c *PairLoad) SetBoundary(periodic bool, written func(string) bool) {
	setBoundary(&c.Boundary, "boundary", periodic, "clamp", written)
}

// Advise warns of interpolation across an open boundary, and of what Splitting warns of.
func (c *PairLoad) Advise(run *pipeline.Run, warn func(key, summary, detail string)) {
	run.AdviseBoundary("boundary", c.Boundary, warn)
	c.Splitting.Advise(run, warn)
}

// Validate reports keys that contradict each other.
func (c *PairLoad) Validate(run *pipeline.Run, report func(key, format string, args ...any)) {
	checkNames(c.Fields, report)
	c.check(run, report)
	(&ChannelSelect{Channels: c.Channels}).Validate(run, report)
	if c.Fine == c.Coarse {
		report("coarse", "is %q, as fine is: want another run", c.Coarse)
	}
	if len(c.CoarseFrames) > 0 && len(c.CoarseFrames) != len(c.FineFrames) {
		report("coarse_frames", "are %d, but fine_frames %d: want one for each", len(c.CoarseFrames), len(c.FineFrames))
	}
}

type pairLoad struct {
	PairLoad
	seedFilter
	mem          memory.Allocator
	pick         dataset.Selection
	fine, coarse dataset.Run
	seeds        []seedPair
	keep         channelSelect
	upscale      *field.Upsampler
}

// seedPair is a seed in both runs. Its i-th fine frame matches its i-th coarse frame.
type seedPair struct{ fine, coarse dataset.Seed }

// Open finds the files, reads their headers and splits the seeds.
func (l *pairLoad) Open(ctx context.Context, env *pipeline.Env, _ pipeline.Meta) (pipeline.Meta, error) {
	l.mem = env.Mem
	if err := l.choose(env.Run.Overfit); err != nil {
		return pipeline.Meta{}, err
	}
	identity := sha256.New()
	var meta pipeline.Meta
	l.fine, l.coarse = dataset.Run{Fields: l.Fields, Grid: env.Run.Domain(0, 0)}, dataset.Run{Fields: l.Fields, Grid: env.Run.Domain(0, 0)}
	for i := range l.seeds {
		p := &l.seeds[i]
		if err := l.measure(p); err != nil {
			return pipeline.Meta{}, err
		}
		meta.Announce(pipeline.Seed{Seed: p.fine.Seed, Frames: len(p.fine.Frames), Split: p.fine.Split, Cut: p.fine.Cut})
		p.fine.Identify(identity)
		p.coarse.Identify(identity)
	}
	factor := l.fine.H / l.coarse.H
	if factor < 2 || l.fine.Grid != l.coarse.Finer(factor) {
		return pipeline.Meta{}, fmt.Errorf("fine grid %s, coarse grid %s: want the fine grid to be the same multiple of the coarse grid along both axes", l.fine.Grid, l.coarse.Grid)
	}
	meta.Lossy = l.fine.Lossy
	meta.Lossy.Add(l.coarse.Lossy)
	meta.Channels, meta.Grid, meta.Identity = l.Fields, l.fine.Grid, hex.EncodeToString(identity.Sum(nil))
	meta.Factor, meta.Periodic, meta.Coarse = factor, l.Boundary == "periodic", true
	l.upscale = field.NewUpsampler(l.coarse.Grid, meta.Factor, meta.Periodic)
	l.keep = channelSelect{ChannelSelect: ChannelSelect{Channels: l.Channels}}
	return l.keep.Open(ctx, env, meta)
}

// Reads returns the seeds' files, of both runs.
func (l *pairLoad) Reads() (paths []string) {
	for _, p := range l.seeds {
		paths = append(append(paths, p.fine.Paths()...), p.coarse.Paths()...)
	}
	return paths
}

// choose finds the seeds to read and the split of each.
func (l *pairLoad) choose(overfit bool) error {
	fineLayout, coarseLayout := dataset.Layout{Root: l.Root, Set: l.Fine}, dataset.Layout{Root: l.Root, Set: l.Coarse}
	fine, err := fineLayout.Find()
	if err != nil {
		return err
	}
	coarse, err := coarseLayout.Find()
	if err != nil {
		return err
	}
	l.pick = l.selection(l.Seeds, overfit)
	seeds, err := l.pick.Choose(slices.Sorted(maps.Keys(fine)), fineLayout.String())
	if err != nil {
		return err
	}
	same := dataset.Selection{Seeds: seeds}
	if _, err := same.Choose(slices.Sorted(maps.Keys(coarse)), coarseLayout.String()); err != nil {
		return err
	}
	assigned, err := l.pick.Assign(seeds)
	if err != nil {
		return err
	}
	for _, a := range assigned {
		l.seeds = append(l.seeds, seedPair{
			fine:   dataset.Seed{Files: fine[a.Seed], Assignment: a},
			coarse: dataset.Seed{Files: coarse[a.Seed], Assignment: a},
		})
	}
	return nil
}

// measure reads a seed's headers, and fills in the frames that match.
func (l *pairLoad) measure(p *seedPair) error {
	fine, err := l.fine.Measure(&p.fine)
	if err != nil {
		return err
	}
	coarse, err := l.coarse.Measure(&p.coarse)
	if err != nil {
		return err
	}
	if len(l.FineFrames) == 0 && !slices.Equal(fine, coarse) {
		return fmt.Errorf("%s: %d frames, but %s has %d: list the matching frames in fine_frames and coarse_frames", p.fine.Path, len(fine), p.coarse.Path, len(coarse))
	}
	p.fine.Frames = l.FineFrames
	if len(l.FineFrames) == 0 {
		p.fine.Frames = fine
	}
	p.coarse.Frames = l.CoarseFrames
	if len(l.CoarseFrames) == 0 {
		p.coarse.Frames = p.fine.Frames
	}
	if _, err := dataset.ChooseFrames(fine, p.fine.Frames); err != nil {
		return fmt.Errorf("%s: %w", p.fine.Path, err)
	}
	if _, err := dataset.ChooseFrames(coarse, p.coarse.Frames); err != nil {
		return fmt.Errorf("%s: %w", p.coarse.Path, err)
	}
	return l.cut(p)
}

// cut keeps the pairs for the seed's split.
func (l *pairLoad) cut(p *seedPair) error {
	at, err := l.pick.Cut(p.fine.Assignment, p.fine.Frames)
	if err != nil {
		return fmt.Errorf("%s: %w", p.fine.Path, err)
	}
	fine, coarse := p.fine.Frames, p.coarse.Frames
	p.fine.Frames, p.coarse.Frames = nil, nil
	for _, i := range at {
		p.fine.Frames, p.coarse.Frames = append(p.fine.Frames, fine[i]), append(p.coarse.Frames, coarse[i])
	}
	return nil
}

// Emit sends the pairs, seed by seed.
func (l *pairLoad) Emit(ctx context.Context, _ pipeline.Pass, send func(pipeline.Element) error) error {
	for _, p := range l.seeds {
		if !l.wants(p.fine.Part()) {
			continue
		}
		if err := l.emit(ctx, p, send); err != nil {
			return fmt.Errorf("seed %d: %w", p.fine.Seed, err)
		}
	}
	return nil
}

func (l *pairLoad) emit(ctx context.Context, p seedPair, send func(pipeline.Element) error) error {
	fine, err := p.fine.Reopen()
	if err != nil {
		return err
	}
	defer fine.Close()
	coarse, err := p.coarse.Reopen()
	if err != nil {
		return err
	}
	defer coarse.Close()
	for i, index := range p.fine.Frames {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		hi, err := l.planes(ctx, l.fine, fine, p.fine, index)
		if err != nil {
			return fmt.Errorf("%s: frame %d: %w", p.fine.Path, index, err)
		}
		lo, err := l.planes(ctx, l.coarse, coarse, p.coarse, p.coarse.Frames[i])
		if err != nil {
			hi.Release()
			return fmt.Errorf("%s: frame %d: %w", p.coarse.Path, p.coarse.Frames[i], err)
		}
		err = send(l.pair(hi, lo))
		hi.Release()
		lo.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

// planes returns frame i of a seed, (1,C,H,W), its channels chosen and checked.
func (l *pairLoad) planes(ctx context.Context, run dataset.Run, a *dataset.Arrays, s dataset.Seed, i int) (*frames.Frames, error) {
	stored, err := s.Read(a, l.mem, run, i)
	if err != nil {
		return nil, err
	}
	defer stored.Release()
	out, err := l.keep.Process(ctx, stored)
	if err != nil {
		return nil, err
	}
	return out[0].(*frames.Frames), nil
}

// pair joins a fine frame (1,C,H,W) and a coarse frame (1,C,h,w), and borrows both.
func (l *pairLoad) pair(fine, coarse *frames.Frames) *frames.Frames {
	fine.Hi.Retain()
	coarse.Hi.Retain()
	out := frames.New(fine.Channels, fine.Grid, fine.Origins, fine.Hi, frames.NewBuffer(l.mem, fine.FrameLen()))
	out.Coarse = coarse.Hi
	cells, cellsLo := fine.Cells(), coarse.Cells()
	lo, small := frames.Floats(out.Lo), frames.Floats(out.Coarse)
	for c := range fine.Channels {
		l.upscale.Plane(lo[c*cells:][:cells], small[c*cellsLo:][:cellsLo])
	}
	return out
}

// Close has nothing to free.
func (l *pairLoad) Close() error { return nil }
