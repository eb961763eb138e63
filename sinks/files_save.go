package sinks

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr.example/fmsr/internal/evaluate"
	"fmsr.example/fmsr/internal/format/fieldfile"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/store/atomicfile"
	"fmsr.example/fmsr/internal/store/parts"
	"fmsr.example/fmsr/internal/words"
	"fmsr.example/fmsr/pipeline"
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

arrow, parquet: NAME.arrow has a row for each sample: frame int32, sample int32, time
double where the input says it, and x, an arrow.fixed_shape_tensor of float32 (C,H,W).
NAME.mean.arrow and NAME.spread.arrow have a row for each frame. channel_names is in the
schema's metadata. frame is the number that the input gives its frames; an npy file has
no room for it, nor for the time: its frames are in the input's order.

A file appears when it is whole. A stopped run resumes with the missing files; files that
are there are kept if they are of the same input, checkpoint and spec. With --shard I/N,
or in a Slurm job array, N runs share the input files, and write to one folder.`,
		Link:    pipeline.Link{Needs: pipeline.Planar, End: true},
		Default: FilesSave{Format: "npy"},
		New:     func(c *FilesSave) pipeline.Stage { return &filesSave{FilesSave: *c} },
	})
}

var (
	_ pipeline.Flusher   = (*filesSave)(nil)
	_ pipeline.Keeper    = (*filesSave)(nil)
	_ pipeline.Processor = (*filesSave)(nil)
	_ pipeline.Starter   = (*filesSave)(nil)
	_ pipeline.Writer    = (*filesSave)(nil)
)

type filesSave struct {
	FilesSave
	kept
	samples  int
	out      map[string]*savedFile // of the current input file, by kind
	ensemble evaluate.Ensemble
}

// savedFile is a file being written.
type savedFile struct {
	*fieldfile.Writer
	file *parts.Output
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
	n.kept = kept{name: "files_save", env: env, in: in}
	n.samples, n.out = max(1, in.Samples), map[string]*savedFile{}
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

// Forecast adds the files.
func (n *filesSave) Forecast(f *pipeline.Forecast) {
	files, bytes := 0, 0.0
	for i, file := range n.in.Files {
		if !n.env.Shard.Has(i) {
			continue
		}
		files += len(n.kinds())
		fine := n.env.Run.Domain(file.H, file.W).Finer(max(1, n.in.Factor))
		arrays := len(n.kinds()) + n.samples - 1 // one file has all samples
		bytes += 4 * float64(arrays*file.F*len(n.in.Channels)*fine.Cells())
	}
	f.Disk(n.env.Run.Dir, bytes, words.Count(files, n.Format+" file"))
}

// Writes returns the outputs.
func (n *filesSave) Writes() (names []string) {
	for _, f := range n.in.Files {
		for _, kind := range n.kinds() {
			names = append(names, filepath.Base(n.path(f, kind)))
		}
	}
	return names
}

// Replaces is true: each file's outputs are replaced.
func (n *filesSave) Replaces() bool { return true }

// Resume returns the input files whose outputs are there.
func (n *filesSave) Resume(ctx context.Context, key string) (map[frames.Part]bool, error) {
	finished, err := n.resume(ctx, key, nil, room{})
	if err == nil {
		n.noteFinished(finished)
	}
	return finished, err
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
	file := n.in.Files[origin.Seed]
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
	return nil, n.finish(origin.Seed)
}

// finish puts the outputs of an input file in their place, and records them.
func (n *filesSave) finish(file int) error {
	r := parts.Record{Seed: file}
	for _, kind := range n.kinds() {
		out := n.out[kind]
		delete(n.out, kind)
		if err := out.Commit(); err != nil {
			return err
		}
		r.Files = append(r.Files, out.file.Entry(n.in.Files[file].F))
	}
	return n.set.Commit(r)
}

// Flush notes how many files other runs have yet to make.
func (n *filesSave) Flush(ctx context.Context) ([]pipeline.Element, error) {
	records, missing, err := n.results(ctx)
	if err != nil {
		return nil, err
	}
	if missing > 0 {
		n.noteMissing(len(records), missing)
		return nil, nil
	}
	noteFiles(n.env.Progress.Note, n.env.Run.Dir, records)
	return nil, n.set.Summarize(records)
}

// noteFiles says where the outputs are.
func noteFiles(note func(format string, args ...any), dir string, records []parts.Record) {
	files, rows, bytes := 0, 0, int64(0)
	for _, r := range records {
		for i, f := range r.Files {
			if files++; i == 0 { // the others are of the same frames
				rows += f.Rows
			}
			bytes += f.Bytes
		}
	}
	note("files     %s: %s, %s, %s", dir, words.Count(files, "file"), words.Count(rows, "frame"), atomicfile.Size(bytes))
}

// files notes how many outputs there are: nothing is made of them.
func (w *whole) files() error {
	noteFiles(w.note, w.dir, w.records)
	return w.set.Summarize(w.records)
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
			layout.Origin = append(layout.Origin, "sample")
		case kindSamples:
			layout.Rows = []int{file.F, n.samples}
		}
		if f.Origins[0].Moment.Known {
			layout.Origin = append(layout.Origin, "time")
		}
		out, err := n.set.Create(filepath.Base(n.path(file, kind)))
		if err != nil {
			return err
		}
		w, err := fieldfile.New(out, layout)
		if err != nil {
			return err
		}
		n.out[kind] = &savedFile{w, out}
	}
	return nil
}

// add writes a sample and, after a frame's last sample, the mean and the spread. Each
// write is a record batch, or a row group, of its own, so that only one frame is in
// memory.
func (n *filesSave) add(origin frames.Origin, planes []float32) error {
	named := n.in.Files[origin.Seed].Numbered(origin)
	write := func(kind string, planes []float32) error {
		return n.out[kind].Write([]frames.Origin{named}, memory.NewBufferBytes(frames.Bytes(planes)))
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
