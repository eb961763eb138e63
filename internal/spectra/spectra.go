// Package spectra bins the power of a field's Fourier modes into shells.
//
//	f (H,W) --rfft2/(H W)--> |f_k|^2 (H, W/2+1) --Shells.Sum--> P(k), k = 0, 1, ...
//
// P(k) is the sum over the modes whose |k| rounds to k, |k| in units of the
// longest side's fundamental, every mode counted, so that sum_k P(k) = mean(f^2)
// (Parseval).
package spectra

import "math"

// Shells assigns the modes that rfft2 keeps of an H x W grid to shells.
type Shells struct {
	H, W   int
	Count  []int // modes of the whole plane in each shell
	ly, lx float64
	index  []int32
	weight []float64 // 2 for a mode that stands for its mirror image too
}

// NewShells makes the shells of a grid of that physical size (ly, lx); zero
// sizes mean square cells.
func NewShells(h, w int, ly, lx float64) *Shells {
	if ly <= 0 || lx <= 0 {
		ly, lx = float64(h), float64(w)
	}
	longest := max(ly, lx)
	half := w/2 + 1
	s := &Shells{H: h, W: w, ly: ly, lx: lx, index: make([]int32, h*half), weight: make([]float64, h*half)}
	for y := range h {
		ky := float64(min(y, h-y)) * longest / ly
		for x := range half {
			kx := float64(x) * longest / lx
			k := int(math.RoundToEven(math.Sqrt(ky*ky + kx*kx)))
			i := y*half + x
			s.index[i], s.weight[i] = int32(k), 2
			if x == 0 || 2*x == w {
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

// Sum is P(k) from the power of the half plane, row-major (H, W/2+1).
func (s *Shells) Sum(power []float32) []float64 {
	p := make([]float64, len(s.Count))
	for i, k := range s.index {
		p[k] += s.weight[i] * float64(power[i])
	}
	return p
}

// Band is the power in lo <= k < hi.
func Band(p []float64, lo, hi int) float64 {
	sum := 0.0
	for k := max(0, lo); k < min(hi, len(p)); k++ {
		sum += p[k]
	}
	return sum
}

// Coarser is the shells of the same box on a grid factor times coarser.
func (s *Shells) Coarser(factor int) *Shells { return NewShells(s.H/factor, s.W/factor, s.ly, s.lx) }

// Len is how many shells there are.
func (s *Shells) Len() int { return len(s.Count) }
