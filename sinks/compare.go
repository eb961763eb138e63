package sinks

import (
	"context"
	"fmt"

	"fmsr.example/fmsr/internal/evaluate"
	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/runview"
	"fmsr.example/fmsr/pipeline"
)

// Compare compares superres's samples with the truth, if there is one.
//
//	fine, x_lo (1,C,H,W)   -- a.0 -- a.1 -- b.0 --
//	                       [ errors and spectra  ] --> a table, comparison.json, images/
//	fine, x_lo             -- a.0 -- a.1 -- b.0 --
type Compare struct {
	TruthFiles
	FigureFormat
	MapScale
}

// comparisonName is the name of the figures in the run's folder.
const comparisonName = "comparison.json"

func init() {
	pipeline.Register(pipeline.Declaration[Compare]{
		Name: "compare",
		Doc: `Compares superres's samples with the truth, if there is one.

	fine, x_lo (1,C,H,W)   -- a.0 -- a.1 -- b.0 --
	                       [ errors and spectra  ] --> a table, comparison.json, images/
	fine, x_lo             -- a.0 -- a.1 -- b.0 --

The truth of NAME.npy is the file of the same name or, without one, NAME.npz,
(F,H,W,C) on the fine grid. Two files of one name are refused. The truth of a single input
may be named itself, whatever its name. These metrics are in physical units, of the bilinear
input, of the linear filter that the checkpoint holds, of both projected onto the
constraints, if there are any, of the samples and, if there are several, of their mean:

` + evaluate.Standard.Help(evaluate.Files) + `
Grids of different sizes are compared separately. Only the fields that pictures show
are held in memory. Runs that share the files (--shard I/N) keep the figures of each file,
and the last one joins them.`,
		Link:    pipeline.Link{Needs: pipeline.Planar | pipeline.Paired},
		Default: Compare{FigureFormat: usualFigures, MapScale: usualMaps},
		New:     func(c *Compare) pipeline.Stage { return &compare{Compare: *c} },
	})
}

var (
	_ pipeline.Processor = (*compare)(nil)
	_ pipeline.Flusher   = (*compare)(nil)
	_ pipeline.Keeper    = (*compare)(nil)
	_ pipeline.Reader    = (*compare)(nil)
	_ pipeline.Starter   = (*compare)(nil)
	_ pipeline.Writer    = (*compare)(nil)
)

type compare struct {
	Compare
	kept
	samples  int
	truth    truth
	base     *baselines
	plans    map[field.Grid]evaluate.Kernels
	part     *evaluate.Comparison // of the current input file; nil: none is begun
	ensemble evaluate.Ensemble
}

// Open finds the truth of each input and checks its shape.
func (c *compare) Open(_ context.Context, env *pipeline.Env, in pipeline.Meta) (pipeline.Meta, error) {
	c.kept = kept{name: "compare", env: env, in: in}
	if c.Truth == "" {
		return in, nil
	}
	c.samples, c.plans = max(1, in.Samples), map[field.Grid]evaluate.Kernels{}
	if err := c.truth.find(c.TruthFiles, env, in); err != nil {
		return in, err
	}
	c.in.Files = c.truth.identify(func(file int) any { return c.shownOf(file) })
	c.base = newBaselines(c.name, env, in)
	return in, nil
}

// shownOf returns how many frames of an input file pictures show: the first frames of
// each grid.
func (c *compare) shownOf(file int) int {
	f, n := c.in.Files[file], evaluate.ShownFrames
	for _, before := range c.in.Files[:file] {
		if before.H == f.H && before.W == f.W {
			n -= before.F
		}
	}
	return min(f.F, max(0, n))
}

// Replaces is true: each file's results are replaced.
func (c *compare) Replaces() bool { return true }

// Resume returns the input files that have been compared; nil: nothing is compared.
func (c *compare) Resume(ctx context.Context, key string) (map[frames.Part]bool, error) {
	if c.Truth == "" {
		return nil, nil
	}
	about := aboutComparison{
		Truth: c.Truth, Samples: c.samples, Objective: c.in.Objective, Constraints: c.in.Constraints.Names(),
		Factor: c.in.Factor, Fields: c.in.Channels, Units: map[string]string{},
		Figures: c.Format, Maps: c.MapScale.MapScale,
	}
	for _, field := range c.in.Channels {
		about.Units[field] = c.env.Run.Unit(field)
	}
	return c.resume(ctx, key, about, room{}, comparisonName)
}

// Reads returns the truth's files.
func (c *compare) Reads() []string { return c.truth.paths() }

// Writes returns the results.
func (c *compare) Writes() []string {
	if c.Truth == "" {
		return nil
	}
	return []string{comparisonName, runview.Images, runview.Evaluations}
}

// Process compares a sample and passes it on.
func (c *compare) Process(_ context.Context, in pipeline.Element) ([]pipeline.Element, error) {
	var err error
	if c.Truth == "" {
		err = c.forget()
	} else {
		err = c.add(in.(*frames.Frames))
	}
	if err != nil {
		return nil, err
	}
	in.Retain()
	return []pipeline.Element{in}, nil
}

func (c *compare) add(f *frames.Frames) error {
	origin := f.Origins[0]
	if c.part == nil {
		var err error
		if c.part, err = c.comparison(f.Grid); err != nil {
			return err
		}
	}
	if origin.Sample == 0 {
		if err := c.start(f); err != nil {
			return err
		}
	}
	if err := c.part.Add(evaluate.Sample, frames.Floats(f.Hi)); err != nil {
		return err
	}
	if c.samples > 1 {
		c.ensemble.Add(frames.Floats(f.Hi))
	}
	if origin.Sample < c.samples-1 {
		return nil
	}
	if c.samples > 1 {
		if err := c.part.AddEnsemble(&c.ensemble); err != nil {
			return err
		}
	}
	if origin.Frame < c.in.Files[origin.Seed].F-1 {
		return nil
	}
	return c.end(origin.Seed)
}

// start begins a frame with its truth and the baselines.
func (c *compare) start(f *frames.Frames) error {
	origin := f.Origins[0]
	truth, err := c.truth.planes(origin, f.Grid)
	if err != nil {
		return err
	}
	label := fmt.Sprintf("%s, %s", stem(c.in.Files[origin.Seed].Path), c.in.Files[origin.Seed].Numbered(origin).Label())
	if err := c.part.Start([]string{label}, truth); err != nil {
		return err
	}
	c.ensemble.Reset()
	all, _, err := c.base.of(f)
	if err != nil {
		return err
	}
	for _, of := range all {
		if err := c.part.Add(of.Source, of.Values); err != nil {
			return err
		}
	}
	return nil
}

// comparison returns an empty comparison of frames on a grid.
func (c *compare) comparison(grid field.Grid) (*evaluate.Comparison, error) {
	if _, ok := c.plans[grid]; !ok {
		k, err := kernels(grid, c.in.Factor)
		if err != nil {
			return nil, err
		}
		c.plans[grid] = k
	}
	return evaluate.New(evaluate.Standard, c.in.Channels, grid, c.in.Factor, c.plans[grid]), nil
}

// end keeps the comparison of an input file.
func (c *compare) end(file int) error {
	part := comparedFile{Results: &c.part.Results, shown: c.part.Shown(c.shownOf(file))}
	c.part = nil
	return part.commit(c.set, file)
}

// Flush writes the table, comparison.json and the pictures, once every file is compared.
func (c *compare) Flush(ctx context.Context) ([]pipeline.Element, error) {
	if c.Truth == "" {
		return nil, nil
	}
	records, missing, err := c.results(ctx)
	if err != nil {
		return nil, err
	}
	if missing > 0 {
		c.noteMissing(len(records), missing)
		return nil, nil
	}
	return nil, c.whole(records).compare()
}

// otherTruth returns a line for each field whose bilinear input is farther from the truth
// than the truth's own mean is: hardly an average of the truth.
func otherTruth(figures evaluate.Figures) (lines []string) {
	for _, s := range figures.Sources {
		for _, v := range s.Values {
			if s.Source != evaluate.Bilinear || v.Name != "nmse" {
				continue
			}
			for i, field := range figures.Fields {
				if v.Has[i] && v.Fields[i] > 1 {
					lines = append(lines, fmt.Sprintf("%s: the error of the bilinear input is %.3g times the truth's variance: is the truth of the same frames, fields and units?", field, float64(v.Fields[i])))
				}
			}
		}
	}
	return lines
}

// Close closes the truth.
func (c *compare) Close() error {
	c.truth.close()
	return nil
}
