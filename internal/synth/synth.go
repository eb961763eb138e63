// Package synth makes random MHD fields with power-law spectra, as fast as they can
// be written to a file.
//
//	random phases, |k|^-slope --FFT--> two patterns of all fields --drift, add--> frame 0, 1, ...
//
// A frame is (H,W,8): density velx vely velz Bx By Bz jz, on square periodic
// cells of side dx = 1/max(H,W). A field's power in shell k falls as k^-slope, with
// |k| in units of the longest side's fundamental. Density is 1 plus a fluctuation;
// the other fields have mean 0. Standard deviations are those of 2D MRI turbulence.
//
// (Bx,By) is the curl of a flux function A at the cells' corners, with differences
// (delta) along one axis and averages (mean) along the other:
//
//	Bx = delta_y mean_x A / dx    By = -delta_x mean_y A / dx
//
// The four operators commute, so the divergence at the corners,
// delta_x mean_y Bx + delta_y mean_x By, is zero identically, as in simulations with
// constrained transport. jz = dBy/dx - dBx/dy by central differences of the cells.
//
// The arithmetic avoids math.Exp and math.Pow, which choose their instructions by
// the processor, so that a program gives the same values on every machine.
package synth

import (
	"math"
	"runtime"

	"golang.org/x/sync/errgroup"
	"gonum.org/v1/gonum/dsp/fourier"

	"fmsr.example/fmsr/internal/rng"
)

// Channels is the number of values of a cell.
const Channels = 8

// The channels. flux is the flux function A, which is drawn and not stored.
const (
	density, velx, vely, velz, bx, by, bz, jz = 0, 1, 2, 3, 4, 5, 6, 7
	flux                                      = -1
)

// spread is the standard deviation of each field that is drawn. That of flux is the
// standard deviation of Bx and By together.
var spread = []struct {
	field int
	std   float64
}{{flux, .067}, {density, .028}, {velx, .081}, {vely, .055}, {velz, .096}, {bz, .115}}

// patterns is the number of patterns of a seed, which drift through each other.
const patterns = 2

// Maker makes the fields of seeds on one grid and with one slope. It is safe for
// concurrent use.
type Maker struct {
	H, W      int
	amplitude []float64 // (H,W): of each mode of a field
	potential []float64 // (H,W): of each mode of A
}

// New returns a Maker for an h x w grid. The shell spectrum of a field is k^-slope.
func New(h, w int, slope float64) *Maker {
	m := &Maker{H: h, W: w, amplitude: make([]float64, h*w), potential: make([]float64, h*w)}
	side := float64(max(h, w))
	for y := range h {
		for x := range w {
			if x == 0 && y == 0 {
				continue // no mean
			}
			ky := float64(min(y, h-y)) * side / float64(h)
			kx := float64(min(x, w-x)) * side / float64(w)
			k2 := math.Log2(ky*ky + kx*kx)
			// a shell has about k modes, each with the power k^-(slope+1)
			m.amplitude[y*w+x] = math.Exp2(-(slope + 1) / 4 * k2)
			m.potential[y*w+x] = math.Exp2(-(slope + 3) / 4 * k2)
		}
	}
	return m
}

// Seed holds the patterns from which the frames of a seed are made.
type Seed struct {
	h, w    int
	pattern [patterns][]float32 // (H,W,8) each; a frame is their sum
	drift   [patterns][2]int    // in cells per frame, along y and x
}

// Seed draws the patterns of a seed. They depend on the stream alone.
func (m *Maker) Seed(stream uint64) *Seed {
	s := &Seed{h: m.H, w: m.W}
	for p := range s.pattern {
		s.pattern[p] = make([]float32, m.H*m.W*Channels)
		for axis, n := range []int{m.H, m.W} {
			step := 1 + int(rng.Uniform(stream, uint64(2*p+axis))*float64(n/16+1))
			if p == 1 {
				step = n - step%n // in the opposite direction
			}
			s.drift[p][axis] = step
		}
	}
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i, f := range spread {
		group.Go(func() error {
			m.draw(s, rng.Stream(stream, uint64(i)), f.field, f.std)
			return nil
		})
	}
	group.Wait() // no goroutine returns an error
	return s
}

// draw fills one field of both patterns. A complex field with independent phases at
// k and -k gives two real fields, its real and its imaginary part.
func (m *Maker) draw(s *Seed, stream uint64, field int, std float64) {
	amplitude := m.amplitude
	if field == flux {
		amplitude = m.potential
	}
	z := make([]complex128, m.H*m.W)
	for i := range z {
		sin, cos := math.Sincos(2 * math.Pi * rng.Uniform(stream, uint64(i)))
		z[i] = complex(amplitude[i]*cos, amplitude[i]*sin)
	}
	transform(z, m.H, m.W)
	std /= math.Sqrt(patterns) // variances of independent patterns add up
	plane := make([]float64, len(z))
	for p, part := range []func(complex128) float64{func(z complex128) float64 { return real(z) }, func(z complex128) float64 { return imag(z) }} {
		for i := range z {
			plane[i] = part(z[i])
		}
		if field == flux {
			m.magnetic(s.pattern[p], plane, std)
			continue
		}
		scale := std / rms(plane)
		for i, v := range plane {
			v *= scale
			if field == density {
				v = 1./patterns + min(max(v, -.25), .25) // so that the sum of both is at least a half
			}
			s.pattern[p][i*Channels+field] = float32(v)
		}
	}
}

// magnetic fills Bx, By and jz of dst (H,W,8) from A at the corners, a (H,W): a[y,x]
// is at the corner between the cells (y,x) and (y+1,x+1).
func (m *Maker) magnetic(dst []float32, a []float64, std float64) {
	h, w := m.H, m.W
	up, left := func(y int) int { return (y + h - 1) % h }, func(x int) int { return (x + w - 1) % w }
	dx := 1 / float64(max(h, w))
	x, y := make([]float64, h*w), make([]float64, h*w) // Bx, By
	for j := range h {
		for i := range w {
			nw, ne, sw, se := a[up(j)*w+left(i)], a[up(j)*w+i], a[j*w+left(i)], a[j*w+i]
			x[j*w+i] = (sw + se - nw - ne) / 2
			y[j*w+i] = -(ne + se - nw - sw) / 2
		}
	}
	scale := std / math.Sqrt((square(rms(x))+square(rms(y)))/2)
	for j := range h {
		for i := range w {
			at := j*w + i
			curl := (y[j*w+(i+1)%w] - y[j*w+left(i)] - x[(j+1)%h*w+i] + x[up(j)*w+i]) / (2 * dx)
			cell := dst[at*Channels:][:Channels]
			cell[bx], cell[by], cell[jz] = float32(x[at]*scale), float32(y[at]*scale), float32(curl*scale)
		}
	}
}

func square(x float64) float64 { return x * x }

func rms(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v * v
	}
	return math.Sqrt(sum / float64(len(values)))
}

// transform replaces z (h,w) by its inverse FFT, without normalization.
func transform(z []complex128, h, w int) {
	rows, columns := fourier.NewCmplxFFT(w), fourier.NewCmplxFFT(h)
	for y := range h {
		row := z[y*w : (y+1)*w]
		rows.Sequence(row, row)
	}
	column := make([]complex128, h)
	for x := range w {
		for y := range h {
			column[y] = z[y*w+x]
		}
		columns.Sequence(column, column)
		for y := range h {
			z[y*w+x] = column[y]
		}
	}
}

// Frame fills dst (H,W,8) with frame i: the sum of the patterns, each moved by i
// times its drift.
func (s *Seed) Frame(dst []float32, i int) {
	width := s.w * Channels
	for y := range s.h {
		row := dst[y*width : (y+1)*width]
		for p, pattern := range s.pattern {
			sy, sx := (y+i*s.drift[p][0])%s.h, i*s.drift[p][1]%s.w*Channels
			src := pattern[sy*width : (sy+1)*width]
			head := row[:width-sx]
			if p == 0 {
				copy(head, src[sx:])
				copy(row[width-sx:], src[:sx])
				continue
			}
			add(head, src[sx:])
			add(row[width-sx:], src[:sx])
		}
	}
}

func add(dst, src []float32) {
	for i, v := range src[:len(dst)] {
		dst[i] += v
	}
}
