package sinks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"fmsr/internal/frames"
	"fmsr/internal/parallel"
	"fmsr/internal/prep"
	"fmsr/internal/spectra"
	"fmsr/internal/store/atomicfile"
	"fmsr/internal/store/parts"
	"fmsr/pipeline"
)

// Spectra measures the power spectrum of every field of every frame.
//
//	frames             -- seed 0: 1 - 2 - 3 -- seed 1: 1 - 2 - 3 --
//	                   [                 spectra                  ]
//	DIR/               -- spectra.parquet, spectra_summary.parquet, spectra.png
type Spectra struct{}

func init() {
	pipeline.Register(pipeline.Declaration[Spectra]{
		Name: "spectra",
		Doc: `Measures the power spectrum of every field of every frame.

	frames             -- seed 0: 1 - 2 - 3 -- seed 1: 1 - 2 - 3 --
	                   [                 spectra                  ]
	DIR/               -- spectra.parquet, spectra_summary.parquet, spectra.png

P(k) is the sum of |fft2(f)/(H W)|^2 over the modes whose |k| rounds to k, in units of
the longest side's fundamental; the P(k) of a field sum to its mean square. Sources are
hi and, below pool_upsample, lo: the pooled field on its own grid; below pair_load also
the coarse run's frames on theirs, as sim128 and the like. Below normalize they are
spectra of normalized fields.

spectra.parquet has a row for each seed, frame, split, field, source and k, with the
wavenumber, 2 pi k / longest side of run.grid.box (1 without a box), and the power.
spectra_summary.parquet has the mean and quantiles over the frames of a split, and
spectra.png shows the mean over all frames.

A run that was stopped goes on with what is missing. With --shard I/N, or in a Slurm
job array, N runs share the seeds, in one folder; the last one writes the tables.`,
		Link: pipeline.Link{Needs: pipeline.Planar, End: true},
		New:  func(*Spectra) pipeline.Stage { return &spectraSink{} },
	})
}

var (
	_ pipeline.Fuser   = (*spectraSink)(nil)
	_ pipeline.Flusher = (*spectraSink)(nil)
	_ pipeline.Keeper  = (*spectraSink)(nil)
)

// spectraSink gathers frames, a few for each core, and works on them in parallel.
type spectraSink struct {
	env     *pipeline.Env
	in      pipeline.Meta
	seeds   map[int]pipeline.Seed
	plan    *prep.Plan // what is done to the frames first
	kernel  *spectra.Plan
	coarse  *spectra.Plan // of a coarse run's own frames; nil where there are none
	sources []powerSource
	set     *parts.Set

	group  int // frames worked on at once
	held   []*frames.Frames
	index  []int // which frame of each
	powers []framePowers
	seed   *seedPowers
	ending background // a seed's powers on their way to the disk
}

// framePowers is a frame's P(k) of every source, (C,shells).
type framePowers [][]float64

// Open plans the transforms.
func (s *spectraSink) Open(_ context.Context, env *pipeline.Env, in pipeline.Meta) (pipeline.Meta, error) {
	var err error
	if s.seeds, err = seedsOf(in); err != nil {
		return in, err
	}
	s.env, s.in, s.plan = env, in, &prep.Plan{}
	ly, lx := env.Run.Box()
	kernel, err := spectra.NewPlan(spectra.NewShells(in.H, in.W, ly, lx), in.Factor)
	if err != nil {
		return in, err
	}
	s.kernel = kernel
	s.sources = []powerSource{{"hi", kernel.Hi}}
	if kernel.Lo != nil {
		s.sources = append(s.sources, powerSource{"lo", kernel.Lo})
	}
	if in.Coarse {
		h, w := in.H/in.Factor, in.W/in.Factor
		if s.coarse, err = spectra.NewPlan(spectra.NewShells(h, w, ly, lx), 0); err != nil {
			return in, err
		}
		s.sources = append(s.sources, powerSource{fmt.Sprintf("sim%d", max(h, w)), s.coarse.Hi})
	}
	s.group = 4 * runtime.GOMAXPROCS(0)
	for range s.group {
		p := make(framePowers, 3) // hi, lo and the coarse run's; the last may be absent
		for i, src := range s.sources {
			p[i] = make([]float64, len(in.Channels)*src.shells.Len())
		}
		s.powers = append(s.powers, p)
	}
	return in, nil
}

// Resume looks for the seeds that are there, and for room for the others.
func (s *spectraSink) Resume(_ context.Context, key string) (map[int]bool, error) {
	dir := s.env.Run.Dir
	var seeds []int
	for _, seed := range s.in.Seeds {
		seeds = append(seeds, seed.Seed)
	}
	key = fmt.Sprintf("%s box %v", key, s.env.Run.Grid.Box)
	set, err := parts.Open(dir, key, seeds, s.env.Fresh, s.env.Shard.Has)
	if err != nil {
		return nil, &pipeline.InputError{Err: err}
	}
	finished, err := set.Finished()
	if err != nil {
		return nil, err
	}
	s.set = set
	need, mine, done := int64(0), 0, 0
	for i, seed := range s.in.Seeds {
		need += int64(seed.Frames) * s.frameBytes() // of the table
		switch {
		case !s.env.Shard.Has(i):
			continue
		case finished[seed.Seed]:
			done++
		default:
			need += int64(seed.Frames) * s.frameBytes()
		}
		mine++
	}
	if err := atomicfile.Room(dir, need); err != nil {
		return nil, &pipeline.InputError{Err: err}
	}
	if done > 0 {
		s.env.Progress.Note("spectra: %d of %d seeds are there already", done, mine)
	}
	if len(finished) < len(seeds) { // they would be tables of something else
		for _, name := range append(reportFiles, parts.Whole) {
			if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
				return nil, err
			}
		}
	}
	return finished, nil
}

// frameBytes is about what a frame's powers take in a file.
func (s *spectraSink) frameBytes() int64 {
	n := 0
	for _, src := range s.sources {
		n += len(s.in.Channels) * src.shells.Len()
	}
	return 10 * int64(n)
}

// Fuse takes over the preprocessing above; x_lo is not made.
func (s *spectraSink) Fuse(above []pipeline.Stage) (n int) {
	s.plan, n = prep.Fold(above)
	return n
}

// Process gathers frames of a seed and measures them.
func (s *spectraSink) Process(_ context.Context, in pipeline.Element) ([]pipeline.Element, error) {
	f := in.(*frames.Frames)
	for n := range f.N() {
		if err := s.take(f, n); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

func (s *spectraSink) take(f *frames.Frames, n int) error {
	origin := f.Origins[n]
	if s.seed == nil {
		s.seed = newSeedPowers(s.seeds[origin.Seed], len(s.in.Channels), s.sources)
	}
	if origin.Seed != s.seed.seed.Seed {
		return frames.At(origin, fmt.Errorf("internal error: it comes before the end of seed %d", s.seed.seed.Seed))
	}
	f.Retain()
	s.held, s.index = append(s.held, f), append(s.index, n)
	last := len(s.seed.frames)+len(s.held) == s.seed.seed.Frames
	if last || len(s.held) == s.group {
		if err := s.measure(); err != nil {
			return err
		}
	}
	if !last {
		return nil
	}
	seed := s.seed
	s.seed = nil
	return s.ending.start(func() error { return seed.commit(s.env.Run.Dir, s.set) })
}

// measure does the frames held, in parallel.
func (s *spectraSink) measure() error {
	defer s.drop()
	err := parallel.Each(len(s.held), func(i int) error {
		f, n, p := s.held[i], s.index[i], s.powers[i]
		err := s.kernel.Run(f, n, s.plan, p[0], p[1])
		if err == nil && s.coarse != nil {
			if f.Coarse == nil {
				return frames.At(f.Origins[n], errors.New("a stage above lost the coarse run's frame"))
			}
			own := &frames.Frames{Channels: f.Channels, H: s.coarse.Hi.H, W: s.coarse.Hi.W, Hi: f.Coarse}
			err = s.coarse.Run(own, n, &prep.Plan{Mean: s.plan.Mean, Std: s.plan.Std}, p[2], nil)
		}
		if err != nil {
			return frames.At(f.Origins[n], err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i, f := range s.held {
		s.seed.add(f.Origins[s.index[i]].Frame, s.powers[i])
	}
	return nil
}

// Flush writes the tables if this run found the last seed.
func (s *spectraSink) Flush(context.Context) ([]pipeline.Element, error) {
	if err := s.ending.wait(); err != nil {
		return nil, err
	}
	if s.seed != nil {
		return nil, fmt.Errorf("seed %d ended early, after %d frames of %d", s.seed.seed.Seed, len(s.seed.frames)+len(s.held), s.seed.seed.Frames)
	}
	if s.set == nil {
		return nil, errors.New("internal error: it was not asked what is there already")
	}
	records, missing, err := s.set.All()
	if err != nil {
		return nil, err
	}
	dir := s.env.Run.Dir
	if missing > 0 {
		s.env.Progress.Note("spectra   %s: %d of %d seeds, %d are missing still", dir, len(records), len(s.in.Seeds), missing)
		return nil, nil
	}
	t, err := s.tables(records)
	if err != nil {
		return nil, err
	}
	if err := t.write(); err != nil {
		return nil, err
	}
	if err := s.set.Summarize(reportFiles...); err != nil {
		return nil, err
	}
	s.env.Progress.Note("spectra   %s: %d seeds, %d frames", filepath.Join(dir, tableName), len(records), t.frames())
	return nil, nil
}

// drop releases what is held.
func (s *spectraSink) drop() {
	for _, f := range s.held {
		f.Release()
	}
	s.held, s.index = s.held[:0], s.index[:0]
}

// Close frees the plan and what an interrupted run left here.
func (s *spectraSink) Close() error {
	s.drop()
	_ = s.ending.wait() // its error is the run's already, or the run was stopped
	s.kernel.Close()
	if s.coarse != nil {
		s.coarse.Close()
	}
	return nil
}
