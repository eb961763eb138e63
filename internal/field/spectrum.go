package field

import (
	"math"
	"slices"
)

// Shells assigns the Fourier modes of a grid to shells of wavenumber.
//
//	f (H,W) --rfft2/(H W)--> |f_k|^2 (H, W/2+1) --Sum--> P(k), k = 0, 1, ...
//
// P(k) is the sum over the modes whose |k| rounds to k, |k| in units of the
// fundamental of the longest side. Every mode counts, so that
// sum_k P(k) = mean(f^2) (Parseval). Package plan computes P(k).
type Shells struct {
	Grid
	Count  []int     // modes of the whole plane in each shell
	Index  []int32   // shell of each mode that rfft2 keeps, (H, W/2+1)
	weight []float64 // 2 for a mode that stands for its mirror image too
}

// NewShells returns the shells of a grid.
func NewShells(g Grid) *Shells {
	ly, lx := g.Lengths()
	longest := max(ly, lx)
	half := g.W/2 + 1
	s := &Shells{Grid: g, Index: make([]int32, g.H*half), weight: make([]float64, g.H*half)}
	for y := range g.H {
		ky := float64(min(y, g.H-y)) * longest / ly
		for x := range half {
			kx := float64(x) * longest / lx
			k := int(math.RoundToEven(math.Sqrt(ky*ky + kx*kx)))
			i := y*half + x
			s.Index[i], s.weight[i] = int32(k), 2
			if x == 0 || 2*x == g.W {
				s.weight[i] = 1
			}
			for len(s.Count) <= k {
				s.Count = append(s.Count, 0)
			}
			s.Count[k] += int(s.weight[i])
		}
	}
	return s
}

// Len returns the number of shells.
func (s *Shells) Len() int { return len(s.Count) }

// Weight returns how many modes of the whole plane the i-th mode that rfft2 keeps stands
// for: 2 if its mirror image is left out, else 1.
func (s *Shells) Weight(i int) float64 { return s.weight[i] }

// Sum returns P(k) from the power of the modes that rfft2 keeps, (H, W/2+1).
func (s *Shells) Sum(power []float32) []float64 {
	p := make([]float64, len(s.Count))
	for i, k := range s.Index {
		p[k] += s.weight[i] * float64(power[i])
	}
	return p
}

// Apart returns the shells with the modes apart that averaging over factor x factor
// cells loses: those at or beyond the coarse grid's Nyquist wavenumber along either
// axis. A lost mode of shell k is in shell Len() + k of the result.
func (s *Shells) Apart(factor int) *Shells {
	out := &Shells{Grid: s.Grid, Count: append(slices.Clone(s.Count), make([]int, s.Len())...), Index: slices.Clone(s.Index), weight: s.weight}
	half := s.W/2 + 1
	for i, k := range s.Index {
		y, x := i/half, i%half
		if 2*factor*min(y, s.H-y) >= s.H || 2*factor*x >= s.W {
			out.Index[i] += int32(s.Len())
			out.Count[k] -= int(s.weight[i])
			out.Count[int(k)+s.Len()] += int(s.weight[i])
		}
	}
	return out
}

// Band returns the power in lo <= k < hi.
func Band(p []float64, lo, hi int) float64 {
	sum := 0.0
	for k := max(0, lo); k < min(hi, len(p)); k++ {
		sum += p[k]
	}
	return sum
}

// LostFrom returns the least |k| of a mode that averaging over factor x factor cells
// loses, in the unit of shells.
func (g Grid) LostFrom(factor int) float64 {
	dy, dx := g.Spacing()
	ly, lx := g.Lengths()
	return max(ly, lx) / max(dy, dx) / float64(2*factor)
}
