package stages

import (
	"context"
	"errors"
	"fmt"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr.example/fmsr/internal/field/plan"
	"fmsr.example/fmsr/pipeline"
)

// PoolUpsample makes the low-resolution input that the model is conditioned on.
//
//	x_hi (N,C,H,W)   -- 1 -------- 2 --
//	                 [ pool, upsample ]
//	x_hi, x_lo       -- 1' ------- 2' -
type PoolUpsample struct {
	Factor   int    `yaml:"factor" min:"2" doc:"how many fine cells one coarse cell averages, along each axis"`
	Boundary string `yaml:"boundary" oneof:"periodic|open|clamp" doc:"how interpolation continues beyond an edge; open, also called clamp: with the value at the edge. Without this key, as run.grid.boundary if the spec writes that"`
}

func init() {
	pipeline.Register(pipeline.Declaration[PoolUpsample]{
		Name: "pool_upsample",
		Doc: `Makes the low-resolution input x_lo that the model is conditioned on.

	x_hi (N,C,H,W)   -- 1 -------- 2 --
	                 [ pool, upsample ]
	x_hi, x_lo       -- 1' ------- 2' -

x_lo = bilinear_upsample(avg_pool(x_hi, factor), factor), align_corners=False, on
x_hi's grid. With boundary clamp it is PyTorch's interpolate.`,
		Link:    pipeline.Link{Needs: pipeline.Planar, Adds: pipeline.Paired},
		Default: PoolUpsample{Factor: 2, Boundary: "clamp"},
		New:     func(c *PoolUpsample) pipeline.Stage { return &poolUpsample{PoolUpsample: *c} },
	})
}

var (
	_ pipeline.Processor = (*poolUpsample)(nil)
	_ pipeline.Bounded   = (*PoolUpsample)(nil)
)

// SetBoundary makes the interpolation follow the domain's boundary.
func (p *PoolUpsample) SetBoundary(periodic bool, written func(string) bool) {
	setBoundary(&p.Boundary, "boundary", periodic, "clamp", written)
}

// Advise warns of interpolation across an open boundary.
func (p *PoolUpsample) Advise(run *pipeline.Run, warn func(key, summary, detail string)) {
	run.AdviseBoundary("boundary", p.Boundary, warn)
}

// setBoundary sets a key to the domain's boundary, unless it is written. Open is the key's own
// word for an open boundary.
func setBoundary(value *string, key string, periodic bool, open string, written func(string) bool) {
	if !written(key) {
		*value = either(periodic, open)
	}
}

type poolUpsample struct {
	PoolUpsample
	mem memory.Allocator
}

// Open checks that the factor divides the grid, and that there is no x_lo yet.
func (p *poolUpsample) Open(_ context.Context, env *pipeline.Env, in pipeline.Meta) (pipeline.Meta, error) {
	if in.Factor != 0 {
		return in, errors.New("there is an x_lo already: leave pool_upsample out")
	}
	if !in.Divides(p.Factor) {
		return in, fmt.Errorf("factor %d does not divide the grid %s: want a factor of both H and W, or frames cropped to multiples of it", p.Factor, in.Grid)
	}
	p.mem = env.Mem
	in.Factor, in.Periodic = p.Factor, p.Boundary == "periodic"
	return in, nil
}

// Process adds x_lo to x_hi.
func (p *poolUpsample) Process(_ context.Context, in pipeline.Element) ([]pipeline.Element, error) {
	return applied(p, p.mem, in)
}

// Fold adds x_lo to a plan that makes none yet. x_lo is made in physical units, since a
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
