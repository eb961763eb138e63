package inspect

import (
	"math"
	"slices"
	"strings"

	"fmsr.example/fmsr/internal/field"
)

// divergence tests the in-plane components of a field without divergence: where its axes are
// as they should be, dBx/dx and -dBy/dy are the same but for a factor, the cells' shape.
//
//	as stored      dBx/dx  and -dBy/dy
//	axes swapped   dBx/dy  and -dBy/dx
//	one of them transposed, on a square grid: the derivatives of that one at (x,y)
type divergence struct {
	x, y     int // channels
	grid     field.Grid
	products [4]product
}

// The readings that are tested.
const (
	asStored = iota
	swapped
	firstTransposed
	secondTransposed
)

// product is the sums behind a correlation.
type product struct{ ab, aa, bb float64 }

func (p *product) add(a, b float64) {
	p.ab += a * b
	p.aa += a * a
	p.bb += b * b
}

// correlation of two quantities with the mean 0; 0 if one of them is 0.
func (p product) correlation() float64 {
	if p.aa == 0 || p.bb == 0 {
		return 0
	}
	return p.ab / math.Sqrt(p.aa*p.bb)
}

// magnetic are the names of the components of a field without divergence along x and y.
var magnetic = [][2]string{{"bx", "by"}, {"b_x", "b_y"}, {"b1", "b2"}, {"bcc1", "bcc2"}, {"magx", "magy"}}

// divergences returns the tests for the fields of those names.
func divergences(fields []string, grid field.Grid) (all []*divergence) {
	at := func(name string) int {
		return slices.IndexFunc(fields, func(f string) bool { return strings.EqualFold(f, name) })
	}
	for _, names := range magnetic {
		if x, y := at(names[0]), at(names[1]); x >= 0 && y >= 0 && grid.H >= fewest && grid.W >= fewest {
			all = append(all, &divergence{x: x, y: y, grid: grid})
		}
	}
	return all
}

// add adds a frame (C,H,W), without the cells at its edges.
func (d *divergence) add(planes []float32) {
	n, h, w := d.grid.Cells(), d.grid.H, d.grid.W
	bx, by := planes[d.x*n:][:n], planes[d.y*n:][:n]
	if field.FirstNonFinite(bx) >= 0 || field.FirstNonFinite(by) >= 0 {
		return
	}
	along := func(plane []float32, y, x, step int) float64 {
		return float64(plane[y*w+x+step]) - float64(plane[y*w+x-step])
	}
	for y := 1; y < h-1; y++ {
		for x := 1; x < w-1; x++ {
			d.products[asStored].add(along(bx, y, x, 1), -along(by, y, x, w))
			d.products[swapped].add(along(bx, y, x, w), -along(by, y, x, 1))
			if h == w {
				d.products[firstTransposed].add(along(bx, x, y, w), -along(by, y, x, w))
				d.products[secondTransposed].add(along(bx, y, x, 1), -along(by, x, y, 1))
			}
		}
	}
}

// Correlations between which the axes are told apart: of central differences of a resolved
// field, and of what is not solenoidal.
const (
	solenoidal = 0.9
	unrelated  = 0.5
)

// odd says how the components would have no divergence, if they have one as they are.
func (d *divergence) odd(fields []string) string {
	x, y := fields[d.x], fields[d.y]
	if d.products[asStored].correlation() > unrelated {
		return ""
	}
	for reading, what := range []string{
		swapped:          "the axes H and W look swapped, or " + x + " and " + y + " do",
		firstTransposed:  x + " looks transposed",
		secondTransposed: y + " looks transposed",
	} {
		if reading != asStored && d.products[reading].correlation() > solenoidal {
			return what + ": only then have " + x + " and " + y + " no divergence"
		}
	}
	return ""
}
