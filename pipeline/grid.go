package pipeline

import "fmsr.example/fmsr/internal/field"

// Domain returns an H x W grid with the box and the boundaries of run.grid.
func (r *Run) Domain(h, w int) field.Grid {
	g := field.Grid{H: h, W: w}
	copy(g.Box[:], r.Grid.Box)
	for axis, name := range r.Grid.Boundary {
		g.Boundary[axis] = field.BoundaryNamed(name)
	}
	return g
}
