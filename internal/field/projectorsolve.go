package field

import (
	"math"
	"math/cmplx"
)

// vector holds an amplitude of each coupled field: Bx, By and, with Jz, jz.
type vector [3]complex128

// dot returns sum v conj(o).
func (v vector) dot(o vector) complex128 {
	return v[0]*cmplx.Conj(o[0]) + v[1]*cmplx.Conj(o[1]) + v[2]*cmplx.Conj(o[2])
}

func (v *vector) add(o vector, by complex128) {
	for i := range v {
		v[i] += o[i] * by
	}
}

// solve is the projection at one wave of the coarse grid.
type solve struct {
	fields int
	u      []vector      // of each alias
	v      [][]vector    // of each alias: an orthonormal basis of what the conditions forbid
	pool   []complex128  // of each alias
	wanted [3]complex128 // sum of pool u of each field
	move   []vector      // of each alias: what the projection adds to u
	rows   [3][]vector   // (M*)_c: the conjugate of a field's row of M, an entry for each alias
}

func newSolve(fields, aliases int) *solve {
	s := &solve{fields: fields, u: make([]vector, aliases), v: make([][]vector, aliases), pool: make([]complex128, aliases), move: make([]vector, aliases)}
	for c := range fields {
		s.rows[c] = make([]vector, aliases)
	}
	return s
}

// rankless is the size of a row, relative to the largest, that counts as round-off of 0.
// Rows that do not vanish are larger than (2 pi / cells)^2.
const rankless = 1e-10

// forbid adds the condition row . u = 0 at an alias. A row of zeros adds nothing, nor does
// one that an earlier row implies.
func (s *solve) forbid(a int, row vector) {
	for i := range row {
		row[i] = cmplx.Conj(row[i])
	}
	before := real(row.dot(row))
	for _, v := range s.v[a] {
		row.add(v, -row.dot(v))
	}
	if square := real(row.dot(row)); square > rankless*rankless*before {
		var unit vector
		unit.add(row, complex(1/math.Sqrt(square), 0))
		s.v[a] = append(s.v[a], unit)
	}
}

// solve sets move. With coarse, pool u is wanted after it, as far as that can be: solve
// returns the sum of squares of what is missing.
func (s *solve) solve(coarse bool) (missed float64) {
	for a, u := range s.u {
		s.move[a] = vector{}
		for _, v := range s.v[a] {
			s.move[a].add(v, -u.dot(v))
		}
	}
	if !coarse {
		return 0
	}
	lacks := s.wanted
	for c := range s.fields {
		for a, pool := range s.pool {
			lacks[c] -= pool * (s.u[a][c] + s.move[a][c])
			var row vector
			row[c] = cmplx.Conj(pool)
			for _, v := range s.v[a] {
				row.add(v, -cmplx.Conj(pool*v[c]))
			}
			s.rows[c][a] = row
		}
	}
	s.rotate(&lacks)
	squares, largest := [3]float64{}, 0.
	for c := range s.fields {
		squares[c] = real(dot(s.rows[c], s.rows[c]))
		largest = max(largest, squares[c])
	}
	for c := range s.fields {
		if squares[c] <= rankless*rankless*largest {
			missed += real(lacks[c] * cmplx.Conj(lacks[c]))
			continue
		}
		for a := range s.move {
			s.move[a].add(s.rows[c][a], lacks[c]/complex(squares[c], 0))
		}
	}
	return missed
}

// rotate makes the rows orthogonal to each other, by rotations of two at a time, and
// rotates lacks with them.
func (s *solve) rotate(lacks *[3]complex128) {
	const most, small = 30, 1e-14
	for range most {
		done := true
		for j := range s.fields {
			for i := range j {
				a, b := real(dot(s.rows[i], s.rows[i])), real(dot(s.rows[j], s.rows[j]))
				g := dot(s.rows[i], s.rows[j])
				if cmplx.Abs(g) <= small*math.Sqrt(a*b) {
					continue
				}
				done = false
				s.rotatePair(i, j, lacks, a, b, g)
			}
		}
		if done {
			return
		}
	}
}

// rotatePair makes rows i and j orthogonal: with squares a and b, and g = (row i) (row j)*,
//
//	phase = g / |g|,   zeta = (b-a) / 2|g|,   tan = sign(zeta) / (|zeta| + sqrt(1 + zeta^2))
//	row i <- cos row i - sin phase row j,     row j <- sin row i + cos phase row j
func (s *solve) rotatePair(i, j int, lacks *[3]complex128, a, b float64, g complex128) {
	phase := g / complex(cmplx.Abs(g), 0)
	zeta := (b - a) / (2 * cmplx.Abs(g))
	tan := math.Copysign(1, zeta) / (math.Abs(zeta) + math.Hypot(1, zeta))
	cos := complex(1/math.Hypot(1, tan), 0)
	sin := cos * complex(tan, 0)
	for at, x := range s.rows[i] {
		y := s.rows[j][at]
		for c := range x {
			turned := phase * y[c]
			s.rows[i][at][c], s.rows[j][at][c] = cos*x[c]-sin*turned, sin*x[c]+cos*turned
		}
	}
	x, y := lacks[i], cmplx.Conj(phase)*lacks[j]
	lacks[i], lacks[j] = cos*x-sin*y, sin*x+cos*y
}

// dot returns the sum of x conj(y) over all aliases.
func dot(x, y []vector) (sum complex128) {
	for a := range x {
		sum += x[a].dot(y[a])
	}
	return sum
}
