package sinks

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"fmsr/internal/evaluate"
	"fmsr/internal/evaluate/physics"
	"fmsr/internal/field"
	"fmsr/internal/frames"
	"fmsr/internal/rng"
	"fmsr/internal/store/atomicfile"
	"fmsr/pipeline"
)

// Physics measures what superres's samples get right of the truth's physics.
//
//	fine, x_lo (1,C,H,W)   -- a.0 -- a.1 -- b.0 --
//	                       [ bands, increments,  ]
//	                       [ energies, ensembles ] --> physics.parquet, physics_summary.parquet, report.html
//	fine, x_lo             -- a.0 -- a.1 -- b.0 --
type Physics struct {
	TruthFiles
	Resamples int `yaml:"resamples" min:"0" max:"1000000" flag:"resamples" doc:"resamples of the bootstrap over the input files, which gives intervals; 0: none"`
}

// The report's files.
const (
	physicsName        = "physics.parquet"
	physicsSummaryName = "physics_summary.parquet"
)

func init() {
	pipeline.Register(pipeline.Declaration[Physics]{
		Name: "physics",
		Doc: `Measures what superres's samples get right of the truth's physics, if there is a truth.

	fine, x_lo (1,C,H,W)   -- a.0 -- a.1 -- b.0 --
	                       [ bands, increments,  ]
	                       [ energies, ensembles ] --> physics.parquet, physics_summary.parquet, report.html
	fine, x_lo             -- a.0 -- a.1 -- b.0 --

The truth of NAME.npy is the file of the same name, as compare's. Fields are found by the
names density velx vely velz Bx By Bz jz; values of fields that are not there are absent.
docs/physics.md has the formulas.

physics.parquet has a row for each value: run, grid, seed (the input file's index), file,
frame, field, metric, band, lag, x, source, member, value. Frame -1 is all frames of the
file together, member -1 all samples or a source without samples. physics_summary.parquet
has the values over all files with bootstrap intervals, which need several files: each is
taken for a simulation of its own.`,
		Link:    pipeline.Link{Needs: pipeline.Planar | pipeline.Paired},
		Default: Physics{Resamples: 1000},
		New:     func(c *Physics) pipeline.Stage { return &physicsSink{Physics: *c} },
	})
}

var (
	_ pipeline.Processor = (*physicsSink)(nil)
	_ pipeline.Flusher   = (*physicsSink)(nil)
	_ pipeline.Reader    = (*physicsSink)(nil)
	_ pipeline.Writer    = (*physicsSink)(nil)
)

type physicsSink struct {
	Physics
	env     *pipeline.Env
	in      pipeline.Meta
	samples int
	truth   truth
	grids   []*physics.Results
	frame   physics.Frame // whose samples are arriving
}

// Open finds the truth of each input.
func (p *physicsSink) Open(_ context.Context, env *pipeline.Env, in pipeline.Meta) (pipeline.Meta, error) {
	if p.Truth == "" {
		return in, nil
	}
	p.env, p.in, p.samples = env, in, max(1, in.Samples)
	return in, p.truth.find(p.TruthFiles, env, in)
}

// Reads returns the truth's files.
func (p *physicsSink) Reads() []string { return p.truth.paths() }

// Writes returns the report.
func (p *physicsSink) Writes() []string {
	if p.Truth == "" {
		return nil
	}
	return []string{physicsName, physicsSummaryName, reportName}
}

// Process keeps a sample and passes it on. A frame is measured with its last sample.
func (p *physicsSink) Process(_ context.Context, in pipeline.Element) ([]pipeline.Element, error) {
	if p.Truth != "" {
		if err := p.add(in.(*frames.Frames)); err != nil {
			return nil, err
		}
	}
	in.Retain()
	return []pipeline.Element{in}, nil
}

func (p *physicsSink) add(f *frames.Frames) error {
	origin := f.Origins[0]
	if origin.Sample == 0 {
		truth, err := p.truth.planes(origin, f.Grid)
		if err != nil {
			return err
		}
		p.frame = physics.Frame{Run: origin.Seed, Frame: origin.Frame, Truth: truth, Bilinear: slices.Clone(f.XLo()), Coarse: p.coarse(f)}
	}
	p.frame.Members = append(p.frame.Members, slices.Clone(f.XHi()))
	if origin.Sample < p.samples-1 {
		return nil
	}
	return p.results(f.Grid).Add(p.frame)
}

// coarse returns the planes (C,H/factor,W/factor) that x_lo was interpolated from.
func (p *physicsSink) coarse(f *frames.Frames) []float32 {
	cells, coarse := f.Cells(), f.Coarser(p.in.Factor).Cells()
	out := make([]float32, len(f.Channels)*coarse)
	for c := range f.Channels {
		field.Coarse(out[c*coarse:][:coarse], f.XLo()[c*cells:][:cells], f.Grid, p.in.Factor, p.in.Periodic)
	}
	return out
}

// results returns the results of the frames on a grid.
func (p *physicsSink) results(grid field.Grid) *physics.Results {
	for _, r := range p.grids {
		if r.Grid == grid {
			return r
		}
	}
	var variance []float64
	if p.in.Trained != nil {
		for _, std := range p.in.Trained.Std {
			variance = append(variance, std*std)
		}
	}
	r := physics.New(physics.NewLayout(grid, p.in.Factor, p.samples), physics.Suite, p.in.Channels, variance)
	p.grids = append(p.grids, r)
	return r
}

// Flush writes the tables and the report.
func (p *physicsSink) Flush(context.Context) ([]pipeline.Element, error) {
	if len(p.grids) == 0 {
		return nil, nil
	}
	about, err := aboutSpec(p.env)
	if err != nil {
		return nil, err
	}
	t := physicsTables{run: p.env.Run.Name, files: p.in.Files, about: about}
	report := newPage(p.env, p.in.Channels)
	report.Title = fmt.Sprintf("%d samples a frame; 90%% intervals in brackets", p.samples)
	for _, m := range physics.Suite {
		report.Metrics = append(report.Metrics, explained{m.Name, m.Unit, m.Doc})
	}
	var pictures []evaluate.Picture
	for _, r := range p.grids {
		rows := r.Summary(p.Resamples, rng.Stream(p.env.Run.Seed, rng.Bootstrap))
		t.grids = append(t.grids, gridTables{r.Grid.String(), r.Rows(), rows})
		report.Tables = append(report.Tables, r.Tables(rows, r.Grid.String())...)
		drawn, err := r.Pictures(rows)
		if err != nil {
			return nil, err
		}
		for _, d := range drawn {
			pictures = append(pictures, evaluate.Picture{Name: d.Name + ", " + r.Grid.String(), PNG: d.PNG})
		}
	}
	html, err := report.html(pictures)
	if err != nil {
		return nil, err
	}
	dir := p.env.Run.Dir
	if err := t.write(filepath.Join(dir, physicsName), filepath.Join(dir, physicsSummaryName)); err != nil {
		return nil, err
	}
	if err := atomicfile.WriteFile(filepath.Join(dir, reportName), html); err != nil {
		return nil, err
	}
	p.env.Progress.Done()
	fmt.Fprintf(p.env.Out, "physics   %s\nreport    %s\n", filepath.Join(dir, physicsName), filepath.Join(dir, reportName))
	return nil, nil
}

// Close closes the truth.
func (p *physicsSink) Close() error {
	p.truth.close()
	return nil
}
