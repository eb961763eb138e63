package field

import "gonum.org/v1/gonum/dsp/fourier"

// Fourier transforms the planes of a grid, in float64. It has scratch memory: goroutines
// must not share it.
//
//	plane (H,W) --Forward: rfft2/(H W)--> modes (H, W/2+1) --Inverse--> plane
type Fourier struct {
	grid   Grid
	rows   *fourier.FFT
	cols   *fourier.CmplxFFT
	row    []float64
	column []complex128
}

// NewFourier plans the transforms of a grid of any size.
func NewFourier(g Grid) *Fourier {
	return &Fourier{grid: g, rows: fourier.NewFFT(g.W), cols: fourier.NewCmplxFFT(g.H), row: make([]float64, g.W), column: make([]complex128, g.H)}
}

// Forward returns the modes of a plane (H,W) that rfft2 keeps, (H, W/2+1), divided by
// H W: mode 0 is the mean.
func (f *Fourier) Forward(plane []float32) []complex128 {
	h, w := f.grid.H, f.grid.W
	half := w/2 + 1
	modes := make([]complex128, h*half)
	for y := range h {
		for x, v := range plane[y*w:][:w] {
			f.row[x] = float64(v) / float64(h*w)
		}
		f.rows.Coefficients(modes[y*half:][:half], f.row)
	}
	f.columns(modes, f.cols.Coefficients)
	return modes
}

// Inverse fills plane (H,W) from its modes, which it overwrites.
func (f *Fourier) Inverse(plane []float32, modes []complex128) {
	w := f.grid.W
	half := w/2 + 1
	f.columns(modes, f.cols.Sequence)
	for y := range f.grid.H {
		f.rows.Sequence(f.row, modes[y*half:][:half])
		for x, v := range f.row {
			plane[y*w+x] = float32(v)
		}
	}
}

// columns transforms each column of modes in place. A column of zeros, such as those beyond
// a band, needs no work.
func (f *Fourier) columns(modes []complex128, transform func(dst, src []complex128) []complex128) {
	half := f.grid.W/2 + 1
	for x := range half {
		some := false
		for y := range f.column {
			f.column[y] = modes[y*half+x]
			some = some || f.column[y] != 0
		}
		if !some {
			continue
		}
		transform(f.column, f.column)
		for y, v := range f.column {
			modes[y*half+x] = v
		}
	}
}
