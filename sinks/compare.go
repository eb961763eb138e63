package sinks

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"

	"fmsr/internal/evaluate"
	"fmsr/internal/field"
	"fmsr/internal/frames"
	"fmsr/internal/store/atomicfile"
	"fmsr/pipeline"
)

// Compare compares superres's samples with the truth, if there is one.
//
//	fine, x_lo (1,C,H,W)   -- a.0 -- a.1 -- b.0 --
//	                       [ errors and spectra  ] --> a table, comparison.json, images/
//	fine, x_lo             -- a.0 -- a.1 -- b.0 --
type Compare struct {
	TruthFiles
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

The truth of NAME.npy is the file of the same name, (F,H,W,C) on the fine grid. These
metrics are in physical units, of the bilinear input, of the samples and, if there are
several, of their mean:

` + evaluate.Standard.Help(evaluate.Files) + `
Grids of different sizes are compared separately. Only the fields that pictures show
are held in memory.`,
		Link: pipeline.Link{Needs: pipeline.Planar | pipeline.Paired},
		New:  func(c *Compare) pipeline.Stage { return &compare{Compare: *c} },
	})
}

var (
	_ pipeline.Processor = (*compare)(nil)
	_ pipeline.Flusher   = (*compare)(nil)
	_ pipeline.Reader    = (*compare)(nil)
	_ pipeline.Writer    = (*compare)(nil)
)

type compare struct {
	Compare
	env      *pipeline.Env
	in       pipeline.Meta
	samples  int
	truth    truth
	grids    []*evaluate.Comparison
	ensemble evaluate.Ensemble
}

// Open finds the truth of each input and checks its shape.
func (c *compare) Open(_ context.Context, env *pipeline.Env, in pipeline.Meta) (pipeline.Meta, error) {
	if c.Truth == "" {
		return in, nil
	}
	c.env, c.in, c.samples = env, in, max(1, in.Samples)
	return in, c.truth.find(c.TruthFiles, env, in)
}

// Reads returns the truth's files.
func (c *compare) Reads() []string { return c.truth.paths() }

// Writes returns the results.
func (c *compare) Writes() []string {
	if c.Truth == "" {
		return nil
	}
	return []string{comparisonName, "images"}
}

// Process compares a sample and passes it on.
func (c *compare) Process(_ context.Context, in pipeline.Element) ([]pipeline.Element, error) {
	if c.Truth != "" {
		if err := c.add(in.(*frames.Frames)); err != nil {
			return nil, err
		}
	}
	in.Retain()
	return []pipeline.Element{in}, nil
}

func (c *compare) add(f *frames.Frames) error {
	origin := f.Origins[0]
	g, err := c.comparison(f.Grid)
	if err != nil {
		return err
	}
	if origin.Sample == 0 {
		if err := c.start(g, f); err != nil {
			return err
		}
	}
	if err := g.Add(evaluate.Sample, frames.Floats(f.Hi)); err != nil {
		return err
	}
	if c.samples == 1 {
		return nil
	}
	c.ensemble.Add(frames.Floats(f.Hi))
	if origin.Sample < c.samples-1 {
		return nil
	}
	return g.AddEnsemble(&c.ensemble)
}

// start begins a frame with its truth and the bilinear input.
func (c *compare) start(g *evaluate.Comparison, f *frames.Frames) error {
	origin := f.Origins[0]
	truth, err := c.truth.planes(origin, f.Grid)
	if err != nil {
		return err
	}
	label := fmt.Sprintf("%s, frame %d", stem(c.in.Files[origin.Seed].Path), origin.Frame)
	if err := g.Start([]string{label}, truth); err != nil {
		return err
	}
	c.ensemble.Reset()
	return g.Add(evaluate.Bilinear, frames.Floats(f.Lo))
}

// comparison returns the comparison of the frames on a grid.
func (c *compare) comparison(grid field.Grid) (*evaluate.Comparison, error) {
	for _, g := range c.grids {
		if g.Grid == grid {
			return g, nil
		}
	}
	k, err := kernels(grid, c.in.Factor)
	if err != nil {
		return nil, err
	}
	g := evaluate.New(evaluate.Standard, c.in.Channels, grid, c.in.Factor, k)
	c.grids = append(c.grids, g)
	return g, nil
}

// Flush writes the table, comparison.json and the pictures.
func (c *compare) Flush(context.Context) ([]pipeline.Element, error) {
	if len(c.grids) == 0 {
		return nil, nil
	}
	c.env.Progress.Done()
	dir := c.env.Run.Dir
	all := comparisonFile{Truth: c.Truth, Samples: c.samples}
	for _, g := range c.grids {
		all.Grids = append(all.Grids, newGridResult(g))
		figures := g.Figures()
		printTables(c.env.Out, figures.Tables(fmt.Sprintf("%d frames, %s", g.Truth.Frames, g.Grid)))
		fmt.Fprintln(c.env.Out)
		for _, line := range otherTruth(figures) {
			c.env.Progress.Note("warning: %s", line)
		}
		images := filepath.Join(dir, "images")
		if len(c.grids) > 1 {
			images = filepath.Join(images, fmt.Sprintf("%dx%d", g.Grid.H, g.Grid.W))
		}
		if err := c.draw(g, images); err != nil {
			return nil, err
		}
	}
	data, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, comparisonName)
	if err := atomicfile.WriteFile(path, append(data, '\n')); err != nil {
		return nil, err
	}
	fmt.Fprintf(c.env.Out, "figures   %s\npictures  %s\n", path, filepath.Join(dir, "images"))
	return nil, nil
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

// draw writes the pictures of a grid to a folder.
func (c *compare) draw(g *evaluate.Comparison, dir string) error {
	pictures, err := g.Pictures(c.env.Run.Unit)
	if err != nil {
		return err
	}
	for _, p := range pictures {
		if err := writePicture(filepath.Join(dir, filepath.FromSlash(p.Name)+".png"), p); err != nil {
			return err
		}
	}
	return nil
}

// Close closes the truth.
func (c *compare) Close() error {
	c.truth.close()
	return nil
}
