package field

import "fmt"

// Domain is what files say of the place of their grid.
type Domain struct {
	Box      [2]float64  // as Grid's; zeros: not said
	Boundary [2]Boundary // as Grid's
	Bounded  bool        // whether Boundary is said
}

// Domain returns the grid's, whose box and boundaries are known.
func (g Grid) Domain() *Domain { return &Domain{g.Box, g.Boundary, true} }

// String describes the domain: "2 x 1, periodic along y, open along x".
func (d Domain) String() string {
	box, boundary := "box not known", "boundaries not known"
	if d.Box[0] > 0 {
		box = fmt.Sprintf("%g x %g", d.Box[0], d.Box[1])
	}
	if d.Bounded {
		boundary = fmt.Sprintf("%s along y, %s along x", d.Boundary[0], d.Boundary[1])
	}
	return box + ", " + boundary
}
