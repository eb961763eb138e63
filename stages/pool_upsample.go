package stages

import (
	"context"
	"fmt"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr/internal/field/plan"
	"fmsr/pipeline"
)

// PoolUpsample makes the low-resolution input that the model is conditioned on.
//
//	x_hi (N,C,H,W)   -- 1 -------- 2 --
//	                 [ pool, upsample ]
//	x_hi, x_lo       -- 1' ------- 2' -
type PoolUpsample struct {
	Factor   int    `yaml:"factor" doc:"how many fine cells one coarse cell averages, along each axis"`
	Boundary string `yaml:"boundary" doc:"what interpolation finds beyond the edges: clamp (the edge's value) or periodic"`
}

func init() {
	pipeline.Register(pipeline.Declaration{
		Name: "pool_upsample",
		Doc: `Makes the low-resolution input x_lo that the model is conditioned on.

	x_hi (N,C,H,W)   -- 1 -------- 2 --
	                 [ pool, upsample ]
	x_hi, x_lo       -- 1' ------- 2' -

x_lo = bilinear_upsample(avg_pool(x_hi, factor), factor), align_corners=False, on
x_hi's grid. With boundary clamp it is PyTorch's interpolate.`,
		Link:   pipeline.Link{Needs: pipeline.Planar, Adds: pipeline.Paired},
		Config: func() any { return &PoolUpsample{Factor: 2, Boundary: "clamp"} },
		New:    func(config any) pipeline.Stage { return &poolUpsample{PoolUpsample: *config.(*PoolUpsample)} },
	})
}

// Validate reports values that cannot be.
func (c *PoolUpsample) Validate(_ *pipeline.Run, report func(key, format string, args ...any)) {
	if c.Factor < 2 {
		report("factor", "is %d: want at least 2", c.Factor)
	}
	if c.Boundary != "clamp" && c.Boundary != "periodic" {
		report("boundary", "is %q: want clamp or periodic", c.Boundary)
	}
}

type poolUpsample struct {
	PoolUpsample
	mem memory.Allocator
}

// Open checks that the factor divides the grid.
func (p *poolUpsample) Open(_ context.Context, env *pipeline.Env, in pipeline.Meta) (pipeline.Meta, error) {
	if !in.Divides(p.Factor) {
		return in, fmt.Errorf("factor %d does not divide the grid %s", p.Factor, in.Grid)
	}
	p.mem = env.Mem
	in.Factor, in.Periodic = p.Factor, p.Boundary == "periodic"
	return in, nil
}

// Process adds x_lo to x_hi.
func (p *poolUpsample) Process(_ context.Context, in pipeline.Element) ([]pipeline.Element, error) {
	return applied(p, p.mem, in)
}

// Fold adds x_lo to a plan that makes none yet. It is made in physical units: a
// plan normalizes last.
func (p *poolUpsample) Fold(plan *plan.Plan) bool {
	if plan.Stored || plan.Factor != 0 {
		return false
	}
	plan.Factor, plan.Periodic = p.Factor, p.Boundary == "periodic"
	return true
}

// Close has nothing to free.
func (p *poolUpsample) Close() error { return nil }
