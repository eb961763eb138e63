package stages

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"fmsr/internal/dataset"
	"fmsr/internal/format/npy"
	"fmsr/internal/frames"
	"fmsr/internal/store/infile"
	"fmsr/pipeline"
)

// FilesLoad reads the frames of npy files.
//
//	a.npy, b.npy (F,H,W,C)   -- a ------------------ b --
//	                         [        files_load        ]
//	frames (1,H,W,C)         -- frame 0 -- 1 -- 2 -- 0 --
type FilesLoad struct {
	Input  string   `yaml:"input" flag:"input" path:"file" doc:"an npy file, a folder of them, or a glob pattern"`
	Fields []string `yaml:"fields" flag:"fields" doc:"names of the files' channels, in order; a model takes its own from them; empty: the model's channels"`
}

func init() {
	pipeline.Register(pipeline.Declaration[FilesLoad]{
		Name: "files_load",
		Doc: `Reads the frames of npy files of any grid.

	a.npy, b.npy (F,H,W,C)   -- a ------------------ b --
	                         [        files_load        ]
	frames (1,H,W,C)         -- frame 0 -- 1 -- 2 -- 0 --

A file is an array (frames, H, W, channels) in C order, of a type that npy_load reads.
The stage below is superres.`,
		Link: pipeline.Link{Adds: pipeline.Stored},
		New:  func(c *FilesLoad) pipeline.Stage { return &filesLoad{FilesLoad: *c} },
	})
}

var _ pipeline.Source = (*filesLoad)(nil)

// Validate reports names that no fields may have.
func (c *FilesLoad) Validate(_ *pipeline.Run, report func(key, format string, args ...any)) {
	if err := dataset.CheckNames(c.Fields); err != nil {
		report("fields", "%v", err)
	}
}

type filesLoad struct {
	FilesLoad
	env    *pipeline.Env
	files  []pipeline.File
	stamps []infile.Stamp // of each file, when its header was read
}

// Open finds the files and reads their headers.
func (l *filesLoad) Open(_ context.Context, env *pipeline.Env, in pipeline.Meta) (pipeline.Meta, error) {
	l.env = env
	if l.Input == "" {
		return in, fmt.Errorf("input is not set: give an npy file, a folder or a glob by --input")
	}
	paths, err := dataset.FindFiles(l.Input)
	if err != nil {
		return in, fmt.Errorf("input %w", err)
	}
	identity := sha256.New()
	for _, path := range paths {
		f, err := npy.Open(path)
		if err != nil {
			return in, err
		}
		shape, stamp := f.Shape, f.Stamp()
		f.Close()
		fmt.Fprintf(identity, "%s %v\n", path, stamp)
		if len(shape) != 4 {
			return in, fmt.Errorf("%s: shape %v, want (frames, H, W, channels)", path, shape)
		}
		if n := len(l.Fields); n > 0 && shape[3] != n {
			return in, fmt.Errorf("%s: %d channels, but fields names %d: %s", path, shape[3], n, strings.Join(l.Fields, ", "))
		}
		lossy, err := l.lossy(path, shape[3])
		if err != nil {
			return in, err
		}
		in.Lossy.Add(lossy)
		l.files = append(l.files, pipeline.File{Path: path, F: shape[0], H: shape[1], W: shape[2], C: shape[3]})
		l.stamps = append(l.stamps, stamp)
	}
	in.Files, in.Identity = l.files, hex.EncodeToString(identity.Sum(nil))
	if len(l.Fields) > 0 {
		in.Channels = l.Fields
	}
	return in, nil
}

// lossy finds the lossy fields of a file. Without names all fields are the model's, which
// cannot do without one.
func (l *filesLoad) lossy(path string, channels int) (dataset.Lossy, error) {
	names := l.Fields
	if len(names) == 0 {
		for c := range channels {
			names = append(names, fmt.Sprint(c))
		}
	}
	found, err := dataset.FindLossy(dataset.Files{Path: path}, names)
	if err == nil && len(l.Fields) == 0 {
		err = found.Check(names)
	}
	return found, err
}

// Emit sends the frames, file by file.
func (l *filesLoad) Emit(ctx context.Context, _ pipeline.Pass, send func(pipeline.Element) error) error {
	for i, f := range l.files {
		all := make([]int, f.F)
		for frame := range all {
			all[frame] = frame
		}
		names := l.Fields
		if len(names) == 0 {
			names = make([]string, f.C)
		}
		run := dataset.Run{Fields: names, Grid: l.env.Run.Domain(f.H, f.W)}
		seed := dataset.Seed{Files: dataset.Files{Path: f.Path}, Assignment: dataset.Assignment{Seed: i, Split: frames.Test}, Frames: all, Stamps: l.stamps[i : i+1]}
		if err := seed.Emit(ctx, l.env.Mem, run, func(f *frames.Frames) error { return send(f) }); err != nil {
			return err
		}
	}
	return nil
}

// Close has nothing to free.
func (l *filesLoad) Close() error { return nil }
