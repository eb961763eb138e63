package sinks

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"fmsr/internal/dataset/npyfiles"
	"fmsr/internal/format/npy"
	"fmsr/internal/frames"
	"fmsr/internal/spectra"
	"fmsr/internal/store/atomicfile"
	"fmsr/internal/torchx"
	"fmsr/pipeline"
)

// Compare holds what superres makes against the truth, where it is given.
//
//	fine, x_lo (1,C,H,W)   -- a.0 -- a.1 -- b.0 --
//	                       [ errors and spectra  ] --> a table, comparison.json, images/
//	fine, x_lo             -- a.0 -- a.1 -- b.0 --
type Compare struct {
	Truth  string   `yaml:"truth" flag:"truth" path:"file" doc:"the true fine fields, to compare with: a file, a folder or a glob of npy files of the inputs' names; empty: nothing is compared"`
	Fields []string `yaml:"fields" flag:"fields" doc:"names of the truth's channels, in their order; empty: they are the model's"`
}

func init() {
	pipeline.Register(pipeline.Declaration[Compare]{
		Name: "compare",
		Doc: `Holds what superres makes against the truth, where it is given.

	fine, x_lo (1,C,H,W)   -- a.0 -- a.1 -- b.0 --
	                       [ errors and spectra  ] --> a table, comparison.json, images/
	fine, x_lo             -- a.0 -- a.1 -- b.0 --

The truth of NAME.npy is the file of that name, (F,H,W,C) on the fine grid. For the
bilinear input, the samples and, where there are several, their mean: the mean squared
error in physical units, that over the input's, and the power in the band that pooling
lost (N/2f <= k < N/2), over the truth's. An ensemble's spread over error is the root
of (1 + 1/N) of its mean variance over the root mean squared error of its mean: 1 where
truth and samples come from one distribution, less where the samples are too alike.
Grids of different sizes are compared apart. Only what pictures show is held in memory.`,
		Link: pipeline.Link{Needs: pipeline.Planar | pipeline.Paired},
		New:  func(c *Compare) pipeline.Stage { return &compare{Compare: *c} },
	})
}

var (
	_ pipeline.Processor = (*compare)(nil)
	_ pipeline.Flusher   = (*compare)(nil)
)

type compare struct {
	Compare
	env     *pipeline.Env
	in      pipeline.Meta
	samples int
	paths   []string // the truth of each input file
	pick    []int    // of each channel in the truth
	thread  *torchx.Thread

	file     *npy.File // of the input file whose frames are coming
	of       int       // its index
	grids    []*gridComparison
	ensemble ensemble
}

// gridComparison is the comparison of the frames of one grid.
type gridComparison struct {
	*comparison
	frames   int
	variance []float64 // of the ensemble in a cell, summed over cells, of each field
}

// Open finds each input's truth and checks its shape.
func (c *compare) Open(_ context.Context, env *pipeline.Env, in pipeline.Meta) (pipeline.Meta, error) {
	if c.Truth == "" {
		return in, nil
	}
	c.env, c.in, c.samples = env, in, max(1, in.Samples)
	if err := c.findChannels(); err != nil {
		return in, err
	}
	found, err := npyfiles.Find(c.Truth)
	if err != nil {
		return in, fmt.Errorf("truth %w", err)
	}
	for _, f := range in.Files {
		base := filepath.Base(f.Path)
		i := slices.IndexFunc(found, func(path string) bool { return filepath.Base(path) == base })
		if i < 0 {
			return in, fmt.Errorf("truth %s: no %s there, which is wanted for %s", c.Truth, base, f.Path)
		}
		if err := c.check(found[i], f); err != nil {
			return in, err
		}
		c.paths = append(c.paths, found[i])
	}
	c.thread, err = torchx.StartThread(env.Run.Threads)
	return in, err
}

// findChannels finds the model's channels in the truth.
func (c *compare) findChannels() error {
	for i, name := range c.in.Channels {
		if len(c.Fields) > 0 {
			if i = slices.Index(c.Fields, name); i < 0 {
				return fmt.Errorf("the truth's fields are %s: the model's are %s: %s is missing", strings.Join(c.Fields, ", "), strings.Join(c.in.Channels, ", "), name)
			}
		}
		c.pick = append(c.pick, i)
	}
	return nil
}

func (c *compare) check(path string, input pipeline.File) error {
	f, err := npy.Open(path)
	if err != nil {
		return fmt.Errorf("truth: %w", err)
	}
	defer f.Close()
	channels := len(c.Fields)
	if channels == 0 {
		channels = len(c.in.Channels)
	}
	want := []int{input.F, input.H * c.in.Factor, input.W * c.in.Factor, channels}
	if !slices.Equal(f.Shape, want) {
		return fmt.Errorf("truth %s: shape %v, want %v for %s", path, f.Shape, want, input.Path)
	}
	return nil
}

// Process takes a sample in and passes it on.
func (c *compare) Process(ctx context.Context, in pipeline.Element) ([]pipeline.Element, error) {
	if c.Truth != "" {
		if err := c.add(ctx, in.(*frames.Frames)); err != nil {
			return nil, err
		}
	}
	in.Retain()
	return []pipeline.Element{in}, nil
}

func (c *compare) add(ctx context.Context, f *frames.Frames) error {
	origin := f.Origins[0]
	g := c.grid(f.H, f.W)
	if origin.Sample == 0 {
		truth, err := c.truth(origin, f.H*f.W)
		if err != nil {
			return err
		}
		base := filepath.Base(c.in.Files[origin.Seed].Path)
		label := fmt.Sprintf("%s, frame %d", strings.TrimSuffix(base, filepath.Ext(base)), origin.Frame)
		g.frames++
		g.start([]string{label}, truth)
		g.add(sourceLo, frames.Floats(f.Lo))
		c.ensemble.reset()
	}
	g.add(sourceSample, frames.Floats(f.Hi))
	if c.samples > 1 {
		c.ensemble.add(frames.Floats(f.Hi))
		if origin.Sample == c.samples-1 {
			g.add(sourceMean, c.ensemble.means())
			for i := range c.ensemble.mean {
				g.variance[i/(f.H*f.W)] += c.ensemble.variance(i)
			}
		}
	}
	if err := c.thread.Do(ctx, g.measure); err != nil {
		return fmt.Errorf("spectra: %w", err)
	}
	return nil
}

// grid is the comparison of frames of that size.
func (c *compare) grid(h, w int) *gridComparison {
	for _, g := range c.grids {
		if g.h == h && g.w == w {
			return g
		}
	}
	ly, lx := c.env.Run.Box()
	g := &gridComparison{
		comparison: newComparison(c.in.Channels, c.env.Run.Unit, c.in.Factor, spectra.NewShells(h, w, ly, lx)),
		variance:   make([]float64, len(c.in.Channels)),
	}
	c.grids = append(c.grids, g)
	return g
}

// truth is the true planes (C,H,W) of a frame. One file is open at a time.
func (c *compare) truth(origin frames.Origin, cells int) ([]float32, error) {
	if c.file == nil || c.of != origin.Seed {
		c.closeFile()
		var err error
		if c.file, err = npy.Open(c.paths[origin.Seed]); err != nil {
			return nil, fmt.Errorf("truth: %w", err)
		}
		c.of = origin.Seed
	}
	channels := c.file.Shape[3]
	frame := make([]float32, cells*channels)
	if err := c.file.Read(frame, origin.Frame*len(frame)); err != nil {
		return nil, fmt.Errorf("truth: %w", err)
	}
	planes := make([]float32, len(c.pick)*cells)
	for k, channel := range c.pick {
		plane := planes[k*cells : (k+1)*cells]
		for i := range plane {
			if plane[i] = frame[i*channels+channel]; math.IsNaN(float64(plane[i])) || math.IsInf(float64(plane[i]), 0) {
				w := c.file.Shape[2]
				return nil, fmt.Errorf("truth %s: frame %d: field %s: %g at y=%d, x=%d", c.file.Path, origin.Frame, c.in.Channels[k], plane[i], i/w, i%w)
			}
		}
	}
	return planes, nil
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
		all.Grids = append(all.Grids, g.result(c.samples))
		g.table(c)
		images := filepath.Join(dir, "images")
		if len(c.grids) > 1 {
			images = filepath.Join(images, fmt.Sprintf("%dx%d", g.h, g.w))
		}
		if err := g.save(images); err != nil {
			return nil, err
		}
	}
	data, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, "comparison.json")
	if err := atomicfile.WriteFile(path, append(data, '\n')); err != nil {
		return nil, err
	}
	fmt.Fprintf(c.env.Out, "figures   %s\npictures  %s\n", path, filepath.Join(dir, "images"))
	return nil, nil
}

// table is for a person.
func (g *gridComparison) table(c *compare) {
	var text bytes.Buffer
	tw := tabwriter.NewWriter(&text, 0, 0, 3, ' ', 0)
	fmt.Fprintf(tw, "%d frames, %d x %d\tMSE\tof bilinear\tpower in the lost band, of truth's", g.frames, g.h, g.w)
	if c.samples > 1 {
		fmt.Fprint(tw, "\tspread over error")
	}
	fmt.Fprintln(tw)
	lo := g.figures(sourceLo)
	for _, src := range g.sources() {
		f := g.figures(src)
		fmt.Fprintf(tw, "%s\t%.4g\t%.3f\t%.3f", sourceNames[src].label, f.mse, f.mse/lo.mse, f.band)
		if src == sourceMean {
			all, _ := g.spreadOverError(c.samples)
			fmt.Fprintf(tw, "\t%.3f", all)
		}
		fmt.Fprintln(tw)
	}
	tw.Flush()
	fmt.Fprintf(c.env.Out, "\n%s\n", text.String())
}

// spreadOverError is the ensemble's, the mean over the fields and each field's.
func (g *gridComparison) spreadOverError(samples int) (float64, []float64) {
	var each []float64
	mean := 0.0
	f := g.figures(sourceMean)
	for i, variance := range g.variance {
		expected := variance / float64(g.frames*g.cells()) * (1 + 1/float64(samples))
		each = append(each, math.Sqrt(expected/f.fields[i].mse))
		mean += each[i] / float64(len(g.variance))
	}
	return mean, each
}

// save writes the pictures.
func (g *gridComparison) save(dir string) error {
	pictures, err := g.pictures()
	if err != nil {
		return err
	}
	for _, p := range pictures {
		path := filepath.Join(dir, filepath.FromSlash(p.Name)+".png")
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := atomicfile.WriteFile(path, p.PNG); err != nil {
			return err
		}
	}
	return nil
}

func (c *compare) closeFile() {
	if c.file != nil {
		c.file.Close()
		c.file = nil
	}
}

// Close closes the truth and ends the thread.
func (c *compare) Close() error {
	c.closeFile()
	if c.thread != nil {
		c.thread.Close()
		c.thread = nil
	}
	return nil
}
