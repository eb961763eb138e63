package evaluate

import (
	"slices"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/parallel"
)

// Baselines makes, from a frame's input alone, the fields that a model has to beat:
//
//	x_lo -------------------------> bilinear ----.-> bilinear_projected
//	coarse -- filter, by field ---> linear ------'-> linear_projected
//
// There are no linear ones without filters, and no projected ones without constraints.
type Baselines struct {
	Filters     []*field.Linear // of each field, normalized by Stats; nil: none
	Stats       *field.Stats    // of the training set
	Constraints field.Constraints

	projector *field.Projector
	of        field.Grid // the projector's
}

// Fields are the fields (C,H,W) of a source, in physical units.
type Fields struct {
	Source
	Values []float32
}

// Of returns the baselines of a frame on a grid, bilinear first. lo (C,H,W) is in physical
// units and becomes the first one's values. coarse (C,H/factor,W/factor), which it was interpolated
// from, is normalized.
func (b *Baselines) Of(grid field.Grid, factor int, lo, coarse []float32) ([]Fields, error) {
	all := []Fields{{Bilinear, lo}}
	if b.Filters != nil {
		linear := make([]float32, len(lo))
		if err := b.filter(linear, coarse, grid); err != nil {
			return nil, err
		}
		all = append(all, Fields{Linear, linear})
	}
	if b.Constraints == (field.Constraints{}) {
		return all, nil
	}
	if b.projector == nil || b.of != grid {
		var err error
		if b.projector, err = field.NewProjector(grid, factor, b.Constraints, b.Stats); err != nil {
			return nil, err
		}
		b.of = grid
	}
	averages := make([]float32, len(coarse))
	b.Stats.PhysicalPlanes(averages, coarse, grid.Coarser(factor).Cells())
	for _, of := range all {
		projected := Fields{map[Source]Source{Bilinear: BilinearProjected, Linear: LinearProjected}[of.Source], slices.Clone(of.Values)}
		if _, err := b.projector.Project(projected.Values, averages, nil); err != nil {
			return nil, err
		}
		all = append(all, projected)
	}
	return all, nil
}

// filter fills dst (C,H,W) with the filters' fields in physical units, in parallel.
func (b *Baselines) filter(dst, coarse []float32, grid field.Grid) error {
	cells, small := grid.Cells(), grid.Coarser(b.Filters[0].Factor).Cells()
	return parallel.Each(len(b.Filters), func(c int) error {
		plane := dst[c*cells:][:cells]
		b.Filters[c].Apply(plane, coarse[c*small:][:small], grid)
		b.Stats.Physical(plane, plane, c)
		return nil
	})
}
