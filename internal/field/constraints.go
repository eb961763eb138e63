package field

import (
	"fmt"
	"math"
	"math/cmplx"
	"slices"
	"strings"
)

// DivB is a discretization of div B = dBx/dx + dBy/dy.
type DivB string

// The forms of div B: at cell corners, the average along one axis of the difference along
// the other, which constrained transport on cell-centred averages keeps at zero; central
// differences; and ik in Fourier space, where the wave of two cells has no derivative.
const (
	Corner   DivB = "corner"
	Central  DivB = "central"
	Spectral DivB = "spectral"
)

// Constraints are linear conditions on the fine fields (C,H,W) of a frame. All commute
// with translations by a coarse cell.
type Constraints struct {
	Coarse   bool   // pooling a field gives a coarse field, for every field
	DivB     DivB   // the form in which div (Bx, By) is zero; empty: not asked for
	Jz       bool   // jz = dBy/dx - dBx/dy, by central differences
	Magnetic [3]int // indices of Bx, By and jz; jz is not used without Jz
}

// Names returns their names: "coarse, divb corner, jz".
func (c Constraints) Names() string {
	var names []string
	if c.Coarse {
		names = append(names, "coarse")
	}
	if c.DivB != "" {
		names = append(names, "divb "+string(c.DivB))
	}
	if c.Jz {
		names = append(names, "jz")
	}
	return strings.Join(names, ", ")
}

// coupled returns the indices of the fields that constraints connect.
func (c Constraints) coupled() []int {
	switch {
	case c.Jz:
		return c.Magnetic[:]
	case c.DivB != "":
		return c.Magnetic[:2]
	default:
		return nil
	}
}

// Couples reports whether the constraints connect fields.
func (c Constraints) Couples() bool { return len(c.coupled()) > 0 }

// Check returns an error if a grid has no such constraints: div B and curl B need a
// periodic domain, and curl B the domain's size.
func (c Constraints) Check(grid Grid) error {
	name := "divb"
	if c.Jz {
		name = "jz"
	}
	switch {
	case !c.Couples():
		return nil
	case !grid.Wraps():
		return fmt.Errorf("constraint %s is for periodic domains, and run.grid.boundary is [%s, %s]", name, grid.Boundary[0], grid.Boundary[1])
	case c.Jz && (grid.Box[0] <= 0 || grid.Box[1] <= 0):
		return fmt.Errorf("constraint jz compares jz with derivatives of B: set run.grid.box to the domain's height and width, in the unit of length that jz was made with")
	case c.DivB != "" && !slices.Contains([]DivB{Corner, Central, Spectral}, c.DivB):
		return fmt.Errorf("divb %q: want %s, %s or %s", c.DivB, Corner, Central, Spectral)
	}
	return nil
}

// axis holds what operations along an axis do to a wave exp(i theta n) of its cells n,
// for each wave that the cells resolve.
type axis struct {
	pool    []complex128 // average over the cells of a coarse cell, from its first cell on
	slope   []complex128 // derivative by central differences
	across  []complex128 // div B's average
	forward []complex128 // div B's derivative
}

// newAxis returns the operations along an axis of n cells of size d.
func newAxis(n, factor int, d float64, form DivB) axis {
	a := axis{}
	for k := range n {
		theta := 2 * math.Pi * float64(k) / float64(n)
		wave := cmplx.Rect(1, theta)
		var pool complex128
		for cell := range factor {
			pool += cmplx.Rect(1/float64(factor), theta*float64(cell))
		}
		slope, across, forward := complex(0, math.Sin(theta)), complex128(1), complex128(0)
		switch form {
		case Corner:
			across, forward = (1+wave)/2, wave-1
		case Central:
			forward = slope
		case Spectral:
			if 2*k > n {
				theta -= 2 * math.Pi
			}
			if 2*k != n {
				forward = complex(0, theta)
			}
		}
		size := complex(d, 0)
		a.pool = append(a.pool, zeroed(pool))
		a.slope, a.across, a.forward = append(a.slope, zeroed(slope)/size), append(a.across, zeroed(across)), append(a.forward, zeroed(forward)/size)
	}
	return a
}

// zeroed returns 0 for what is round-off of 0, beside 1.
func zeroed(z complex128) complex128 {
	if cmplx.Abs(z) < 1e-13 {
		return 0
	}
	return z
}
