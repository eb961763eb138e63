package stages

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr/internal/frames"
	"fmsr/pipeline"
)

// PairLoad reads the frames of two runs that match, a fine and a coarse one.
//
//	ROOT/FINE, seeds (F,H,W,C)         -- seed 0 --------- seed 1 --
//	ROOT/COARSE, the same seeds        -- seed 0 --------- seed 1 --
//	                                   [        pair_load         ]
//	x_hi, x_lo (1,C,H,W), with origin  -- pair 0 -- 1 -- 0 -- 1 ----
type PairLoad struct {
	Root         string           `yaml:"root" flag:"data-root" path:"file" doc:"folder that holds the run folders"`
	Fine         string           `yaml:"fine" doc:"run folder of the fine frames, with seed_NNNN/npy/*.npy below it"`
	Coarse       string           `yaml:"coarse" doc:"run folder of the coarse frames, of the same seeds"`
	Fields       []string         `yaml:"fields" doc:"channel names, in the order of the files' last axis"`
	Channels     []string         `yaml:"channels" flag:"channels" doc:"fields to keep, in that order; all: every field of the files"`
	Seeds        []int            `yaml:"seeds" doc:"seeds to read, 0-79 or a list; empty: all of the fine run"`
	FineFrames   []int            `yaml:"fine_frames" doc:"frames of each fine file, 0-3 or a list; empty: all"`
	CoarseFrames []int            `yaml:"coarse_frames" doc:"the frames of each coarse file that match them, one by one; empty: those of the same index"`
	Boundary     string           `yaml:"boundary" oneof:"clamp|periodic" doc:"what interpolation finds beyond the edges; clamp: the value at the edge"`
	Splits       []string         `yaml:"splits" oneof:"train|val|test" doc:"splits to read; empty: all"`
	Split        map[string][]int `yaml:"split" doc:"seeds of each split; empty: the first 80% train, then 10% val, 10% test"`
}

func init() {
	pipeline.Register(pipeline.Declaration[PairLoad]{
		Name: "pair_load",
		Doc: `Reads the frames of two runs that match, a fine and a coarse one.

	ROOT/FINE, seeds (F,H,W,C)         -- seed 0 --------- seed 1 --
	ROOT/COARSE, the same seeds        -- seed 0 --------- seed 1 --
	                                   [        pair_load         ]
	x_hi, x_lo (1,C,H,W), with origin  -- pair 0 -- 1 -- 0 -- 1 ----

x_hi is the fine frame, and x_lo the coarse one, interpolated bilinearly onto the
fine grid as pool_upsample does, in place of what pooling x_hi gives. The fine grid
is a multiple of the coarse one, the same along both axes. The coarse frame on its
own grid goes along for a spectra stage right below.

Frames match where the two runs show the same moment and have not parted yet: MRI
turbulence at 128 and at 256 parts after the linear phase. Without fine_frames and
coarse_frames, both files have as many frames and match by index. A frame is
called by its fine index.`,
		Link:    pipeline.Link{Adds: pipeline.Planar | pipeline.Paired},
		Default: PairLoad{Fine: "mri256_nu3e-5", Coarse: "mri128_nu3e-5", Fields: allFields(), Channels: []string{"all"}, Boundary: "clamp"},
		New:     func(c *PairLoad) pipeline.Stage { return &pairLoad{PairLoad: *c} },
	})
}

var _ pipeline.Picker = (*pairLoad)(nil)

// Validate reports keys that cannot be.
func (c *PairLoad) Validate(run *pipeline.Run, report func(key, format string, args ...any)) {
	checkNames(c.Fields, report)
	checkSplit(c.Split, report)
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
	mem     memory.Allocator
	plan    []pairFiles
	keep    channelSelect
	h, w    int // fine
	ch, cw  int // coarse
	upscale *upsampler
	want    func(seed int) bool // nil: every seed
}

// pairFiles is a seed in both runs and the frames that match, by position.
type pairFiles struct{ fine, coarse seedFile }

// Open finds the files, reads their headers and splits the seeds.
func (l *pairLoad) Open(ctx context.Context, env *pipeline.Env, _ pipeline.Meta) (pipeline.Meta, error) {
	l.mem = env.Mem
	if err := l.makePlan(env.Run.Overfit); err != nil {
		return pipeline.Meta{}, err
	}
	identity := sha256.New()
	var meta pipeline.Meta
	for i := range l.plan {
		p := &l.plan[i]
		if err := l.inspect(p); err != nil {
			return pipeline.Meta{}, err
		}
		meta.Announce(pipeline.Seed{Seed: p.fine.seed, Frames: len(p.fine.frames), Split: p.fine.split})
		for _, f := range []seedFile{p.fine, p.coarse} {
			if err := identify(identity, f); err != nil {
				return pipeline.Meta{}, err
			}
		}
	}
	if l.h%l.ch != 0 || l.w%l.cw != 0 || l.h/l.ch != l.w/l.cw || l.h == l.ch {
		return pipeline.Meta{}, fmt.Errorf("fine grid %d x %d, coarse grid %d x %d: want a multiple of it, the same along both axes", l.h, l.w, l.ch, l.cw)
	}
	meta.Channels, meta.H, meta.W, meta.Identity = l.Fields, l.h, l.w, hex.EncodeToString(identity.Sum(nil))
	meta.Factor, meta.Periodic, meta.Coarse = l.h/l.ch, l.Boundary == "periodic", true
	l.upscale = newUpsampler(l.ch, l.cw, meta.Factor, meta.Periodic)
	l.keep = channelSelect{ChannelSelect: ChannelSelect{Channels: l.Channels}}
	return l.keep.Open(ctx, env, meta)
}

// makePlan says which seeds to read, and for which split.
func (l *pairLoad) makePlan(overfit bool) error {
	fineRun, coarseRun := layout{root: l.Root, set: l.Fine}, layout{root: l.Root, set: l.Coarse}
	fine, err := fineRun.find()
	if err != nil {
		return err
	}
	coarse, err := coarseRun.find()
	if err != nil {
		return err
	}
	seeds, err := chooseSeeds(slices.Sorted(maps.Keys(fine)), l.Seeds, l.Split, fineRun.String())
	if err != nil {
		return err
	}
	if _, err := chooseSeeds(slices.Sorted(maps.Keys(coarse)), seeds, nil, coarseRun.String()); err != nil {
		return err
	}
	plan, err := splitSeeds(seeds, l.Splits, l.Split, overfit)
	if err != nil {
		return err
	}
	for _, p := range plan {
		l.plan = append(l.plan, pairFiles{
			fine:   seedFile{seedFiles: fine[p.seed], seed: p.seed, split: p.split},
			coarse: seedFile{seedFiles: coarse[p.seed], seed: p.seed, split: p.split},
		})
	}
	return nil
}

// inspect reads a seed's headers, and fills in the frames that match.
func (l *pairLoad) inspect(p *pairFiles) error {
	fine, err := p.fine.shape(l.Fields, &l.h, &l.w)
	if err != nil {
		return err
	}
	coarse, err := p.coarse.shape(l.Fields, &l.ch, &l.cw)
	if err != nil {
		return err
	}
	if len(l.FineFrames) == 0 && fine != coarse {
		return fmt.Errorf("%s: %d frames, but %s has %d: say by fine_frames and coarse_frames which match", p.fine.path, fine, p.coarse.path, coarse)
	}
	p.fine.frames = l.FineFrames
	if len(l.FineFrames) == 0 {
		if p.fine.frames, err = chooseFrames(fine, nil); err != nil {
			return err
		}
	}
	p.coarse.frames = l.CoarseFrames
	if len(l.CoarseFrames) == 0 {
		p.coarse.frames = p.fine.frames
	}
	if _, err := chooseFrames(fine, p.fine.frames); err != nil {
		return fmt.Errorf("%s: %w", p.fine.path, err)
	}
	if _, err := chooseFrames(coarse, p.coarse.frames); err != nil {
		return fmt.Errorf("%s: %w", p.coarse.path, err)
	}
	return nil
}

// Pick leaves seeds out of what Emit sends.
func (l *pairLoad) Pick(want func(seed int) bool) { l.want = want }

// Emit sends the pairs, seed by seed.
func (l *pairLoad) Emit(ctx context.Context, _ pipeline.Pass, send func(pipeline.Element) error) error {
	for _, p := range l.plan {
		if l.want != nil && !l.want(p.fine.seed) {
			continue
		}
		if err := l.emit(ctx, p, send); err != nil {
			return fmt.Errorf("seed %d: %w", p.fine.seed, err)
		}
	}
	return nil
}

func (l *pairLoad) emit(ctx context.Context, p pairFiles, send func(pipeline.Element) error) error {
	fine, err := p.fine.open()
	if err != nil {
		return err
	}
	defer fine.close()
	coarse, err := p.coarse.open()
	if err != nil {
		return err
	}
	defer coarse.close()
	for i, index := range p.fine.frames {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		hi, err := l.planes(ctx, fine, p.fine, index)
		if err != nil {
			return fmt.Errorf("%s: frame %d: %w", p.fine.path, index, err)
		}
		lo, err := l.planes(ctx, coarse, p.coarse, p.coarse.frames[i])
		if err != nil {
			hi.Release()
			return fmt.Errorf("%s: frame %d: %w", p.coarse.path, p.coarse.frames[i], err)
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

// planes is one frame of a file, its channels chosen, checked and planar.
func (l *pairLoad) planes(ctx context.Context, a *seedArrays, f seedFile, index int) (*frames.Frames, error) {
	values, err := a.frame(l.mem, index)
	if err != nil {
		return nil, err
	}
	origin := []frames.Origin{{Seed: f.seed, Frame: index, Split: f.split}}
	stored := frames.New(l.Fields, a.h, a.w, origin, values, nil)
	defer stored.Release()
	out, err := l.keep.Process(ctx, stored)
	if err != nil {
		return nil, err
	}
	return out[0].(*frames.Frames), nil
}

// pair joins a fine and a coarse frame, which it borrows.
func (l *pairLoad) pair(fine, coarse *frames.Frames) *frames.Frames {
	fine.Hi.Retain()
	coarse.Hi.Retain()
	out := frames.New(fine.Channels, fine.H, fine.W, fine.Origins, fine.Hi, frames.NewBuffer(l.mem, fine.FrameLen()))
	out.Coarse = coarse.Hi
	lo, small := frames.Floats(out.Lo), frames.Floats(out.Coarse)
	for c := range fine.Channels {
		l.upscale.plane(lo[c*l.h*l.w:][:l.h*l.w], small[c*l.ch*l.cw:][:l.ch*l.cw])
	}
	return out
}

// Close has nothing to free: files are closed by their last frame.
func (l *pairLoad) Close() error { return nil }
