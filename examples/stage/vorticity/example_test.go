package vorticity_test

import (
	"context"
	"fmt"
	"log"
	"os"

	"example.org/vorticity/vorticity"
	"fmsr.example/fmsr/pipeline"
)

// waves is a source of frames that a program makes itself.
type waves struct {
	count int
	env   *pipeline.Env
}

// Open says what Emit will send.
func (w *waves) Open(_ context.Context, env *pipeline.Env, _ pipeline.Meta) (m pipeline.Meta, err error) {
	w.env = env
	m.Channels, m.Grid = []string{"velx", "vely"}, env.Run.Domain(4, 8)
	m.Announce(pipeline.Seed{Seed: 0, Frames: w.count, Split: pipeline.Train})
	return m, nil
}

// Emit sends planar frames (1,2,4,8) of u = n y. The receiver owns them.
func (w *waves) Emit(_ context.Context, _ pipeline.Pass, send func(pipeline.Element) error) error {
	for n := range w.count {
		hi := pipeline.NewBuffer(w.env.Mem, 2*4*8)
		values := pipeline.Floats(hi)
		clear(values)
		for i := range 4 * 8 {
			values[i] = float32(n * (i / 8))
		}
		origin := []pipeline.Origin{{Frame: n, Split: pipeline.Train}}
		if err := send(pipeline.NewFrames([]string{"velx", "vely"}, w.env.Run.Domain(4, 8), origin, hi, nil)); err != nil {
			return err
		}
	}
	return nil
}

// Close has nothing to free.
func (w *waves) Close() error { return nil }

// Frames go from a program through a flow and back.
func Example() {
	dir, err := os.MkdirTemp("", "vorticity")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	spec, err := pipeline.Compose(
		func(r *pipeline.Run) { r.Dir = dir },
		pipeline.Given(pipeline.Planar, &waves{count: 3}),
		pipeline.With(func(c *vorticity.Vorticity) { c.Name = "w" }),
	)
	if err != nil {
		log.Fatal(err)
	}
	err = pipeline.Execute(context.Background(), spec, pipeline.Options{
		Cache: dir,
		Receive: func(e pipeline.Element) error { // borrows it: what is kept has to be copied
			f := e.(*pipeline.Frames)
			fmt.Println(f.Origin(), f.Channels, f.XHi()[2*4*8+8])
			return nil
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// seed 0, frame 0 [velx vely w] 0
	// seed 0, frame 1 [velx vely w] -1
	// seed 0, frame 2 [velx vely w] -2
}
