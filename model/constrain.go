package model

import (
	"fmt"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/parallel"
	"fmsr.example/fmsr/internal/torchx"
)

// Projection moves normalized fields to the nearest ones that satisfy constraints in
// physical units: field.Projector, on tensors. Nearest is in normalized units.
//
//	x1 (N,C,H,W)   --> host, float64: project each sample onto x_lo's averages --> x1' (N,C,H,W)
//	noise          --> the same, onto averages and means of zero               --> noise'
//
// If the constraints do not connect fields, it computes on the tensors' own device.
type Projection struct {
	*field.Projector
	input Input
	grid  field.Grid
	stats *field.Stats
	lacks []float64
}

// NewProjection returns the projection of fields on a grid, normalized by stats, whose
// x_lo was made as in says. It returns nil if there is no constraint.
func NewProjection(c field.Constraints, in Input, grid field.Grid, stats *field.Stats) (*Projection, error) {
	if c == (field.Constraints{}) {
		return nil, nil
	}
	p, err := field.NewProjector(grid, in.Factor, c, stats)
	if err != nil {
		return nil, err
	}
	return &Projection{Projector: p, input: in, grid: grid, stats: stats}, nil
}

// Lacks returns what field.Projector.Project did for sample i of the batch that was
// constrained last; 0 for no constraint.
func (p *Projection) Lacks(i int) float64 {
	if p == nil || p.lacks == nil {
		return 0
	}
	return p.lacks[i]
}

// noticeable is how much the averages of fields must lack, in deviations, to be worth a
// warning. Single precision, in which x_lo is, gives a few 1e-7.
const noticeable = 1e-4

// Contradiction returns a warning if field.Projector.Project found that no fields with the
// wanted averages satisfy the constraints, else "".
func Contradiction(lacks float64) string {
	if lacks < noticeable {
		return ""
	}
	return fmt.Sprintf("the coarse input contradicts the constraints: no field that satisfies them has these averages; the result's are the nearest, and differ by %.2g deviations (rms over the fields that they connect)", lacks)
}

// Constrain returns Sampler.Constrain for the fields of an x_lo (N,C,H,W), on the
// device and in the format of a network's config.
func (p *Projection) Constrain(s *torchx.Scope, c Config, xLo torchx.Tensor) func(s *torchx.Scope, x1, xLo torchx.Tensor) torchx.Tensor {
	coarse := coarsePlanes(s.Floats(xLo), p.input, p.grid, p.stats)
	if p.Couples() || p.stats.HasLog() {
		return func(s *torchx.Scope, x1, _ torchx.Tensor) torchx.Tensor { return p.onHost(s, c, x1, coarse, p.stats) }
	}
	shape, small := xLo.Shape(), p.grid.Coarser(p.input.Factor)
	want := s.FromFloats(coarse, shape[0], shape[1], int64(small.H), int64(small.W))
	want = s.To(want, torchx.Float32, c.Device, c.Format)
	return func(s *torchx.Scope, x1, _ torchx.Tensor) torchx.Tensor { return p.addLacking(s, x1, want) }
}

// addLacking returns field.ProjectCoarse on tensors:
//
//	x1 + upsample_nearest(coarse - avg_pool(x1))
//
// The constraint is linear and acts on each field alone, so that it holds of
// normalized fields as of physical ones.
func (p *Projection) addLacking(s *torchx.Scope, x1, coarse torchx.Tensor) torchx.Tensor {
	factor := int64(p.input.Factor)
	lacks := s.AddScaled(coarse, s.AvgPool2d(x1, factor), -1)
	return s.Add(x1, s.UpsampleNearest(lacks, factor))
}

// Noise returns the part of normalized noise (N,C,H,W) that the constraints leave free:
// differences of two fields that satisfy them and have the same averages. Standard normal
// noise stays standard normal along these directions, and has no part along others.
func (p *Projection) Noise(s *torchx.Scope, c Config, noise torchx.Tensor) torchx.Tensor {
	shape := noise.Shape()
	zero := make([]float32, shape[0]*shape[1]*int64(p.grid.Coarser(p.input.Factor).Cells()))
	return p.onHost(s, c, noise, zero, &field.Stats{Mean: make([]float64, len(p.stats.Std)), Std: p.stats.Std})
}

// onHost projects x (N,C,H,W), normalized by stats, onto fields with the averages coarse
// (N,C,H/factor,W/factor).
func (p *Projection) onHost(s *torchx.Scope, c Config, x torchx.Tensor, coarse []float32, stats *field.Stats) torchx.Tensor {
	shape, values := x.Shape(), s.Floats(x)
	if s.Err() != nil {
		return torchx.Tensor{}
	}
	n := int(shape[0])
	p.lacks = make([]float64, n)
	err := parallel.Each(n, func(i int) (err error) {
		p.lacks[i], err = p.Project(part(values, i, n), part(coarse, i, n), stats)
		return err
	})
	if err != nil {
		s.Fail(err)
		return torchx.Tensor{}
	}
	return s.To(s.FromFloats(values, shape...), torchx.Float32, c.Device, c.Format)
}

// part returns the i-th of n equal parts.
func part[T any](values []T, i, n int) []T {
	each := len(values) / n
	return values[i*each:][:each]
}

// coarsePlanes returns the planes (N,C,H/factor,W/factor) that x_lo (N,C,H,W) was
// interpolated from. Both are normalized by stats.
func coarsePlanes(lo []float32, in Input, grid field.Grid, stats *field.Stats) []float32 {
	cells, small := grid.Cells(), grid.Coarser(in.Factor).Cells()
	planes := make([]float32, len(lo)/cells*small)
	for i := range len(lo) / cells {
		stats.Coarse(planes[i*small:][:small], lo[i*cells:][:cells], i%len(stats.Std), grid, in.Factor, in.Periodic)
	}
	return planes
}
