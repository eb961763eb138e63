package stages

import (
	"context"
	"errors"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/field/plan"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/parallel"
	"fmsr.example/fmsr/model"
	"fmsr.example/fmsr/pipeline"
)

// Project moves fine fields to the nearest ones that satisfy constraints.
//
//	x_hi, x_lo (N,C,H,W)   -- 1 ------------------------------- 2 --
//	                       [ pool(x_hi) = x_c, div B = 0, jz = curl B ]
//	x_hi', x_lo            -- 1' ------------------------------ 2' -
type Project struct {
	model.ConstraintConfig
}

func init() {
	pipeline.Register(pipeline.Declaration[Project]{
		Name: "project",
		Doc: `Moves fine fields to the nearest ones that satisfy constraints.

	x_hi, x_lo (N,C,H,W)   -- 1 ------------------------------- 2 --
	                       [ pool(x_hi) = x_c, div B = 0, jz = curl B ]
	x_hi', x_lo            -- 1' ------------------------------ 2' -

coarse: avg_pool(x_hi, factor) is the coarse field that x_lo was interpolated from. divb:
div B is 0, in the form that divb names. jz: jz is dBy/dx - dBx/dy, by central
differences over run.grid.box. One orthogonal projection takes the fields to all of them
at once, to round-off. It cannot raise the squared error against a truth that satisfies
the constraints. The error is in units of each field's deviation: of the training, below
normalize and superres, and else of the coarse frame. If no field satisfies the
constraints with these averages, the averages are the nearest possible, and a warning
says by how much. divb and jz need periodic boundaries.

Put it below superres, or anywhere below x_lo; superres and eval project within their
samplers too (their key constraints).`,
		Link:    pipeline.Link{Needs: pipeline.Planar | pipeline.Paired},
		Default: Project{model.DefaultConstraints("coarse")},
		New:     func(c *Project) pipeline.Stage { return &project{Project: *c} },
	})
}

// Validate reports a list of no constraints.
func (c *Project) Validate(_ *pipeline.Run, report func(key, format string, args ...any)) {
	if len(c.Constraints) == 0 {
		report("constraints", "is empty: name at least one")
	}
	c.ConstraintConfig.Validate(report)
}

var _ pipeline.Processor = (*project)(nil)

type project struct {
	Project
	env  *pipeline.Env
	mem  memory.Allocator
	in   pipeline.Meta
	of   field.Constraints
	told bool // that averages are not met
}

// Open finds the fields and learns how x_lo was made.
func (p *project) Open(_ context.Context, env *pipeline.Env, in pipeline.Meta) (_ pipeline.Meta, err error) {
	if in.Factor == 0 { // a data set may have been exported without
		return in, errors.New("there is no x_lo to take the coarse fields from")
	}
	p.env, p.mem, p.in = env, env.Mem, in
	grid := env.Run.Domain(in.H, in.W)
	if len(in.Files) > 0 {
		grid.Boundary = in.Files[0].Grid.Boundary // all have the same
	}
	p.of, err = p.Of(in.Channels, grid)
	in.Constraints = p.of
	return in, err
}

// Process projects the frames of x_hi (N,C,H,W), in parallel.
func (p *project) Process(_ context.Context, in pipeline.Element) ([]pipeline.Element, error) {
	f := in.(*frames.Frames)
	out := frames.New(f.Channels, f.Grid, f.Origins, frames.NewBuffer(p.mem, len(f.XHi())), f.Lo)
	f.Lo.Retain()
	if out.Coarse = f.Coarse; f.Coarse != nil {
		f.Coarse.Retain()
	}
	copy(out.XHi(), f.XHi())
	lacks := make([]float64, f.N())
	err := parallel.Each(f.N(), func(n int) (err error) {
		at := n * f.FrameLen()
		lacks[n], err = p.frame(f.Grid, out.XHi()[at:][:f.FrameLen()], f.XLo()[at:][:f.FrameLen()])
		return err
	})
	if err != nil {
		out.Release()
		return nil, err
	}
	for n, lack := range lacks {
		if warning := model.Contradiction(lack); warning != "" && !p.told {
			p.told = true
			p.env.Progress.Note("warning: %s: %s", f.Origins[n], warning)
		}
	}
	return []pipeline.Element{out}, nil
}

// frame projects the planes hi (C,H,W) of a frame with planes lo.
func (p *project) frame(grid field.Grid, hi, lo []float32) (lacks float64, err error) {
	cells, small := grid.Cells(), grid.Coarser(p.in.Factor).Cells()
	coarse := make([]float32, len(lo)/cells*small)
	of, looks := p.in.Trained, make([]field.Welford, len(lo)/cells)
	for c := range looks {
		plane := coarse[c*small:][:small]
		if p.in.Stats != nil {
			p.in.Stats.Coarse(plane, lo[c*cells:][:cells], c, grid, p.in.Factor, p.in.Periodic)
			continue
		}
		field.Coarse(plane, lo[c*cells:][:cells], grid, p.in.Factor, p.in.Periodic)
		looks[c] = plan.Moments(plane)
	}
	switch {
	case p.in.Stats != nil:
		of = p.in.Stats
	case of == nil:
		own := field.StatsOf(looks)
		of = &own
	}
	projector, err := field.NewProjector(grid, p.in.Factor, p.of, of)
	if err != nil {
		return 0, err
	}
	return projector.Project(hi, coarse, p.in.Stats)
}

// Close has nothing to free.
func (p *project) Close() error { return nil }
