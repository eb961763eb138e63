package field

import (
	"errors"
	"math"
	"slices"

	"fmsr.example/fmsr/internal/parallel"
)

// Projector moves the fields of a frame to the nearest ones that satisfy constraints, all
// at once. Near is meant with each field in units of its deviation std_c:
//
//	minimize  sum_c sum_cells (x'_c - x_c)^2 / std_c^2   over x' that satisfy the constraints
//
// That makes fields of different units comparable, and it is the error that a model of
// normalized fields is trained on. The move is an orthogonal projection in this inner
// product, so it cannot take x further from a truth that satisfies the constraints:
// |x' - truth| <= |x - truth|.
//
// The constraints commute with translations by a coarse cell, so that only the factor^2
// waves which look alike on the coarse grid (aliases) are connected. At each wave of the
// coarse grid, u holds the fields' amplitudes over std at all aliases a:
//
//	div and curl   r_a . u_a = 0 for one or two rows r_a at each alias
//	coarse         sum_a pool_a u_a = factor^2 g, the coarse fields' amplitudes over std
//
//	P_a = 1 - V V*          V: orthonormal basis of the conjugate rows
//	u <- P u + M^+ (factor^2 g - pool P u),   M = pool P
//
// M has a row for each field. Unitary rotations make its rows orthogonal (one-sided
// Jacobi, Hestenes 1958), which reveals its rank: rows that vanish are conditions that
// the other constraints decide, as for the mean of jz.
type Projector struct {
	Constraints
	grid   Grid
	factor int
	std    []float64
	of     *Stats
	y, x   axis
}

// NewProjector returns the projector of frames (C,H,W) on a grid that factor divides, of
// fields with the statistics of. Means are not used. A field that is normalized by its
// logarithm gets its averages by ProjectPositive.
func NewProjector(grid Grid, factor int, c Constraints, of *Stats) (*Projector, error) {
	if err := c.Check(grid); err != nil {
		return nil, err
	}
	for _, i := range c.coupled() {
		if of.IsLog(i) {
			return nil, errors.New("divb and jz connect fields linearly, and one of theirs is normalized by its logarithm (normalize.log)")
		}
	}
	dy, dx := grid.Spacing()
	return &Projector{
		Constraints: c, grid: grid, factor: factor, std: of.Std, of: of,
		y: newAxis(grid.H, factor, dy, c.DivB), x: newAxis(grid.W, factor, dx, c.DivB),
	}, nil
}

// Project moves fine (C,H,W) to the nearest fields that satisfy the constraints, with
// coarse (C,H/factor,W/factor) for their averages; nil: averages of zero. Both are
// normalized by stats, or in physical units if stats is nil. Arithmetic is float64.
//
// There may be no fields that satisfy the constraints and have these averages. Then the
// result has the nearest possible averages, and lacks is more than round-off: the root
// mean square of what the averages lack, in deviations of the fields.
func (p *Projector) Project(fine, coarse []float32, stats *Stats) (lacks float64, err error) {
	cells, small := p.grid.Cells(), p.grid.Coarser(p.factor)
	if coarse == nil {
		coarse = make([]float32, len(p.std)*small.Cells())
	}
	plane := func(c int) []float32 { return fine[c*cells:][:cells] }
	averages := func(c int) []float32 { return coarse[c*small.Cells():][:small.Cells()] }
	coupled := p.coupled()
	if p.Coarse {
		err = parallel.Each(len(p.std), func(c int) error {
			if !slices.Contains(coupled, c) {
				p.average(plane(c), averages(c), c, stats)
			}
			return nil
		})
	}
	if !p.Couples() || err != nil {
		return 0, err
	}
	w := &waves{Projector: p, small: small, fine: make([]*spectrum, len(coupled)), coarse: make([]*spectrum, len(coupled))}
	missed := make([]float64, small.H)
	err = errors.Join(
		parallel.Each(len(coupled), func(i int) error {
			scale, shift := p.units(coupled[i], stats)
			w.fine[i] = newSpectrum(plane(coupled[i]), p.grid, scale, shift)
			w.coarse[i] = newSpectrum(averages(coupled[i]), small, scale, shift)
			return nil
		}),
		parallel.Each(small.H, func(ky int) error {
			missed[ky] = w.solveRow(ky)
			return nil
		}),
		parallel.Each(len(coupled), func(i int) error {
			scale, _ := p.units(coupled[i], stats)
			w.fine[i].addTo(plane(coupled[i]), 1/scale)
			return nil
		}),
	)
	for _, m := range missed {
		lacks += m
	}
	return math.Sqrt(lacks/float64(len(coupled))) / float64(small.Cells()), err
}

// average is Project for a plane of a field that only its averages concern.
func (p *Projector) average(fine, coarse []float32, c int, stats *Stats) {
	switch {
	case stats == nil && p.of.IsLog(c):
		ProjectPositive(fine, coarse, p.grid, p.factor)
	case stats != nil && stats.IsLog(c):
		averages := make([]float32, len(coarse))
		stats.Physical(averages, coarse, c)
		stats.Physical(fine, fine, c)
		ProjectPositive(fine, averages, p.grid, p.factor)
		stats.Normalize(fine, fine, c)
	default:
		ProjectCoarse(fine, coarse, p.grid, p.factor)
	}
}

// units returns how a field's values become multiples of its deviation: x scale + shift.
func (p *Projector) units(c int, stats *Stats) (scale, shift float64) {
	if stats == nil {
		return 1 / p.std[c], 0
	}
	return stats.Std[c] / p.std[c], stats.Mean[c] / p.std[c]
}

// waves are the coupled fields of a frame in Fourier space, over their deviations.
type waves struct {
	*Projector
	small        Grid
	fine, coarse []*spectrum
}

// solveRow replaces the fine amplitudes by their moves, for the waves with index ky along
// y of the coarse grid. It returns the sum of squares of the coarse amplitudes that cannot
// be had. Of two waves that are each other's complex conjugates it takes one.
func (w *waves) solveRow(ky int) (missed float64) {
	f, h, half := w.factor, w.small.H, w.small.W/2
	s := newSolve(len(w.fine), f*f)
	for kx := range half + 1 {
		mirrored, weight := kx == 0 || 2*kx == w.small.W, 2.
		if mirrored && 2*ky > h {
			continue
		}
		if mirrored && (ky == 0 || 2*ky == h) { // its own conjugate
			weight = 1
		}
		for i, x := range w.coarse {
			s.wanted[i] = x.at(ky, kx) * complex(float64(f*f), 0)
		}
		for a := range f * f {
			y, x := ky+a/f*h, kx+a%f*w.small.W
			for i, fine := range w.fine {
				s.u[a][i] = fine.at(y, x)
			}
			w.conditions(s, a, y, x)
		}
		missed += weight * s.solve(w.Coarse) / float64(f*f*f*f)
		for a := range f * f {
			for i, fine := range w.fine {
				fine.set(ky+a/f*h, kx+a%f*w.small.W, s.move[a][i])
			}
		}
	}
	return missed
}

// conditions sets the conditions of alias a, the wave (ky, kx).
func (w *waves) conditions(s *solve, a, ky, kx int) {
	std := func(i int) complex128 { return complex(w.std[w.Magnetic[i]], 0) }
	s.pool[a] = w.y.pool[ky] * w.x.pool[kx]
	s.v[a] = s.v[a][:0]
	if w.DivB != "" {
		s.forbid(a, vector{w.x.forward[kx] * w.y.across[ky] * std(0), w.y.forward[ky] * w.x.across[kx] * std(1)})
	}
	if w.Jz {
		s.forbid(a, vector{w.y.slope[ky] * std(0), -w.x.slope[kx] * std(1), std(2)})
	}
}
