// Package vorticity is a stage of fmsr in a module of its own: it adds a field to each frame.
package vorticity

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"fmsr.example/fmsr/pipeline"
)

// Vorticity adds the vorticity of the plane, w = dv/dx - du/dy.
//
//	u, v (N,C,H,W)        -- 1 -------- 2 --
//	                      [ central diff.  ]
//	u, v, w (N,C+1,H,W)   -- 1' ------- 2' -
type Vorticity struct {
	U    string `yaml:"u" doc:"velocity along x, the last axis"`
	V    string `yaml:"v" doc:"velocity along y"`
	Name string `yaml:"name" doc:"name of the new field"`
}

func init() {
	pipeline.Register(pipeline.Declaration[Vorticity]{
		Name: "vorticity",
		Doc: `Adds the vorticity of the plane, dv/dx - du/dy, by central differences.

	u, v (N,C,H,W)        -- 1 -------- 2 --
	                      [ central diff.  ]
	u, v, w (N,C+1,H,W)   -- 1' ------- 2' -

The boundaries are periodic, and the length unit is that of run.grid.box.`,
		Link: pipeline.Link{
			Needs: pipeline.Planar, Refuses: pipeline.Paired | pipeline.Normalized,
		},
		Default: Vorticity{U: "velx", V: "vely", Name: "vortz"},
		New:     func(c *Vorticity) pipeline.Stage { return &vorticity{Vorticity: *c} },
	})
}

var _ pipeline.Processor = (*vorticity)(nil)

// Validate reports a new field without a name.
func (c *Vorticity) Validate(_ *pipeline.Run, report func(key, format string, args ...any)) {
	if c.Name == "" {
		report("name", "is empty: want a name for the new field")
	}
}

type vorticity struct {
	Vorticity
	env      *pipeline.Env
	u, v     int // places of the two fields
	channels []string
}

// Open finds the two fields, and announces the third.
func (w *vorticity) Open(
	_ context.Context, env *pipeline.Env, in pipeline.Meta,
) (pipeline.Meta, error) {
	if !in.Wraps() {
		return in, fmt.Errorf("the boundaries are %v: want periodic ones", in.Boundary)
	}
	w.env, w.u, w.v = env, slices.Index(in.Channels, w.U), slices.Index(in.Channels, w.V)
	if w.u < 0 || w.v < 0 || slices.Contains(in.Channels, w.Name) {
		return in, fmt.Errorf("the fields are %s: want %s and %s (u, v), and no %s (name)",
			strings.Join(in.Channels, ", "), w.U, w.V, w.Name)
	}
	w.channels = append(slices.Clone(in.Channels), w.Name)
	in.Channels = w.channels
	return in, nil
}

// Process makes frames with one more field. It borrows its input, and owns what it makes until
// it returns it.
func (w *vorticity) Process(_ context.Context, in pipeline.Element) ([]pipeline.Element, error) {
	f := in.(*pipeline.Frames)
	cells, was, is := f.Cells(), f.FrameLen(), len(w.channels)*f.Cells()
	hi := pipeline.NewBuffer(w.env.Mem, f.N()*is)
	out := pipeline.NewFrames(w.channels, f.Grid, f.Origins, hi, nil)
	for n := range f.N() {
		from, to := f.XHi()[n*was:][:was], out.XHi()[n*is:][:is]
		copy(to, from)
		curl(to[was:], from[w.u*cells:][:cells], from[w.v*cells:][:cells], f.Grid)
	}
	return []pipeline.Element{out}, nil
}

// Close has nothing to free.
func (w *vorticity) Close() error { return nil }

// curl sets w = dv/dx - du/dy, all (H,W).
func curl(w, u, v []float32, g pipeline.Grid) {
	dy, dx := g.Spacing()
	for y := range g.H {
		up, down := (y+1)%g.H*g.W, (y+g.H-1)%g.H*g.W
		for x := range g.W {
			right, left := (x+1)%g.W, (x+g.W-1)%g.W
			dvdx := float64(v[y*g.W+right]-v[y*g.W+left]) / (2 * dx)
			dudy := float64(u[up+x]-u[down+x]) / (2 * dy)
			w[y*g.W+x] = float32(dvdx - dudy)
		}
	}
}
