package model

import (
	"slices"

	"fmsr/internal/field"
	"fmsr/internal/torchx"
)

// CoarseConstraint requires that pooling a field gives the coarse field that its x_lo
// was interpolated from.
const CoarseConstraint = "coarse"

// Constraint returns Sampler.Constrain for the fields of an x_lo (N,C,H,W), on the
// device and in the format of a network's config.
type Constraint func(s *torchx.Scope, c Config, xLo torchx.Tensor) func(s *torchx.Scope, x1, xLo torchx.Tensor) torchx.Tensor

// NewConstraint returns the projection onto the fields that satisfy the named
// constraints, where x_lo was made as in says. It returns nil for no names.
func NewConstraint(names []string, in Input) Constraint {
	if !slices.Contains(names, CoarseConstraint) {
		return nil
	}
	return in.coarseConstraint
}

// coarseConstraint returns field.ProjectCoarse on tensors:
//
//	x1 + upsample_nearest(coarse - avg_pool(x1))
//
// The constraint is linear and acts on each field alone, so that it holds of
// normalized fields as of physical ones.
func (in Input) coarseConstraint(s *torchx.Scope, c Config, xLo torchx.Tensor) func(s *torchx.Scope, x1, xLo torchx.Tensor) torchx.Tensor {
	coarse := in.coarse(s, c, xLo)
	factor := int64(in.Factor)
	return func(s *torchx.Scope, x1, _ torchx.Tensor) torchx.Tensor {
		lacks := s.AddScaled(coarse, s.AvgPool2d(x1, factor), -1)
		return s.Add(x1, s.UpsampleNearest(lacks, factor))
	}
}

// coarse returns the fields (N,C,H/factor,W/factor) that x_lo (N,C,H,W) was
// interpolated from.
func (in Input) coarse(s *torchx.Scope, c Config, xLo torchx.Tensor) torchx.Tensor {
	shape := xLo.Shape()
	grid := field.Grid{H: int(shape[2]), W: int(shape[3])}
	small := grid.Coarser(in.Factor)
	lo := s.Floats(xLo)
	if s.Err() != nil {
		return torchx.Tensor{}
	}
	planes := make([]float32, len(lo)/grid.Cells()*small.Cells())
	for i := range len(lo) / grid.Cells() {
		field.Coarse(planes[i*small.Cells():][:small.Cells()], lo[i*grid.Cells():][:grid.Cells()], grid, in.Factor, in.Periodic)
	}
	coarse := s.FromFloats(planes, shape[0], shape[1], int64(small.H), int64(small.W))
	return s.To(coarse, torchx.Float32, c.Device, c.Format)
}
