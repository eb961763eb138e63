package pipeline_test

import (
	"context"
	"fmt"
	"os"
	"strings"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/pipeline"
)

// Shout is a stage as its own file would hold it: a config, a declaration and
// the work.
//
//	frames   -- 1 ------ 2 --
//	         [ prints each ]
//	frames   -- 1 ------ 2 --
type Shout struct {
	Mark  string `yaml:"mark" doc:"what is printed after each frame"`
	Times int    `yaml:"times" min:"1" doc:"how often it is printed"`
}

func (c *Shout) Validate(_ *pipeline.Run, report func(key, format string, args ...any)) {
	if c.Mark == "" {
		report("mark", "is empty: want something to print")
	}
}

type shout struct{ Shout }

var _ pipeline.Processor = (*shout)(nil)

func (s *shout) Open(_ context.Context, _ *pipeline.Env, in pipeline.Meta) (pipeline.Meta, error) {
	return in, nil
}

func (s *shout) Process(_ context.Context, in pipeline.Element) ([]pipeline.Element, error) {
	fmt.Println(in.Origin() + strings.Repeat(s.Mark, s.Times))
	in.Retain() // it is passed on
	return []pipeline.Element{in}, nil
}

func (s *shout) Close() error { return nil }

// Three is a source of three empty frames.
type Three struct{}

type three struct{ env *pipeline.Env }

var _ pipeline.Source = (*three)(nil)

func (s *three) Open(_ context.Context, env *pipeline.Env, _ pipeline.Meta) (pipeline.Meta, error) {
	s.env = env
	return pipeline.Meta{Channels: []string{"velx"}, Grid: field.Grid{H: 2, W: 2}}, nil
}

func (s *three) Emit(_ context.Context, _ pipeline.Pass, send func(pipeline.Element) error) error {
	for i := range 3 {
		origin := []frames.Origin{{Seed: 7, Frame: i}}
		if err := send(frames.New([]string{"velx"}, field.Grid{H: 2, W: 2}, origin, frames.NewBuffer(s.env.Mem, 4), nil)); err != nil {
			return err
		}
	}
	return nil
}

func (s *three) Close() error { return nil }

// A new stage needs one new file: this, and a spec can name it. fmsr list,
// describe and lint know it from the declaration.
func ExampleRegister() {
	pipeline.Register(pipeline.Declaration[Shout]{
		Name:    "shout",
		Doc:     "Prints each frame.",
		Link:    pipeline.Link{Needs: pipeline.Planar},
		Default: Shout{Mark: "!", Times: 1},
		New:     func(c *Shout) pipeline.Stage { return &shout{*c} },
	})
	pipeline.Register(pipeline.Declaration[Three]{
		Name: "three",
		Doc:  "Sends three frames.",
		Link: pipeline.Link{Adds: pipeline.Planar},
		New:  func(*Three) pipeline.Stage { return &three{} },
	})

	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	const yaml = `
version: 1
flow:
  - three:
  - shout: {times: 2}
`
	spec, err := pipeline.Parse("example.yaml", []byte(yaml),
		[]pipeline.Override{{Path: "run.dir", Value: dir, Flag: "--out"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	account, err := os.Create(dir + "/account")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer account.Close()
	if err := pipeline.Execute(context.Background(), spec, pipeline.Options{Out: account, Cache: dir}); err != nil {
		fmt.Println(err)
	}
	// Output:
	// seed 7, frame 0!!
	// seed 7, frame 1!!
	// seed 7, frame 2!!
}
