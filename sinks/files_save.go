package sinks

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr/internal/evaluate"
	"fmsr/internal/format/fieldfile"
	"fmsr/internal/frames"
	"fmsr/internal/store/atomicfile"
	"fmsr/pipeline"
)

// FilesSave writes the frames of each input file to files of the same name.
//
//	frames (1,C,H,W)      -- a.0 -- a.1 -- b.0 --
//	                      [      files_save     ]
//	DIR/a.npy, DIR/b.npy  --------- a ---- b ----
type FilesSave struct {
	Format string `yaml:"format" oneof:"npy|arrow|parquet" flag:"format" doc:"format of the files; arrow: IPC files"`
}

func init() {
	pipeline.Register(pipeline.Declaration[FilesSave]{
		Name: "files_save",
		Doc: `Writes the frames of each input file to files of the same name in the run's folder.

	frames (1,C,H,W)      -- a.0 -- a.1 -- b.0 --
	                      [      files_save     ]
	DIR/a.npy, DIR/b.npy  --------- a ---- b ----

npy: NAME.npy (F,H,W,C), float32, channels last. With several samples of a frame,
NAME.npy has the first sample, NAME.samples.npy (F,N,H,W,C) has all of them, and
NAME.mean.npy and NAME.spread.npy (F,H,W,C) have their mean and their standard
deviation (with N-1).

arrow, parquet: NAME.arrow has a row for each sample: frame int32, sample int32 and x,
an arrow.fixed_shape_tensor of float32 (C,H,W). NAME.mean.arrow and NAME.spread.arrow
have a row for each frame. channel_names is in the schema's metadata.

A file appears when it is whole.`,
		Link:    pipeline.Link{Needs: pipeline.Planar, End: true},
		Default: FilesSave{Format: "npy"},
		New:     func(c *FilesSave) pipeline.Stage { return &filesSave{FilesSave: *c} },
	})
}

var (
	_ pipeline.Processor = (*filesSave)(nil)
	_ pipeline.Writer    = (*filesSave)(nil)
)

type filesSave struct {
	FilesSave
	env      *pipeline.Env
	files    []pipeline.File
	samples  int
	out      map[string]*fieldfile.Writer // files of the current input file, by kind
	ensemble evaluate.Ensemble
}

// The kinds of output, by the text between the name and its extension.
const (
	kindFirst   = ""
	kindSamples = ".samples"
	kindMean    = ".mean"
	kindSpread  = ".spread"
)

// kinds returns the outputs of an input file.
func (n *filesSave) kinds() []string {
	switch {
	case n.samples == 1:
		return []string{kindFirst}
	case n.Format == "npy":
		return []string{kindFirst, kindSamples, kindMean, kindSpread}
	default:
		return []string{kindFirst, kindMean, kindSpread}
	}
}

// Open checks that no output would overwrite another output.
func (n *filesSave) Open(_ context.Context, env *pipeline.Env, in pipeline.Meta) (pipeline.Meta, error) {
	n.env, n.files, n.samples, n.out = env, in.Files, max(1, in.Samples), map[string]*fieldfile.Writer{}
	if len(in.Files) == 0 {
		return in, errors.New("there are no input files: put files_load at the start")
	}
	from := map[string]string{}
	for _, f := range in.Files {
		for _, kind := range n.kinds() {
			path := n.path(f, kind)
			if name := filepath.Base(path); len(name) > longestFileName {
				return in, fmt.Errorf("%s would become %s, a name of %d bytes: want at most %d", f.Path, name, len(name), longestFileName)
			}
			if other, ok := from[path]; ok {
				return in, fmt.Errorf("%s and %s would both become %s", other, f.Path, path)
			}
			from[path] = f.Path
		}
	}
	return in, nil
}

// longestFileName is the most bytes that file systems allow.
const longestFileName = 255

// Writes returns the outputs.
func (n *filesSave) Writes() (names []string) {
	for _, f := range n.files {
		for _, kind := range n.kinds() {
			names = append(names, filepath.Base(n.path(f, kind)))
		}
	}
	return names
}

func (n *filesSave) path(f pipeline.File, kind string) string {
	return filepath.Join(n.env.Run.Dir, stem(f.Path)+kind+"."+n.Format)
}

// stem returns a file's name without its extension.
func stem(path string) string {
	base := filepath.Base(path)
	return strings.TrimSuffix(base, filepath.Ext(base))
}

// Process appends a frame to its files, and finishes them with the last one.
func (n *filesSave) Process(_ context.Context, in pipeline.Element) ([]pipeline.Element, error) {
	f := in.(*frames.Frames)
	origin := f.Origins[0]
	file := n.files[origin.Seed]
	if len(n.out) == 0 {
		if err := n.create(file, f); err != nil {
			return nil, err
		}
	}
	if err := n.add(origin, frames.Floats(f.Hi)); err != nil {
		return nil, err
	}
	if origin.Frame < file.F-1 || origin.Sample < n.samples-1 {
		return nil, nil
	}
	for _, kind := range n.kinds() {
		out := n.out[kind]
		delete(n.out, kind)
		if err := out.Commit(); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// create starts the files of an input file.
func (n *filesSave) create(file pipeline.File, f *frames.Frames) error {
	for _, kind := range n.kinds() {
		layout := fieldfile.Layout{
			Format: n.Format, Channels: f.Channels, H: f.H, W: f.W,
			Origin: []string{"frame"}, Columns: []string{"x"}, Rows: []int{file.F}, ChannelsLast: true,
		}
		switch kind {
		case kindFirst:
			layout.Origin = []string{"frame", "sample"}
		case kindSamples:
			layout.Rows = []int{file.F, n.samples}
		}
		out, err := atomicfile.Create(n.path(file, kind))
		if err != nil {
			return err
		}
		if n.out[kind], err = fieldfile.New(out, layout); err != nil {
			delete(n.out, kind)
			return err
		}
	}
	return nil
}

// add writes a sample and, after a frame's last sample, the mean and the spread. Each
// write is a record batch, or a row group, of its own, so that only one frame is in
// memory.
func (n *filesSave) add(origin frames.Origin, planes []float32) error {
	write := func(kind string, planes []float32) error {
		return n.out[kind].Write([]frames.Origin{origin}, memory.NewBufferBytes(frames.Bytes(planes)))
	}
	if origin.Sample == 0 || n.Format != "npy" {
		if err := write(kindFirst, planes); err != nil {
			return err
		}
	}
	if n.samples == 1 {
		return nil
	}
	if n.Format == "npy" {
		if err := write(kindSamples, planes); err != nil {
			return err
		}
	}
	if origin.Sample == 0 {
		n.ensemble.Reset()
	}
	n.ensemble.Add(planes)
	if origin.Sample < n.samples-1 {
		return nil
	}
	if err := write(kindMean, n.ensemble.Mean()); err != nil {
		return err
	}
	return write(kindSpread, n.ensemble.Spread())
}

// Close removes unfinished files.
func (n *filesSave) Close() error {
	var errs []error
	for _, out := range n.out {
		errs = append(errs, out.Close())
	}
	return errors.Join(errs...)
}
