package field

import (
	"math/cmplx"

	"gonum.org/v1/gonum/dsp/fourier"
)

// spectrum is the discrete Fourier transform of a plane (H,W) of real values,
//
//	F(ky,kx) = sum over y, x of f(y,x) exp(-2 pi i (ky y / H + kx x / W)),
//
// by the half (H, W/2+1) from which the rest follows: F(-ky,-kx) is the conjugate of
// F(ky,kx). It has scratch memory: goroutines must not transform the same one.
type spectrum struct {
	Grid
	half   int
	values []complex128

	rows   *fourier.FFT
	cols   *fourier.CmplxFFT
	line   []float64
	column []complex128
}

// newSpectrum returns the transform of plane scale + shift.
func newSpectrum(plane []float32, grid Grid, scale, shift float64) *spectrum {
	s := &spectrum{
		Grid: grid, half: grid.W/2 + 1, rows: fourier.NewFFT(grid.W), cols: fourier.NewCmplxFFT(grid.H),
		line: make([]float64, grid.W), column: make([]complex128, grid.H),
	}
	s.values = make([]complex128, s.H*s.half)
	for y := range s.H {
		for x, v := range plane[y*s.W:][:s.W] {
			s.line[x] = float64(v)*scale + shift
		}
		s.rows.Coefficients(s.values[y*s.half:][:s.half], s.line)
	}
	s.columns(s.cols.Coefficients)
	return s
}

// columns transforms every column.
func (s *spectrum) columns(transform func(dst, src []complex128) []complex128) {
	for x := range s.half {
		for y := range s.column {
			s.column[y] = s.values[y*s.half+x]
		}
		transform(s.column, s.column)
		for y, v := range s.column {
			s.values[y*s.half+x] = v
		}
	}
}

// addTo adds the plane of which s is the transform, times scale, to dst (H,W), in
// float64. It uses s up.
func (s *spectrum) addTo(dst []float32, scale float64) {
	scale /= float64(s.Cells())
	s.columns(s.cols.Sequence)
	for y := range s.H {
		s.rows.Sequence(s.line, s.values[y*s.half:][:s.half])
		row := dst[y*s.W:][:s.W]
		for x, v := range s.line {
			row[x] = float32(float64(row[x]) + v*scale)
		}
	}
}

// at returns F(ky,kx), for 0 <= ky < H and 0 <= kx < W.
func (s *spectrum) at(ky, kx int) complex128 {
	if kx < s.half {
		return s.values[ky*s.half+kx]
	}
	return cmplx.Conj(s.values[(s.H-ky)%s.H*s.half+s.W-kx])
}

// set sets F(ky,kx) and, with it, its mirror image F(-ky,-kx), where that is kept.
func (s *spectrum) set(ky, kx int, v complex128) {
	if kx < s.half {
		s.values[ky*s.half+kx] = v
	}
	if mirror := (s.W - kx) % s.W; mirror < s.half {
		s.values[(s.H-ky)%s.H*s.half+mirror] = cmplx.Conj(v)
	}
}
