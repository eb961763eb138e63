package pipeline

import maths "fmsr/internal/field"

// Domain returns an H x W grid of the run's domain: its box and boundaries are
// those of run.grid.
func (r *Run) Domain(h, w int) maths.Grid {
	g := maths.Grid{H: h, W: w}
	copy(g.Box[:], r.Grid.Box)
	for axis, name := range r.Grid.Boundary {
		g.Boundary[axis] = maths.BoundaryNamed(name)
	}
	return g
}
