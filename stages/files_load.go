package stages

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr/internal/frames"
	"fmsr/internal/npy"
	"fmsr/pipeline"
)

// FilesLoad reads the frames of any npy files.
//
//	a.npy, b.npy (F,H,W,C)   -- a ------------------ b --
//	                         [        files_load        ]
//	frames (1,H,W,C)         -- frame 0 -- 1 -- 2 -- 0 --
type FilesLoad struct {
	Input string `yaml:"input" flag:"input" path:"file" doc:"an npy file, a folder of them, or a glob pattern"`
}

func init() {
	pipeline.Register(pipeline.Declaration{
		Name: "files_load",
		Doc: `Reads the frames of any npy files, of whatever grids.

	a.npy, b.npy (F,H,W,C)   -- a ------------------ b --
	                         [        files_load        ]
	frames (1,H,W,C)         -- frame 0 -- 1 -- 2 -- 0 --

(frames, H, W, channels) in C order; the types that npy_load reads. For superres.`,
		Link:   pipeline.Link{Source: true, Adds: pipeline.Stored},
		Config: func() any { return &FilesLoad{} },
		New:    func(config any) pipeline.Stage { return &filesLoad{FilesLoad: *config.(*FilesLoad)} },
	})
}

type filesLoad struct {
	FilesLoad
	mem   memory.Allocator
	files []pipeline.File
}

// Open finds the files and reads their headers.
func (l *filesLoad) Open(_ context.Context, env *pipeline.Env, in pipeline.Meta) (pipeline.Meta, error) {
	l.mem = env.Mem
	paths, err := l.find()
	if err != nil {
		return in, err
	}
	for _, path := range paths {
		f, err := npy.Open(path)
		if err != nil {
			return in, err
		}
		shape := f.Shape
		f.Close()
		if len(shape) != 4 {
			return in, fmt.Errorf("%s: shape %v, want (frames, H, W, channels)", path, shape)
		}
		l.files = append(l.files, pipeline.File{Path: path, F: shape[0], H: shape[1], W: shape[2], C: shape[3]})
	}
	in.Files = l.files
	return in, nil
}

// find is the files that the input names, sorted.
func (l *filesLoad) find() ([]string, error) {
	if l.Input == "" {
		return nil, fmt.Errorf("input is not set: give an npy file, a folder or a glob by --input")
	}
	pattern := l.Input
	info, err := os.Stat(l.Input)
	switch {
	case err == nil && !info.IsDir():
		return []string{l.Input}, nil
	case err == nil:
		pattern = filepath.Join(l.Input, "*.npy")
	}
	paths, err := filepath.Glob(pattern)
	if err != nil {
		return nil, fmt.Errorf("input %s: %w", l.Input, err)
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("input %s: no npy file there", l.Input)
	}
	slices.Sort(paths)
	return paths, nil
}

// Emit sends the frames, file by file.
func (l *filesLoad) Emit(ctx context.Context, _ pipeline.Pass, send func(pipeline.Element) error) error {
	for i, f := range l.files {
		all := make([]int, f.F)
		for frame := range all {
			all[frame] = frame
		}
		if err := emitFile(ctx, l.mem, seedFile{seedFiles: seedFiles{path: f.Path}, seed: i, split: frames.Test, frames: all}, make([]string, f.C), send); err != nil {
			return err
		}
	}
	return nil
}

// Close has nothing to free: files are closed by their last frame.
func (l *filesLoad) Close() error { return nil }
