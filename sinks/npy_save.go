package sinks

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"fmsr/internal/frames"
	"fmsr/internal/npy"
	"fmsr/pipeline"
)

// NpySave writes the frames of each input file to a file of the same name.
//
//	frames (1,H,W,C)      -- a.0 -- a.1 -- b.0 --
//	                      [      npy_save       ]
//	DIR/a.npy, DIR/b.npy  --------- a ---- b ----
type NpySave struct{}

func init() {
	pipeline.Register(pipeline.Declaration{
		Name: "npy_save",
		Doc: `Writes the frames of each input file to a file of the same name in the run's folder.

	frames (1,H,W,C)      -- a.0 -- a.1 -- b.0 --
	                      [      npy_save       ]
	DIR/a.npy, DIR/b.npy  --------- a ---- b ----

float32, channels last. A file appears when it is whole.`,
		Link:   pipeline.Link{Needs: pipeline.Stored},
		Config: func() any { return &NpySave{} },
		New:    func(any) pipeline.Stage { return &npySave{} },
	})
}

type npySave struct {
	env   *pipeline.Env
	files []pipeline.File
	out   *npy.Writer // of the file whose frames are coming
}

// Open checks that no output would overwrite an input or another output.
func (n *npySave) Open(_ context.Context, env *pipeline.Env, in pipeline.Meta) (pipeline.Meta, error) {
	n.env, n.files = env, in.Files
	if len(in.Files) == 0 {
		return in, fmt.Errorf("it knows no input files: put files_load at the start")
	}
	from := map[string]string{}
	for _, f := range in.Files {
		path := n.path(f)
		if path == f.Path {
			return in, fmt.Errorf("%s would be overwritten: give another folder by --out", path)
		}
		if other, ok := from[path]; ok {
			return in, fmt.Errorf("%s and %s would both become %s", other, f.Path, path)
		}
		from[path] = f.Path
	}
	return in, os.MkdirAll(env.Run.Dir, 0o755)
}

func (n *npySave) path(f pipeline.File) string {
	return filepath.Join(n.env.Run.Dir, filepath.Base(f.Path))
}

// Process appends a frame to its file, and finishes the file with its last one.
func (n *npySave) Process(_ context.Context, in pipeline.Element) ([]pipeline.Element, error) {
	f := in.(*frames.Frames)
	if n.out == nil {
		file := n.files[f.Origins[0].Seed]
		out, err := npy.Create(n.path(file), []int{file.F, f.H, f.W, len(f.Channels)})
		if err != nil {
			return nil, err
		}
		n.out = out
	}
	if err := n.out.Write(frames.Floats(f.Hi)); err != nil {
		return nil, err
	}
	if n.out.Whole() {
		if err := n.out.Commit(); err != nil {
			return nil, err
		}
		n.out = nil
	}
	return nil, nil
}

// Close removes a file that is not whole.
func (n *npySave) Close() error {
	if n.out == nil {
		return nil
	}
	return n.out.Close()
}
