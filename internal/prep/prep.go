// Package prep is what the preprocessing stages do to a frame, as a plan that is
// carried out in one pass over the frame's memory:
//
//	stored (H,W,C) or planar (C,H,W)
//	   |  select: the kept channels as planes, NaN and Inf refused     channel_select
//	   |  x_lo = bilinear_upsample(avg_pool(x_hi, 2), 2)               pool_upsample
//	   v  (x - mean) / std                                             normalize
//	x_hi, x_lo (C',H,W)
//
// The stages fold their work into the plan of the stage below them that carries
// it out: batch, export or spectra. What comes out is bit for bit what the
// stages, one after the other, would have made.
package prep

import (
	"fmt"
	"math"

	"fmsr/internal/frames"
	"fmsr/internal/parallel"
	"fmsr/internal/torchx"
)

// Plan is the work. Its zero value passes planar frames on as they are.
type Plan struct {
	Stored   bool // the input is channels last
	Select   []int
	Channels []string  // names of what is kept; nil: all, in their order
	Factor   int       // makes x_lo; 0: none
	Periodic bool      // x_lo's interpolation wraps around
	Mean     []float64 // of each kept channel; nil: no normalization
	Std      []float64
}

// Folder is a stage that can leave its work to a plan.
type Folder interface {
	// Fold adds the stage's work in front of what p does already; false, and p
	// unchanged, where that cannot be.
	Fold(p *Plan) bool
}

// Fold is the plan of the longest stretch of stages, from the nearest up, that
// fold, and its length.
func Fold[Stage any](above []Stage) (p *Plan, n int) {
	p = &Plan{}
	for i := len(above) - 1; i >= 0; i-- {
		if f, ok := any(above[i]).(Folder); !ok || !f.Fold(p) {
			break
		}
		n++
	}
	return p, n
}

// Names are the channels that come out of frames with these.
func (p *Plan) Names(in []string) []string {
	if p.Channels == nil {
		return in
	}
	return p.Channels
}

// Run prepares frame n of f: hi and, with a Factor, lo take (C',H,W) values. It
// is safe to call from several goroutines. The error names the field and the
// cell of a value that is not finite, where the plan selects.
func (p *Plan) Run(f *frames.Frames, n int, hi, lo []float32) error {
	src := frames.Floats(f.Hi)[n*f.FrameLen():][:f.FrameLen()]
	if !p.Stored && p.Select == nil && p.Factor == 0 && p.Mean == nil { // as it is
		copy(hi, src)
		return nil
	}
	work := p.work(f)
	if p.Factor == 0 {
		lo = nil
	}
	finite, err := work.Run(src, hi, lo)
	if err != nil || finite || p.Select == nil {
		return err
	}
	for k, c := range work.Channels {
		for cell := range f.H * f.W {
			if v := float64(src[cell*work.CellStride+c*work.ChannelStride]); math.IsNaN(v) || math.IsInf(v, 0) {
				return NonFinite(p.Channels[k], v, cell, f.W)
			}
		}
	}
	return fmt.Errorf("internal error: a value that is not finite was not found again")
}

// Pairs reports whether x_lo comes out of frames like f: made by the plan, or
// made before.
func (p *Plan) Pairs(f *frames.Frames) bool { return f.Lo != nil || p.Factor != 0 }

// Pair is Run where f may have an x_lo already: the same is done to it.
func (p *Plan) Pair(f *frames.Frames, n int, hi, lo []float32) error {
	if f.Lo == nil || p.Factor != 0 {
		return p.Run(f, n, hi, lo)
	}
	made := &frames.Frames{Grid: f.Grid, Channels: f.Channels, Hi: f.Lo}
	if err := p.Run(made, n, lo, nil); err != nil {
		return err
	}
	return p.Run(f, n, hi, nil)
}

// RunAll prepares every frame of f, in parallel: (N,C',H,W) values.
func (p *Plan) RunAll(f *frames.Frames, hi, lo []float32) error {
	size := len(p.Names(f.Channels)) * f.H * f.W
	return parallel.Each(f.N(), func(n int) error {
		if lo == nil {
			return p.Run(f, n, hi[n*size:][:size], nil)
		}
		return p.Run(f, n, hi[n*size:][:size], lo[n*size:][:size])
	})
}

// work is the plan as the kernel takes it.
func (p *Plan) work(f *frames.Frames) *torchx.Prepare {
	w := &torchx.Prepare{H: f.H, W: f.W, CellStride: 1, ChannelStride: f.H * f.W, Channels: p.Select, Periodic: p.Periodic}
	if p.Stored {
		w.CellStride, w.ChannelStride = len(f.Channels), 1
	}
	if p.Select == nil {
		for c := range f.Channels {
			w.Channels = append(w.Channels, c)
		}
	}
	for i := range p.Mean {
		w.Mean = append(w.Mean, float32(p.Mean[i]))
		w.Scale = append(w.Scale, float32(1/p.Std[i]))
	}
	return w
}

// NonFinite is the error for a value at a cell of a plane of width w.
func NonFinite(field string, value float64, cell, w int) error {
	return fmt.Errorf("field %s: %g at y=%d, x=%d", field, value, cell/w, cell%w)
}
