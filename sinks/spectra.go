package sinks

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"fmsr.example/fmsr/internal/field/plan"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/parallel"
	"fmsr.example/fmsr/internal/words"
	"fmsr.example/fmsr/pipeline"
)

// Spectra measures the power spectrum of every field of every frame.
//
//	frames             -- seed 0: 1 - 2 - 3 -- seed 1: 1 - 2 - 3 --
//	                   [                 spectra                  ]
//	DIR/               -- spectra.parquet, spectra_summary.parquet, spectra.png, report.html
type Spectra struct{ FigureFormat }

func init() {
	pipeline.Register(pipeline.Declaration[Spectra]{
		Name: "spectra",
		Doc: `Measures the power spectrum of every field of every frame.

	frames             -- seed 0: 1 - 2 - 3 -- seed 1: 1 - 2 - 3 --
	                   [                 spectra                  ]
	DIR/               -- spectra.parquet, spectra_summary.parquet, spectra.png, report.html

P(k) is the sum of |fft2(f)/(H W)|^2 over the modes whose |k| rounds to k, in units of
the longest side's fundamental; the P(k) of a field sum to its mean square. Sources are
hi and, below pool_upsample, lo, the pooled field on its own grid. Below pair_load the
coarse run's own frames are a source too, named sim128 for a grid of 128. Below
normalize, spectra are of normalized fields.

spectra.parquet has a row for each seed, frame, split, field, source and k, with the
wavenumber, 2 pi k / longest side of run.grid.box (1 without a box), the power, and the
simulation's time, null where the files do not say it.
spectra_summary.parquet has the mean and quantiles over the frames of a split, and
spectra.png (or svg, pdf) and report.html show the mean over all frames, tinted from the least 5% to the
largest 95% quantile of a split, and the sources over hi.

A stopped run resumes with the missing seeds. With --shard I/N, or in a Slurm job
array, N runs share the seeds in one folder, and the last one writes the tables, as
fmsr merge does.`,
		Link:    pipeline.Link{Needs: pipeline.Planar, End: true, Once: true},
		Default: Spectra{usualFigures},
		New:     func(c *Spectra) pipeline.Stage { return &spectraSink{Spectra: *c} },
	})
}

var (
	_ pipeline.Fuser   = (*spectraSink)(nil)
	_ pipeline.Flusher = (*spectraSink)(nil)
	_ pipeline.Keeper  = (*spectraSink)(nil)
	_ pipeline.Starter = (*spectraSink)(nil)
	_ pipeline.Writer  = (*spectraSink)(nil)
)

// spectraSink gathers frames, a few for each core, and works on them in parallel.
type spectraSink struct {
	Spectra
	keeper
	plan    *plan.Plan // preprocessing of the frames
	kernel  *plan.Spectra
	coarse  *plan.Spectra // of a coarse run's own frames; nil where there are none
	sources []powerSource
	powers  []framePowers // of the current group of frames
	file    *seedPowers   // of the current seed
}

// framePowers is the P(k) of a frame, (C,shells) for each source.
type framePowers [][]float64

// Open plans the transforms.
func (s *spectraSink) Open(_ context.Context, env *pipeline.Env, in pipeline.Meta) (pipeline.Meta, error) {
	if err := s.open("spectra", env, in); err != nil {
		return in, err
	}
	s.plan = &plan.Plan{}
	kernel, err := plan.NewSpectra(in.Grid, in.Factor)
	if err != nil {
		return in, err
	}
	s.kernel = kernel
	s.sources = []powerSource{{"hi", kernel.Hi}}
	if kernel.Lo != nil {
		s.sources = append(s.sources, powerSource{"lo", kernel.Lo})
	}
	if in.Coarse {
		coarse := in.Coarser(in.Factor)
		if s.coarse, err = plan.NewSpectra(coarse, 0); err != nil {
			return in, err
		}
		s.sources = append(s.sources, powerSource{fmt.Sprintf("sim%d", max(coarse.H, coarse.W)), s.coarse.Hi})
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

// Forecast adds the tables: each seed's results, and the table of all.
func (s *spectraSink) Forecast(f *pipeline.Forecast) {
	frames := 0
	for _, seed := range s.in.Seeds {
		frames += seed.Frames
	}
	f.Disk(s.env.Run.Dir, 2*float64(frames)*float64(s.frameBytes()), "the spectra of "+words.Count(frames, "frame"))
}

// Writes returns the report's files.
func (s *spectraSink) Writes() []string { return reportFiles(s.Format) }

// Resume returns the finished seeds, and checks that the disk has room for the others.
func (s *spectraSink) Resume(ctx context.Context, key string) (map[frames.Part]bool, error) {
	key = fmt.Sprintf("%s box %v", key, s.env.Run.Grid.Box)
	return s.resume(ctx, key, s.about(), room{seed: s.frameBytes(), summary: s.frameBytes()}, reportFiles(s.Format)...)
}

// frameBytes returns the approximate size of a frame's powers in a file.
func (s *spectraSink) frameBytes() int64 {
	n := 0
	for _, src := range s.sources {
		n += len(s.in.Channels) * src.shells.Len()
	}
	return 10 * int64(n)
}

// Fuse takes over the preprocessing above; x_lo is not made.
func (s *spectraSink) Fuse(above []pipeline.Stage) (n int) {
	s.plan, n = plan.Fold(above)
	return n
}

// Process gathers frames of a seed and measures them.
func (s *spectraSink) Process(_ context.Context, in pipeline.Element) ([]pipeline.Element, error) {
	return nil, s.take(in.(*frames.Frames), s)
}

// begin makes room for a seed's powers.
func (s *spectraSink) begin(seed pipeline.Seed) error {
	s.file = newSeedPowers(seed, len(s.in.Channels), s.sources)
	return nil
}

// end writes the seed's powers in the background, while the next seed is measured.
func (s *spectraSink) end() error {
	file := s.file
	s.file = nil
	return s.ending.Start(func() error { return file.commit(s.set) })
}

// work measures the held frames in parallel.
func (s *spectraSink) work() error {
	err := parallel.Each(len(s.held), func(i int) error {
		f, n, p := s.held[i], s.index[i], s.powers[i]
		err := s.kernel.Run(f, n, s.plan, p[0], p[1])
		if err == nil && s.coarse != nil {
			if f.Coarse == nil {
				return frames.At(f.Origins[n], errors.New("a stage above lost the coarse run's frame"))
			}
			own := &frames.Frames{Grid: f.Coarser(s.in.Factor), Channels: f.Channels, Hi: f.Coarse}
			err = s.coarse.Run(own, n, &plan.Plan{Stats: s.plan.Stats}, p[2], nil)
		}
		if err != nil {
			return frames.At(f.Origins[n], err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i := range s.held {
		s.file.add(s.origin(i), s.powers[i])
	}
	return nil
}

// Flush writes the tables if no seed is missing.
func (s *spectraSink) Flush(ctx context.Context) ([]pipeline.Element, error) {
	records, missing, err := s.results(ctx)
	if err != nil {
		return nil, err
	}
	if missing > 0 {
		s.noteMissing(len(records), missing)
		return nil, nil
	}
	return nil, s.whole(records).spectra()
}

// Close releases the frames that an interrupted run still holds.
func (s *spectraSink) Close() error {
	s.close()
	return nil
}
