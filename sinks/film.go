package sinks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"path/filepath"
	"slices"
	"strings"

	"fmsr.example/fmsr/internal/evaluate"
	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/picture"
	"fmsr.example/fmsr/internal/store/atomicfile"
	"fmsr.example/fmsr/internal/words"
	"fmsr.example/fmsr/pipeline"
)

// Film films how superres makes a sample.
//
//	fine, x_lo (1,C,H,W)   -- a.0 -- a.1 -- b.0 --
//	x_t of one sample      [ maps and spectra at each step ] --> FILE.gif
//	fine, x_lo             -- a.0 -- a.1 -- b.0 --
type Film struct {
	File       string `yaml:"file" flag:"film" path:"file" json:"-" doc:"the film's file, .gif or .png (APNG); empty: no film"`
	Frame      int    `yaml:"frame" min:"0" flag:"film-frame" json:"-" doc:"which frame of the first input file, in their order, from 0"`
	Field      string `yaml:"field" flag:"film-field" json:"-" doc:"which field; empty: the first"`
	TruthFiles `json:"-"`
}

func init() {
	pipeline.Register(pipeline.Declaration[Film]{
		Name: "film",
		Doc: `Films how superres makes a sample, from t = 0 to 1, if it has a file to write.

	fine, x_lo (1,C,H,W)   -- a.0 -- a.1 -- b.0 --
	x_t of one sample      [ maps and spectra at each step ] --> FILE.gif
	fine, x_lo             -- a.0 -- a.1 -- b.0 --

The film shows x_t of one field between the input and the truth, if there is a truth, the
cells where the input lacks most, and below them the power spectra of all, with that of
x_t - truth. It has a picture for the start and one for each step of the sampler:
--sample-steps 48 makes it smooth. The frame's input file is sampled again, also if its
outputs are there.`,
		Link: pipeline.Link{Needs: pipeline.Planar | pipeline.Paired},
		New:  func(c *Film) pipeline.Stage { return &film{Film: *c} },
	})
}

var (
	_ pipeline.Processor = (*film)(nil)
	_ pipeline.Keeper    = (*film)(nil)
	_ pipeline.Reader    = (*film)(nil)
)

// Validate reports a file of another format, and truth that cannot be read so.
func (c *Film) Validate(run *pipeline.Run, report func(key, format string, args ...any)) {
	c.TruthFiles.Validate(run, report)
	if c.File != "" && !slices.Contains(picture.FilmFormats, c.extension()) {
		report("file", "is %s: want a name that ends with %s", c.File, strings.Join(picture.FilmFormats, ", "))
	}
}

func (c *Film) extension() string { return strings.ToLower(filepath.Ext(c.File)) }

type film struct {
	Film
	env   *pipeline.Env
	in    pipeline.Meta
	truth truth
	field int // index among the channels
	steps []picture.PathStep
}

// Open asks the model for the sample's x_t.
func (f *film) Open(_ context.Context, env *pipeline.Env, in pipeline.Meta) (pipeline.Meta, error) {
	f.env, f.in = env, in
	if f.File == "" {
		return in, nil
	}
	if in.Watch == nil {
		return in, errors.New("there is no model above to film: put film below superres")
	}
	if f.Film.Field != "" {
		if f.field = slices.Index(in.Channels, f.Film.Field); f.field < 0 {
			return in, fmt.Errorf("field is %s, and the model's are %s", f.Film.Field, strings.Join(in.Channels, ", "))
		}
	}
	if n := in.Files[0].F; f.Frame >= n {
		return in, fmt.Errorf("frame is %d, and %s has %s", f.Frame, in.Files[0].Path, words.Count(n, "frame"))
	}
	if f.Truth != "" {
		if err := f.truth.find(f.TruthFiles, env, in); err != nil {
			return in, err
		}
	}
	in.Watch.Of, in.Watch.See = frames.Origin{Frame: f.Frame}, f.see
	return in, nil
}

// see keeps x_t of the field.
func (f *film) see(t float64, x []float32) {
	cells := len(x) / len(f.in.Channels)
	f.steps = append(f.steps, picture.PathStep{T: t, X: picture.Field{Data: slices.Clone(x[f.field*cells:][:cells])}})
}

// Reads returns the truth's files.
func (f *film) Reads() []string { return f.truth.paths() }

// Replaces is true: the film is replaced.
func (f *film) Replaces() bool { return true }

// Resume returns all input files but the filmed one; nil: there is no film.
func (f *film) Resume(context.Context, string) (map[frames.Part]bool, error) {
	if f.File == "" {
		return nil, nil
	}
	others := map[frames.Part]bool{}
	for i, s := range f.in.Seeds {
		others[s.Part()] = i > 0
	}
	return others, nil
}

// Process passes every sample on, and makes the film of the sample that was watched.
func (f *film) Process(_ context.Context, in pipeline.Element) ([]pipeline.Element, error) {
	made := in.(*frames.Frames)
	if f.File != "" && f.in.Watch.Wants(made.Origins[0]) {
		if err := f.make(made); err != nil {
			return nil, fmt.Errorf("%s: %w", f.File, err)
		}
	}
	in.Retain()
	return []pipeline.Element{in}, nil
}

// make writes the film of a sample.
func (f *film) make(made *frames.Frames) error {
	path, err := f.path(made)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := path.Film().Write(&b, f.extension(), picture.Light); err != nil {
		return err
	}
	if err := atomicfile.WriteFile(f.File, b.Bytes()); err != nil {
		return err
	}
	f.env.Progress.Note("film      %s: %s, %s", f.File, words.Count(len(path.Steps), "picture"), atomicfile.Size(int64(b.Len())))
	return nil
}

// path returns what the film shows of a sample.
func (f *film) path(made *frames.Frames) (picture.Path, error) {
	cells := made.Cells()
	plane := func(planes []float32) picture.Field {
		return picture.Field{H: made.H, W: made.W, Data: planes[f.field*cells:][:cells]}
	}
	name, spectrum := f.in.Channels[f.field], newSpectrum(made.Grid)
	path := picture.Path{
		Title: name + ", " + stem(f.in.Files[0].Path), Diverging: evaluate.Signed(made.XLo()[f.field*made.Cells():][:made.Cells()]),
		Input: plane(made.XLo()), Band: evaluate.LostBand(made.Grid, f.in.Factor),
	}
	if o := made.Origins[0]; f.in.Files[0].F > 1 || o.Moment.Known {
		path.Title += ", " + f.in.Files[0].Numbered(o).Label()
	}
	path.InputPower = spectrum.of(path.Input.Data)
	var truth []float32
	if f.Truth != "" {
		planes, err := f.truth.planes(made.Origins[0], made.Grid)
		if err != nil {
			return path, err
		}
		path.Truth = plane(planes)
		truth = path.Truth.Data
		path.TruthPower, path.TruthNote = spectrum.of(truth), evaluate.DeviationNote(truth, nil)
		path.InputNote = evaluate.ErrorNote(path.Input.Data, truth)
		path.Zoom = zoomInFilm(path.Truth, path.Input)
	}
	for _, s := range f.steps {
		s.X.H, s.X.W = made.H, made.W
		s.Power = spectrum.of(s.X.Data)
		if truth != nil {
			s.Error, s.Note = spectrum.of(less(s.X, path.Truth).Data), evaluate.ErrorNote(s.X.Data, truth)
		}
		path.Steps = append(path.Steps, s)
	}
	return path, nil
}

// zoomInFilm returns the cells where the input lacks most of the truth: half as wide as the
// map and a fifth as high, or none on a small grid.
func zoomInFilm(truth, input picture.Field) image.Rectangle {
	size := image.Pt(truth.W/2, min(truth.W/5, truth.H/2))
	if size.Y < 8 {
		return image.Rectangle{}
	}
	return evaluate.Worst(less(truth, input), size)
}

// less returns a - b.
func less(a, b picture.Field) picture.Field {
	out := picture.Field{H: a.H, W: a.W, Data: slices.Clone(a.Data)}
	for i, v := range b.Data {
		out.Data[i] -= v
	}
	return out
}

// Close closes the truth.
func (f *film) Close() error {
	f.truth.close()
	return nil
}

// spectrum computes P(k) of planes on a grid, in float64.
type spectrum struct {
	shells  *field.Shells
	fourier *field.Fourier
}

func newSpectrum(grid field.Grid) spectrum {
	return spectrum{field.NewShells(grid), field.NewFourier(grid)}
}

func (s spectrum) of(plane []float32) []float64 {
	p := make([]float64, s.shells.Len())
	for i, a := range s.fourier.Forward(plane) {
		p[s.shells.Index[i]] += s.shells.Weight(i) * (real(a)*real(a) + imag(a)*imag(a))
	}
	return p
}
