package stages

import (
	"context"
	"fmt"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr/internal/frames"
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
	mem    memory.Allocator
	coarse []float32 // scratch: one pooled plane
	rows   upsampler
	cols   upsampler
	line   []float32 // scratch: one coarse row, interpolated along y
}

// Open checks that the factor divides the grid.
func (p *poolUpsample) Open(_ context.Context, env *pipeline.Env, in pipeline.Meta) (pipeline.Meta, error) {
	if in.H%p.Factor != 0 || in.W%p.Factor != 0 {
		return in, fmt.Errorf("factor %d does not divide the grid %d x %d", p.Factor, in.H, in.W)
	}
	p.mem = env.Mem
	h, w := in.H/p.Factor, in.W/p.Factor
	p.coarse, p.line = make([]float32, h*w), make([]float32, w)
	p.rows = newUpsampler(h, p.Factor, p.Boundary == "periodic")
	p.cols = newUpsampler(w, p.Factor, p.Boundary == "periodic")
	in.Factor = p.Factor
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
		p.upsample(lo[at:at+cells], f.W)
	}
	return []pipeline.Element{out}, nil
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

// upsample interpolates p.coarse into a plane of width w: along y into a row,
// then along x.
func (p *poolUpsample) upsample(dst []float32, w int) {
	cw := len(p.line)
	for y := range len(dst) / w {
		r := p.rows.taps[y]
		a, b := p.coarse[r.lo*cw:][:cw], p.coarse[r.hi*cw:][:cw]
		for x := range p.line {
			p.line[x] = a[x] + (b[x]-a[x])*r.weight
		}
		row := dst[y*w : (y+1)*w]
		for x, c := range p.cols.taps {
			row[x] = p.line[c.lo] + (p.line[c.hi]-p.line[c.lo])*c.weight
		}
	}
}

// upsampler holds, for each fine cell along an axis, the two coarse cells that
// it lies between and the weight of the second.
type upsampler struct{ taps []tap }

type tap struct {
	lo, hi int
	weight float32
}

// newUpsampler places fine cell i at (i+0.5)/factor - 0.5 in coarse cells
// (align_corners=False); beyond the edges the axis is clamped or wraps.
func newUpsampler(coarse, factor int, periodic bool) upsampler {
	taps := make([]tap, coarse*factor)
	for i := range taps {
		at := (float64(i)+0.5)/float64(factor) - 0.5
		if !periodic {
			at = max(0, at)
		}
		lo := int(at+1) - 1 // floor, at > -1
		weight := float32(at - float64(lo))
		if periodic {
			taps[i] = tap{(lo + coarse) % coarse, (lo + 1) % coarse, weight}
		} else {
			taps[i] = tap{lo, min(lo+1, coarse-1), weight}
		}
	}
	return upsampler{taps}
}
