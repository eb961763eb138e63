package stages

import (
	"context"
	"errors"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr/internal/field"
	"fmsr/internal/frames"
	"fmsr/internal/parallel"
	"fmsr/model"
	"fmsr/pipeline"
)

// Project moves fine fields to the nearest ones that satisfy constraints.
//
//	x_hi, x_lo (N,C,H,W)   -- 1 ------------------- 2 --
//	                       [ coarse: pool(x_hi) = x_c  ]
//	x_hi', x_lo            -- 1' ------------------ 2' -
type Project struct {
	Constraints []string `yaml:"constraints" oneof:"coarse" doc:"coarse: pooling x_hi gives the coarse field that x_lo was interpolated from"`
}

func init() {
	pipeline.Register(pipeline.Declaration[Project]{
		Name: "project",
		Doc: `Moves fine fields to the nearest ones that satisfy constraints.

	x_hi, x_lo (N,C,H,W)   -- 1 ------------------- 2 --
	                       [ coarse: pool(x_hi) = x_c  ]
	x_hi', x_lo            -- 1' ------------------ 2' -

coarse: avg_pool(x_hi, factor) is the coarse field that x_lo was interpolated from, to
round-off. The move is an orthogonal projection, so it cannot raise the squared error
against a truth that satisfies the constraint. Put it below superres; superres and eval
project within their samplers too (their key constraints).`,
		Link:    pipeline.Link{Needs: pipeline.Planar | pipeline.Paired},
		Default: Project{Constraints: []string{model.CoarseConstraint}},
		New:     func(c *Project) pipeline.Stage { return &project{Project: *c} },
	})
}

// Validate reports a list of no constraints.
func (c *Project) Validate(_ *pipeline.Run, report func(key, format string, args ...any)) {
	if len(c.Constraints) == 0 {
		report("constraints", "is empty: name at least one")
	}
}

var _ pipeline.Processor = (*project)(nil)

type project struct {
	Project
	mem      memory.Allocator
	factor   int
	periodic bool // x_lo's interpolation wraps around
}

// Open learns how x_lo was made.
func (p *project) Open(_ context.Context, env *pipeline.Env, in pipeline.Meta) (pipeline.Meta, error) {
	if in.Factor == 0 { // a data set may have been exported without
		return in, errors.New("there is no x_lo to take the coarse fields from")
	}
	p.mem, p.factor, p.periodic = env.Mem, in.Factor, in.Periodic
	return in, nil
}

// Process projects the planes of x_hi (N,C,H,W), in parallel.
func (p *project) Process(_ context.Context, in pipeline.Element) ([]pipeline.Element, error) {
	f := in.(*frames.Frames)
	out := frames.New(f.Channels, f.Grid, f.Origins, frames.NewBuffer(p.mem, len(f.XHi())), f.Lo)
	f.Lo.Retain()
	if out.Coarse = f.Coarse; f.Coarse != nil {
		f.Coarse.Retain()
	}
	copy(out.XHi(), f.XHi())
	cells := f.Cells()
	err := parallel.Each(len(f.XHi())/cells, func(i int) error {
		coarse := make([]float32, f.Coarser(p.factor).Cells())
		field.Coarse(coarse, f.XLo()[i*cells:][:cells], f.Grid, p.factor, p.periodic)
		field.ProjectCoarse(out.XHi()[i*cells:][:cells], coarse, f.Grid, p.factor)
		return nil
	})
	if err != nil {
		out.Release()
		return nil, err
	}
	return []pipeline.Element{out}, nil
}

// Close has nothing to free.
func (p *project) Close() error { return nil }
