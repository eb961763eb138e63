package sinks

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"fmsr.example/fmsr/internal/evaluate/physics"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/rng"
	"fmsr.example/fmsr/internal/runview"
	"fmsr.example/fmsr/pipeline"
)

// Physics measures what superres's samples get right of the truth's physics.
//
//	fine, x_lo (1,C,H,W)   -- a.0 -- a.1 -- b.0 --
//	                       [ bands, increments,  ]
//	                       [ energies, ensembles ] --> physics.parquet, physics_summary.parquet, report.html
//	fine, x_lo             -- a.0 -- a.1 -- b.0 --
type Physics struct {
	TruthFiles
	Names     []string `yaml:"names" flag:"names" doc:"the usual names of fields that have others, as rho=density,b1=Bx; the tables then call them so"`
	Resamples int      `yaml:"resamples" min:"0" max:"1000000" flag:"resamples" doc:"resamples of the bootstrap over the input files, which gives intervals; 0: none"`
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
names density velx vely velz Bx By Bz jz, or those that the key names gives them; values of
fields that are not there are absent.
docs/physics.md has the formulas. report.html shows compare's figures and fields too.

physics.parquet has a row for each value: run, objective, constraints, grid, seed (the input
file's index), file, frame, field, metric, band, lag, x, source, member, value, time. Frame -1 is all frames of the
file together, member -1 all samples or a source without samples; time is null where the
input does not say it. physics_summary.parquet
has the values over all files with bootstrap intervals, which need several files: each is
taken for a simulation of its own. All samples of a frame are held in memory. Runs that
share the files (--shard I/N) keep the results of each file, and the last one joins them.`,
		Link:    pipeline.Link{Needs: pipeline.Planar | pipeline.Paired},
		Default: Physics{Resamples: 1000},
		New:     func(c *Physics) pipeline.Stage { return &physicsSink{Physics: *c} },
	})
}

// usualNames are the names by which fields are found.
var usualNames = []string{"density", "velx", "vely", "velz", "Bx", "By", "Bz", "jz"}

// Validate reports what is not FIELD=NAME, and truth that cannot be read so.
func (c *Physics) Validate(run *pipeline.Run, report func(key, format string, args ...any)) {
	c.TruthFiles.Validate(run, report)
	seen := map[string]bool{}
	for _, text := range c.Names {
		field, name, _ := strings.Cut(text, "=")
		if field == "" || !slices.Contains(usualNames, name) {
			report("names", "has %q: want FIELD=NAME, where NAME is one of %s", text, strings.Join(usualNames, ", "))
		}
		if seen[field] || seen["="+name] {
			report("names", "is %v: want each field and each name once", c.Names)
		}
		seen[field], seen["="+name] = true, true
	}
}

// named returns the channels by their usual names.
func (c *Physics) named(channels []string) ([]string, error) {
	channels = slices.Clone(channels)
	for _, text := range c.Names {
		field, name, _ := strings.Cut(text, "=")
		at := slices.Index(channels, field)
		if at < 0 {
			return nil, fmt.Errorf("names has %s, but the fields are %s", text, strings.Join(channels, ", "))
		}
		if other := slices.Index(channels, name); other >= 0 && other != at {
			return nil, fmt.Errorf("names has %s, but another field is called %s", text, name)
		}
		channels[at] = name
	}
	return channels, nil
}

var (
	_ pipeline.Processor = (*physicsSink)(nil)
	_ pipeline.Flusher   = (*physicsSink)(nil)
	_ pipeline.Keeper    = (*physicsSink)(nil)
	_ pipeline.Reader    = (*physicsSink)(nil)
	_ pipeline.Starter   = (*physicsSink)(nil)
	_ pipeline.Writer    = (*physicsSink)(nil)
)

type physicsSink struct {
	Physics
	kept
	samples int
	fields  []string // the channels, by their usual names
	truth   truth
	base    *baselines
	part    *physics.Results // of the current input file; nil: none is begun
	frame   physics.Frame    // whose samples are arriving
}

// Open finds the truth of each input.
func (p *physicsSink) Open(_ context.Context, env *pipeline.Env, in pipeline.Meta) (pipeline.Meta, error) {
	p.kept = kept{name: "physics", env: env, in: in}
	if p.Truth == "" {
		return in, nil
	}
	p.samples = max(1, in.Samples)
	var err error
	if p.fields, err = p.named(in.Channels); err != nil {
		return in, err
	}
	if !slices.ContainsFunc(p.fields, func(name string) bool { return slices.Contains(usualNames, name) }) {
		env.Progress.Note("no field is called %s: energies, stresses, div B and their kind are left out (physics.names, as rho=density,b1=Bx, says which fields they are of)", strings.Join(usualNames, ", "))
	}
	if err := p.truth.find(p.TruthFiles, env, in); err != nil {
		return in, err
	}
	p.in.Files = p.truth.identify(func(int) any { return p.samples })
	p.base = newBaselines(p.name, env, in)
	return in, nil
}

// Reads returns the truth's files.
func (p *physicsSink) Reads() []string { return p.truth.paths() }

// Writes returns the report.
func (p *physicsSink) Writes() []string {
	if p.Truth == "" {
		return nil
	}
	return []string{physicsName, physicsSummaryName, runview.PhysicsName, filepath.Join(runview.Images, "physics"), reportName}
}

// Replaces is true: each file's results are replaced.
func (p *physicsSink) Replaces() bool { return true }

// Resume returns the input files that have been measured; nil: nothing is.
func (p *physicsSink) Resume(ctx context.Context, key string) (map[frames.Part]bool, error) {
	if p.Truth == "" {
		return nil, nil
	}
	about := aboutPhysics{
		Run: p.env.Run.Name, Objective: p.in.Objective, Constraints: p.in.Constraints.Names(), Spec: withoutFolder(p.env.Spec), Fields: p.fields, Factor: p.in.Factor, Samples: p.samples,
		Resamples: p.Resamples, Stream: rng.Stream(p.env.Run.Seed, rng.Bootstrap),
	}
	for _, f := range p.in.Files {
		about.Files = append(about.Files, stem(f.Path))
	}
	return p.resume(ctx, key, about, room{}, physicsName, physicsSummaryName, runview.PhysicsName, reportName)
}

// Process keeps a sample and passes it on. A frame is measured with its last sample.
func (p *physicsSink) Process(_ context.Context, in pipeline.Element) ([]pipeline.Element, error) {
	var err error
	if p.Truth == "" {
		err = p.forget()
	} else {
		err = p.add(in.(*frames.Frames))
	}
	if err != nil {
		return nil, err
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
		all, coarse, err := p.base.of(f)
		if err != nil {
			return err
		}
		all[0].Values = slices.Clone(all[0].Values) // x_lo, which is released
		p.frame = physics.Frame{Frame: p.in.Files[origin.Seed].Numbered(origin).Frame, Moment: origin.Moment, Truth: truth, Baselines: all, Coarse: coarse}
	}
	p.frame.Members = append(p.frame.Members, slices.Clone(f.XHi()))
	if origin.Sample < p.samples-1 {
		return nil
	}
	if p.part == nil {
		p.part = physics.New(physics.NewLayout(f.Grid, p.in.Factor, p.samples), physics.Suite, p.fields, p.variance())
	}
	if err := p.part.Add(p.frame); err != nil {
		return err
	}
	if origin.Frame < p.in.Files[origin.Seed].F-1 {
		return nil
	}
	part := p.part.Part()
	p.part = nil
	return commitPhysics(p.set, origin.Seed, part)
}

// variance returns each field's in the training set; nil if it is not known.
func (p *physicsSink) variance() (out []float64) {
	if p.in.Trained != nil {
		for _, std := range p.in.Trained.Std {
			out = append(out, std*std)
		}
	}
	return out
}

// Flush writes the tables and the report, once every file is measured.
func (p *physicsSink) Flush(ctx context.Context) ([]pipeline.Element, error) {
	if p.Truth == "" {
		return nil, nil
	}
	records, missing, err := p.results(ctx)
	if err != nil {
		return nil, err
	}
	if missing > 0 {
		p.noteMissing(len(records), missing)
		return nil, nil
	}
	return nil, p.whole(records).physics()
}

// Close closes the truth.
func (p *physicsSink) Close() error {
	p.truth.close()
	return nil
}
