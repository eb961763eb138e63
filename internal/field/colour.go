package field

import (
	"fmt"
	"math"
)

// Colour is the spectrum of random planes, for grids of any size:
//
//	Power(i,j) = H W <|F(ky,kx)|^2>,  F = fft2/(H W)
//
// for the waves of a bin, those whose |ky| is from i/Rows to (i+1)/Rows of the grid's largest
// wavenumber along y, H/2, and likewise along x. White noise of variance 1 has Power 1. So
// the planes' variance is the mean of Power over the grid's waves. Wavenumbers count in
// units of the grid's largest: what pooling loses, and what a network sees, is a matter of
// cells, not of the domain's size. Waves that differ in the sign of ky alone have one Power.
type Colour struct {
	Rows, Cols int
	Power      []float64 // (Rows,Cols)
}

// mostBins is how many bins a Colour has along an axis at most.
const mostBins = 32

// Check returns an error for a colour that no meter gives.
func (c Colour) Check() error {
	if c.Rows < 1 || c.Cols < 1 || len(c.Power) != c.Rows*c.Cols {
		return fmt.Errorf("a spectrum of %d powers in %d x %d bins", len(c.Power), c.Rows, c.Cols)
	}
	for _, p := range c.Power {
		if !(p >= 0) || math.IsInf(p, 0) {
			return fmt.Errorf("a spectrum with the power %g", p)
		}
	}
	return nil
}

// Variance returns that of planes on a large grid, where all bins have equally many waves.
func (c Colour) Variance() float64 {
	sum := 0.0
	for _, p := range c.Power {
		sum += p / float64(len(c.Power))
	}
	return sum
}

// At returns the Power of the wave (ky,kx) of a grid, 0 <= ky < H, 0 <= kx < W.
func (c Colour) At(grid Grid, ky, kx int) float64 {
	return c.Power[binOf(ky, grid.H, c.Rows)*c.Cols+binOf(kx, grid.W, c.Cols)]
}

// binOf returns the bin of wave k of n cells.
func binOf(k, n, bins int) int { return min(bins-1, 2*min(k, n-k)*bins/n) }

// ColourMeter measures the colour of planes on one grid.
type ColourMeter struct {
	grid   Grid
	fft    *Fourier
	colour Colour
	waves  []float64 // of each bin
}

// NewColourMeter returns a meter without planes.
func NewColourMeter(grid Grid) *ColourMeter {
	rows, cols := min(mostBins, max(1, grid.H/2)), min(mostBins, max(1, grid.W/2))
	return &ColourMeter{grid: grid, fft: NewFourier(grid), colour: Colour{rows, cols, make([]float64, rows*cols)}, waves: make([]float64, rows*cols)}
}

// Add adds a plane (H,W).
func (m *ColourMeter) Add(plane []float32) {
	half, cells := m.grid.W/2+1, float64(m.grid.Cells())
	for i, f := range m.fft.Forward(plane) {
		ky, kx := i/half, i%half
		weight := 2.0 // for the mirror image too, which is left out
		if kx == 0 || 2*kx == m.grid.W {
			weight = 1
		}
		bin := binOf(ky, m.grid.H, m.colour.Rows)*m.colour.Cols + binOf(kx, m.grid.W, m.colour.Cols)
		m.colour.Power[bin] += weight * cells * (real(f)*real(f) + imag(f)*imag(f))
		m.waves[bin] += weight
	}
}

// Colour returns the mean over the planes' waves.
func (m *ColourMeter) Colour() Colour {
	c := m.colour
	c.Power = make([]float64, len(m.waves))
	for i, sum := range m.colour.Power {
		c.Power[i] = sum / m.waves[i]
	}
	return c
}
