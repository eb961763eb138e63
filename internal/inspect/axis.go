package inspect

import (
	"slices"

	"fmsr.example/fmsr/internal/field"
)

// axis is what a field does along an axis of n cells.
type axis struct {
	squares []float64 // of the difference of each cell and the next, and of the last and the first: their means over lines, summed over planes
	planes  int
	power   []float64 // of each wavenumber 0 .. n/2, summed over planes
}

// edges adds a plane: n cells along the axis, at distances of step, on each of so many lines,
// at distances of next.
func (a *axis) edges(plane []float32, n, lines, step, next int) {
	if n < 2 {
		return
	}
	if a.squares == nil {
		a.squares = make([]float64, n)
	}
	for i := range n {
		sum := 0.0
		for line := range lines {
			d := float64(plane[line*next+(i+1)%n*step]) - float64(plane[line*next+i*step])
			sum += d * d
		}
		a.squares[i] += sum / float64(lines)
	}
	a.planes++
}

// inside returns the mean square difference of neighbours, summed over planes.
func (a *axis) inside() float64 {
	n := len(a.squares) - 1
	return total(a.squares[:n]) / float64(n)
}

// spectra adds a plane's power along both axes, of its modes (H, W/2+1).
func (f *Field) spectra(modes []complex128, grid field.Grid) {
	half := grid.W/2 + 1
	if f.axes[0].power == nil {
		f.axes[0].power, f.axes[1].power = make([]float64, grid.H/2+1), make([]float64, half)
	}
	for i, z := range modes {
		ky, kx := i/half, i%half
		p := real(z)*real(z) + imag(z)*imag(z)
		if kx > 0 && 2*kx < grid.W { // its conjugate is not stored
			p *= 2
		}
		f.axes[0].power[min(ky, grid.H-ky)] += p
		f.axes[1].power[kx] += p
	}
}

// roughness returns the mean square difference of neighbours over twice the variance: 1
// where they are unrelated, near 0 for a smooth field.
func (f *Field) roughness(a axis) float64 { return a.inside() / (2 * f.wave) }

// fewest is the least number of cells of an axis that is judged.
const fewest = 16

// oddEven returns the share of the variance in waves of about two cells, if the power rises
// towards them; 0: it does not. Of a resolved field it falls.
func (f *Field) oddEven(a axis) float64 {
	n := len(a.power) - 1 // the wavenumber of waves of two cells
	if 2*n < fewest {
		return 0
	}
	top, below := a.power[n-n/8:], a.power[n/2:n-n/4]
	share := total(top) / f.wave
	if share > roundOff && total(top)/float64(len(top)) > rising*total(below)/float64(len(below)) {
		return share
	}
	return 0
}

// corner is the power of a wave of two cells, and the mean power of the waves around it,
// summed over planes. A pattern that is the same everywhere is in that wave alone.
type corner struct{ own, around float64 }

// The corners of the modes: waves of two cells along y, along x, and along both.
const (
	alongY = iota
	alongX
	alongBoth
)

// addCorners adds a plane's modes (H, W/2+1) on a grid of even numbers of cells.
func (f *Field) addCorners(modes []complex128, grid field.Grid) {
	if grid.H < fewest || grid.W < fewest || grid.H%2 != 0 || grid.W%2 != 0 {
		return
	}
	half := grid.W/2 + 1
	for i, at := range [][2]int{alongY: {grid.H / 2, 0}, alongX: {0, grid.W / 2}, alongBoth: {grid.H / 2, grid.W / 2}} {
		sum, n := 0.0, 0
		for dy := -near; dy <= near; dy++ {
			for dx := -near; dx <= near; dx++ {
				kx := at[1] + dx
				if kx < 0 || kx >= half {
					continue
				}
				z := modes[(at[0]+dy+grid.H)%grid.H*half+kx]
				p := real(z)*real(z) + imag(z)*imag(z)
				if dy == 0 && dx == 0 {
					f.corners[i].own += p
					continue
				}
				sum += p
				n++
			}
		}
		f.corners[i].around += sum / float64(n)
	}
}

// stands returns the share of the variance in the wave of two cells of a corner, if it
// stands out of those around it; else 0.
func (f *Field) stands(i int) float64 {
	c := f.corners[i]
	if share := c.own / f.wave; share > roundOff && c.own > standing*c.around {
		return share
	}
	return 0
}

const (
	near     = 2    // waves around another
	standing = 50   // how much more power than those around it a wave must have, to be odd: random ones hardly ever have
	rising   = 4    // how much more power waves of two cells must have than longer ones, to be odd
	roundOff = 1e-9 // a share of the variance that may be float32's
)

func total(values []float64) (sum float64) {
	for _, v := range values {
		sum += v
	}
	return sum
}

// Edge is what the edges of a field look like.
type Edge uint8

// The first and last cells differ as neighbours do, or by far more, or it cannot be told.
const (
	Unclear Edge = iota
	Periodic
	NotPeriodic
)

// edge judges the two edges of an axis. The first and last cells may differ as neighbours do
// where the field is steepest, if it is steep beside the edges too: sheets and shocks often
// keep their place. Neighbours of a rough field differ as any cells do.
func (f *Field) edge(a axis) Edge {
	if a.planes == 0 || f.roughness(a) > 0.25 || a.inside() == 0 {
		return Unclear
	}
	n := len(a.squares) - 1
	beside := min(beside, n/2)
	around := (total(a.squares[:beside]) + total(a.squares[n-beside:n])) / float64(2*beside)
	steep := min(slices.Max(a.squares[:n]), 4*around)
	if a.squares[n] > 3*max(steep, a.inside()) {
		return NotPeriodic
	}
	return Periodic
}

// beside is the number of pairs of cells at each edge that tell whether a field is steep there.
const beside = 3

// Edges judges the grid's edges along y and along x by all fields: one that does not
// continue makes them open.
func (r *Report) Edges() (edges [2]Edge) {
	for _, f := range r.Fields {
		for i, a := range f.axes {
			edges[i] = max(edges[i], f.edge(a))
		}
	}
	return edges
}
