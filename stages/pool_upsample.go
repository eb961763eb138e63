package stages

import (
	"context"
	"fmt"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr/internal/frames"
	"fmsr/internal/prep"
	"fmsr/pipeline"
)

// PoolUpsample makes the low-resolution input that the model is conditioned on.
//
//	x_hi (N,C,H,W)   -- 1 -------- 2 --
//	                 [ pool, upsample ]
//	x_hi, x_lo       -- 1' ------- 2' -
type PoolUpsample struct {
	Factor   int    `yaml:"factor" min:"2" doc:"how many fine cells one coarse cell averages, along each axis"`
	Boundary string `yaml:"boundary" oneof:"clamp|periodic" doc:"what interpolation finds beyond the edges; clamp: the value at the edge"`
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

var _ pipeline.Processor = (*poolUpsample)(nil)

type poolUpsample struct {
	PoolUpsample
	mem    memory.Allocator
	coarse []float32 // scratch: one pooled plane
	up     *upsampler
}

// Open checks that the factor divides the grid.
func (p *poolUpsample) Open(_ context.Context, env *pipeline.Env, in pipeline.Meta) (pipeline.Meta, error) {
	if in.H%p.Factor != 0 || in.W%p.Factor != 0 {
		return in, fmt.Errorf("factor %d does not divide the grid %d x %d", p.Factor, in.H, in.W)
	}
	p.mem = env.Mem
	h, w := in.H/p.Factor, in.W/p.Factor
	p.coarse = make([]float32, h*w)
	p.up = newUpsampler(h, w, p.Factor, p.Boundary == "periodic")
	in.Factor, in.Periodic = p.Factor, p.Boundary == "periodic"
	return in, nil
}

// Process keeps x_hi and adds x_lo.
func (p *poolUpsample) Process(_ context.Context, in pipeline.Element) ([]pipeline.Element, error) {
	f := in.(*frames.Frames)
	f.Hi.Retain()
	out := frames.New(f.Channels, f.H, f.W, f.Origins, f.Hi, frames.NewBuffer(p.mem, f.N()*f.FrameLen()))
	hi, lo := frames.Floats(out.Hi), frames.Floats(out.Lo)
	cells := f.H * f.W
	for at := 0; at < len(hi); at += cells {
		avgPool(p.coarse, hi[at:at+cells], f.W, p.Factor)
		p.up.plane(lo[at:at+cells], p.coarse)
	}
	return []pipeline.Element{out}, nil
}

// Fold leaves a factor of 2 to a plan, which knows no other, in physical units:
// a plan normalizes last.
func (p *poolUpsample) Fold(plan *prep.Plan) bool {
	if p.Factor != 2 || plan.Stored || plan.Factor != 0 {
		return false
	}
	plan.Factor, plan.Periodic = p.Factor, p.Boundary == "periodic"
	return true
}

// Close has nothing to free.
func (p *poolUpsample) Close() error { return nil }

// avgPool averages factor x factor cells of a plane of width w.
func avgPool(dst, src []float32, w, factor int) {
	cw := w / factor
	scale := 1 / float32(factor*factor)
	for i := range dst {
		y, x := i/cw*factor, i%cw*factor
		var sum float32
		for dy := range factor {
			row := src[(y+dy)*w+x:]
			for dx := range factor {
				sum += row[dx]
			}
		}
		dst[i] = sum * scale
	}
}

// upsampler interpolates planes of one size bilinearly. It is not safe for
// concurrent use: it has scratch memory.
type upsampler struct {
	rows, cols []tap
	line       []float32 // one coarse row, interpolated along y
}

// tap says, for a fine cell along an axis, which two coarse cells it lies
// between and how near the second is.
type tap struct {
	lo, hi int
	weight float32
}

// newUpsampler is for coarse planes (h,w); beyond the edges they are clamped or wrap.
func newUpsampler(h, w, factor int, periodic bool) *upsampler {
	return &upsampler{rows: taps(h, factor, periodic), cols: taps(w, factor, periodic), line: make([]float32, w)}
}

// plane interpolates a coarse plane: along y into a row, then along x.
func (u *upsampler) plane(dst, coarse []float32) {
	cw, w := len(u.line), len(u.cols)
	for y, r := range u.rows {
		a, b := coarse[r.lo*cw:][:cw], coarse[r.hi*cw:][:cw]
		for x := range u.line {
			u.line[x] = a[x] + (b[x]-a[x])*r.weight
		}
		row := dst[y*w : (y+1)*w]
		for x, c := range u.cols {
			row[x] = u.line[c.lo] + (u.line[c.hi]-u.line[c.lo])*c.weight
		}
	}
}

// taps places fine cell i at (i+0.5)/factor - 0.5 in coarse cells
// (align_corners=False).
func taps(coarse, factor int, periodic bool) []tap {
	out := make([]tap, coarse*factor)
	for i := range out {
		at := (float64(i)+0.5)/float64(factor) - 0.5
		if !periodic {
			at = max(0, at)
		}
		lo := int(at+1) - 1 // floor, at > -1
		weight := float32(at - float64(lo))
		if periodic {
			out[i] = tap{(lo + coarse) % coarse, (lo + 1) % coarse, weight}
		} else {
			out[i] = tap{lo, min(lo+1, coarse-1), weight}
		}
	}
	return out
}
