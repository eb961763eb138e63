// Package field is the maths of a field on a grid: plain functions of float32
// planes, without libtorch, so that every package may use them.
//
//	          grid.go         shape, box and boundaries of the domain
//	x_hi ---> stats.go        mean and deviation; Normalize, (x - mean) / std; Physical undoes it
//	     ---> resample.go     avg_pool, bilinear upsampling and its undoing
//	x_lo ---> linear.go       the linear filter from a coarse field to the fine one
//	     ---> spectrum.go     shells of wavenumbers, P(k) and bands of it
//	     ---> fourier.go      transforms of a plane and back, in float64
//	     ---> colour.go       the spectrum of random planes, for noise on any grid
//	     ---> symmetry.go    reflections and shifts of a plane
//	     ---> gather.go       one channel of an interleaved frame; the first NaN or Inf
//	     ---> project.go      the nearest fine plane with given coarse averages
//	     ---> projector.go    the nearest fields with these averages, div B = 0 and jz = curl B
//	                          (constraints.go: their forms; projectorsolve.go: one wave; fft.go)
//
// A plane is H x W values, row by row. Package plan prepares whole frames and
// computes their spectra, by kernels that pass over a frame's memory once.
package field

import "fmt"

// Boundary is how the domain continues beyond an edge. Its zero value is Periodic.
type Boundary uint8

// The boundaries of the domain. Interpolation and convolutions choose for themselves
// how to continue a field beyond its edges ("clamp", "zeros").
const (
	Periodic Boundary = iota
	Open
)

func (b Boundary) String() string { return [...]string{"periodic", "open"}[b] }

// BoundaryNamed returns the boundary that a spec calls by that name, "periodic" or
// "open".
func BoundaryNamed(name string) Boundary {
	if name == Periodic.String() {
		return Periodic
	}
	return Open
}

// Grid is the grid that a plane's values live on. It is a value: grids compare
// with ==. Grid{H: h, W: w} has square cells and periodic boundaries.
type Grid struct {
	H, W     int         // cells
	Box      [2]float64  // the domain's height and width, any unit; zeros: square cells
	Boundary [2]Boundary // of the y axis and of the x axis
}

// String returns the shape, "128 x 256".
func (g Grid) String() string { return fmt.Sprintf("%d x %d", g.H, g.W) }

// Cells returns the number of values of a plane.
func (g Grid) Cells() int { return g.H * g.W }

// Wraps reports whether both axes are periodic.
func (g Grid) Wraps() bool { return g.Boundary == [2]Boundary{} }

// Lengths returns the domain's height and width: the box, or without one the
// number of cells along each axis.
func (g Grid) Lengths() (ly, lx float64) {
	if g.Box[0] <= 0 || g.Box[1] <= 0 {
		return float64(g.H), float64(g.W)
	}
	return g.Box[0], g.Box[1]
}

// Spacing returns a cell's height and width, in the unit of Lengths.
func (g Grid) Spacing() (dy, dx float64) {
	ly, lx := g.Lengths()
	return ly / float64(g.H), lx / float64(g.W)
}

// flattest bounds a cell's aspect ratio. The number of shells of wavenumbers is in
// proportion to it, so that a box of the wrong unit along one axis would fill memory.
const flattest = 1000

// Check returns an error if the cells are so much longer along one axis than along the
// other that the box must be a mistake.
func (g Grid) Check() error {
	dy, dx := g.Spacing()
	if ratio := dy / dx; !(ratio <= flattest && ratio >= 1./flattest) {
		return fmt.Errorf("run.grid.box [%g, %g] over %s cells: cells of %.3g x %.3g: want a ratio of at most %d between the two (the box is the domain's height and width, in one unit)",
			g.Box[0], g.Box[1], g, dy, dx, flattest)
	}
	return nil
}

// Divides reports whether cells of factor x factor tile the grid.
func (g Grid) Divides(factor int) bool {
	return factor > 0 && g.H%factor == 0 && g.W%factor == 0
}

// Coarser returns the grid of the same domain with factor x factor cells joined
// into one.
func (g Grid) Coarser(factor int) Grid {
	g.H, g.W = g.H/factor, g.W/factor
	return g
}

// Finer returns the grid of the same domain with each cell split into
// factor x factor.
func (g Grid) Finer(factor int) Grid {
	g.H, g.W = g.H*factor, g.W*factor
	return g
}
