package spectra

import (
	"fmt"
	"math"
	"sync"

	"fmsr/internal/frames"
	"fmsr/internal/prep"
	"fmsr/internal/torchx"
)

// Plan computes the spectra of a frame's fields on its grid and, with a factor,
// of the fields averaged over factor x factor cells on the coarse grid. It may be
// used by several goroutines at once.
//
//	frame (H,W,C) or (C,H,W) --> hi (C,shells), lo (C,shells of the coarse grid)
type Plan struct {
	Hi, Lo  *Shells // Lo is nil without a factor
	kernel  *torchx.Spectrum
	scratch sync.Pool
}

// NewPlan plans for the grid of hi; factor 0 means no coarse grid, else it must
// divide the grid's sides. The plan is freed by Close.
func NewPlan(hi *Shells, factor int) (*Plan, error) {
	p := &Plan{Hi: hi}
	var coarse *torchx.SpectrumGrid
	if factor != 0 {
		if factor < 1 || hi.H%factor != 0 || hi.W%factor != 0 {
			return nil, fmt.Errorf("spectra: a grid %d x %d cannot be averaged over %d x %d cells", hi.H, hi.W, factor, factor)
		}
		p.Lo = hi.Coarser(factor)
		coarse = p.Lo.grid()
	}
	var err error
	if p.kernel, err = torchx.NewSpectrum(*hi.grid(), coarse); err != nil {
		return nil, err
	}
	n := p.kernel.ScratchLen()
	p.scratch.New = func() any { b := make([]byte, n); return &b }
	return p, nil
}

// Close frees the plan.
func (p *Plan) Close() { p.kernel.Close() }

func (s *Shells) grid() *torchx.SpectrumGrid {
	return &torchx.SpectrumGrid{H: s.H, W: s.W, Shells: len(s.Count), Index: s.index}
}

// Run computes the powers of frame n of f, as do selects and normalizes its
// fields: hi (fields, shells) and, with a factor, lo. The error names the field
// and the cell of a value that is not finite.
func (p *Plan) Run(f *frames.Frames, n int, do *prep.Plan, hi, lo []float64) error {
	names := do.Names(f.Channels)
	values := frames.Floats(f.Hi)[n*f.FrameLen():][:f.FrameLen()]
	in := torchx.SpectrumInput{Values: values, CellStride: 1, ChannelStride: f.H * f.W}
	if do.Stored {
		in.CellStride, in.ChannelStride = len(f.Channels), 1
	}
	scratch := p.scratch.Get().(*[]byte)
	defer p.scratch.Put(scratch)
	channels := do.Select
	if channels == nil {
		channels = make([]int, len(names))
		for i := range channels {
			channels[i] = i
		}
	}
	for at := 0; at < len(names); at += torchx.Lanes {
		end := min(at+torchx.Lanes, len(names))
		in.Channels, in.Mean, in.Scale = channels[at:end], nil, nil
		for i := at; i < end && do.Mean != nil; i++ {
			in.Mean = append(in.Mean, float32(do.Mean[i]))
			in.Scale = append(in.Scale, float32(1/do.Std[i]))
		}
		part := func(s *Shells, power []float64) []float64 {
			if s == nil {
				return nil
			}
			return power[at*len(s.Count) : end*len(s.Count)]
		}
		if err := p.kernel.Run(&in, *scratch, part(p.Hi, hi), part(p.Lo, lo)); err != nil {
			return err
		}
	}
	for i := range names {
		if v := hi[i*len(p.Hi.Count)]; math.IsNaN(v) || math.IsInf(v, 0) {
			return notFinite(names[i], values[channels[i]*in.ChannelStride:], in.CellStride, f.W)
		}
	}
	return nil
}

// notFinite finds the value that made a field's power not finite.
func notFinite(field string, x []float32, stride, w int) error {
	for at := 0; at < len(x); at += stride {
		if v := float64(x[at]); math.IsNaN(v) || math.IsInf(v, 0) {
			return prep.NonFinite(field, v, at/stride, w)
		}
	}
	return fmt.Errorf("field %s: its power is beyond float32", field)
}
