package torchx

// #include "csrc/fx.h"
import "C"

import (
	"fmt"
	"runtime"
	"unsafe"
)

// Lanes is the largest number of fields in one Run of a Spectrum.
const Lanes = 8

// SpectrumGrid is a grid of H x W cells with the shells of its Fourier modes.
type SpectrumGrid struct {
	H, W   int
	Shells int
	Index  []int32 // (H, W/2+1): the shell of each mode that rfft2 keeps
}

// Spectrum computes power spectra of fields on a grid and, if there is a coarse
// grid, of the fields averaged onto the coarse grid; csrc/frames/spectrum.h has the
// method. Several goroutines may use it at once. Close frees it.
type Spectrum struct {
	hi, lo   SpectrumGrid
	hiC, loC C.fx_spectrum_plan
}

// NewSpectrum plans the transforms. lo may be nil; else both its sides are hi's
// divided by the same integer.
func NewSpectrum(hi SpectrumGrid, lo *SpectrumGrid) (*Spectrum, error) {
	s := &Spectrum{hi: hi}
	if lo != nil {
		if lo.H < 1 || lo.W < 1 || hi.H%lo.H != 0 || hi.W%lo.W != 0 || hi.H/lo.H != hi.W/lo.W {
			return nil, fmt.Errorf("spectrum: a coarse grid %d x %d of one %d x %d", lo.H, lo.W, hi.H, hi.W)
		}
		s.lo = *lo
	}
	var err error
	if s.hiC, err = newPlan(hi); err == nil && lo != nil {
		s.loC, err = newPlan(*lo)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func newPlan(g SpectrumGrid) (plan C.fx_spectrum_plan, err error) {
	if g.H < 1 || g.W < 1 || len(g.Index) != g.H*(g.W/2+1) {
		return nil, fmt.Errorf("spectrum: %d modes of a grid %d x %d", len(g.Index), g.H, g.W)
	}
	for _, k := range g.Index {
		if k < 0 || int(k) >= g.Shells {
			return nil, fmt.Errorf("spectrum: shell %d of %d", k, g.Shells)
		}
	}
	err = check(C.fx_spectrum_new(C.int64_t(g.H), C.int64_t(g.W), (*C.int32_t)(unsafe.Pointer(&g.Index[0])), C.int64_t(g.Shells), &plan))
	return plan, err
}

// Close frees the plan.
func (s *Spectrum) Close() {
	C.fx_spectrum_free(s.hiC)
	C.fx_spectrum_free(s.loC)
	s.hiC, s.loC = nil, nil
}

// ScratchLen returns the bytes of scratch that a Run needs.
func (s *Spectrum) ScratchLen() int { return int(C.fx_spectrum_scratch(s.hiC, s.loC)) }

// SpectrumInput is a frame of H x W cells and the channels to transform, at most
// Lanes of them. Strides are in values.
type SpectrumInput struct {
	Values                    []float32
	CellStride, ChannelStride int
	Channels                  []int
	Mean, Scale               []float32 // one for each channel, to transform (x - mean) scale; nil to transform x
}

// Run fills hi with the power of each shell, (len(Channels), shells), and lo with the
// same of the averages on the coarse grid, if there is one. If a value is not finite,
// no power of its field is finite.
func (s *Spectrum) Run(in *SpectrumInput, scratch []byte, hi, lo []float64) error {
	n := len(in.Channels)
	if n < 1 || n > Lanes || len(hi) != n*s.hi.Shells || (s.loC != nil && len(lo) != n*s.lo.Shells) || len(scratch) < s.ScratchLen() ||
		(in.Mean != nil && (len(in.Mean) != n || len(in.Scale) != n)) {
		return fmt.Errorf("spectrum: %d fields, room for %d and %d powers, %d bytes", n, len(hi), len(lo), len(scratch))
	}
	channels := make([]C.int64_t, n)
	for i, c := range in.Channels {
		if c < 0 || (s.hi.H*s.hi.W-1)*in.CellStride+c*in.ChannelStride >= len(in.Values) {
			return fmt.Errorf("spectrum: channel %d of %d values", c, len(in.Values))
		}
		channels[i] = C.int64_t(c)
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(&in.Values[0])
	pin.Pin(&channels[0])
	c := C.fx_spectrum_input{
		values: floats(in.Values), cell_stride: C.int64_t(in.CellStride), channel_stride: C.int64_t(in.ChannelStride),
		channels: &channels[0], n: C.int64_t(n),
	}
	if in.Mean != nil {
		pin.Pin(&in.Mean[0])
		pin.Pin(&in.Scale[0])
		c.mean, c.scale = floats(in.Mean), floats(in.Scale)
	}
	return check(C.fx_spectrum_run(s.hiC, s.loC, &c, unsafe.Pointer(&scratch[0]), doubles(hi), doubles(lo)))
}

func doubles(x []float64) *C.double { return (*C.double)(unsafe.Pointer(unsafe.SliceData(x))) }
