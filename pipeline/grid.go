package pipeline

import (
	"fmt"
	"slices"

	"fmsr.example/fmsr/internal/field"
)

// Domain returns an H x W grid with the box and the boundaries of run.grid.
func (r *Run) Domain(h, w int) field.Grid {
	g := field.Grid{H: h, W: w}
	copy(g.Box[:], r.Grid.Box)
	for axis, name := range r.Grid.Boundary {
		g.Boundary[axis] = field.BoundaryNamed(name)
	}
	return g
}

// AdviseBoundary warns of a stage's key that wraps around a domain with an open boundary.
func (r *Run) AdviseBoundary(key, value string, warn func(key, summary, detail string)) {
	if value == field.Periodic.String() && slices.Contains(r.Grid.Boundary, field.Open.String()) {
		warn(key, fmt.Sprintf("is %s, but run.grid.boundary is %v: it joins opposite edges that have nothing to do with each other", value, r.Grid.Boundary), "leave it out")
	}
}
