// Package plan does the maths of package field to whole frames, by kernels that
// pass over a frame's memory once.
//
// A Plan is what the preprocessing stages do to a frame:
//
//	stored (H,W,C) or planar (C,H,W)
//	   |  select: the kept channels as planes, NaN and Inf refused       channel_select
//	   |  x_lo = bilinear_upsample(avg_pool(x_hi, factor), factor)       pool_upsample
//	   v  (x - mean) / std                                               normalize
//	x_hi, x_lo (C',H,W)
//
// Each of these stages can run a plan of its own work alone. Or the stages fold
// their work into one plan of the stage below them: batch, export or spectra. The
// results are the same bits either way.
//
// Spectra computes P(k) of the fields and of their averages on a coarse grid, and
// Moments the mean and variance of a plane.
package plan

import (
	"fmt"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/parallel"
	"fmsr.example/fmsr/internal/torchx"
)

// Plan is the preprocessing of each frame. Its zero value passes planar frames on
// unchanged.
type Plan struct {
	Stored   bool         // the input is channels last
	Select   []int        // channels to keep, in order; nil: all
	Channels []string     // their names; nil: the input's
	Factor   int          // fine cells that a cell of x_lo averages, along an axis; 0: no x_lo
	Periodic bool         // x_lo's interpolation wraps around
	Stats    *field.Stats // of the kept channels, to normalize by; nil: no normalization
}

// Folder is a stage whose work a plan can do.
type Folder interface {
	// Fold adds the stage's work in front of p's. It returns false and leaves p unchanged
	// if no plan can do the two in this order.
	Fold(p *Plan) bool
}

// Fold returns a plan that does the work of the nearest stages above, as many as can
// fold, and their number. above lists the nearest stage last.
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

// Names returns the channels' names after the plan, from those before it.
func (p *Plan) Names(in []string) []string {
	if p.Channels == nil {
		return in
	}
	return p.Channels
}

// kernelFactor is the factor that the kernel makes x_lo with.
const kernelFactor = 2

// Run prepares frame n of f: it fills hi and, with a Factor, lo with (C',H,W)
// values; without a lo, x_lo is not made. Several goroutines may call it at once.
// The error names the field and the cell of a value that is not finite, in x_hi or in
// x_lo. A plan that does nothing checks nothing.
func (p *Plan) Run(f *frames.Frames, n int, hi, lo []float32) error {
	src := f.XHi()[n*f.FrameLen():][:f.FrameLen()]
	if !p.Stored && p.Select == nil && p.Factor == 0 && p.Stats == nil { // as it is
		copy(hi, src)
		return nil
	}
	if p.Stats != nil && p.Stats.HasLog() {
		return p.logs(f, n, hi, lo)
	}
	if p.Factor != 0 && p.Factor != kernelFactor {
		return p.pool(f, n, hi, lo)
	}
	work := p.work(f)
	if p.Factor == 0 {
		lo = nil
	}
	finite, err := work.Run(src, hi, lo)
	if err != nil {
		return err
	}
	names := p.Names(f.Channels)
	if finite {
		return p.checkLo(f, names, lo)
	}
	plane := make([]float32, f.Cells())
	for k, c := range work.Channels {
		field.Gather(plane, src[c*work.ChannelStride:], 0, work.CellStride)
		if err := f.CheckFinite(names[k:k+1], plane); err != nil {
			return err
		}
	}
	return fmt.Errorf("internal error: a value that is not finite was not found again")
}

// checkLo returns an error if x_lo is not finite although x_hi is: its averages are
// beyond float32. Every coarse cell has a part in one of the fine cells that are looked
// at, a sixteenth of all.
func (p *Plan) checkLo(f *frames.Frames, names []string, lo []float32) error {
	var sum float32
	for at := 0; at < len(lo); at += f.Cells() {
		for y := 0; y < f.H; y = next(y, f.H) {
			row := lo[at+y*f.W:][:f.W]
			for x := 0; x < f.W; x = next(x, f.W) {
				sum += row[x] - row[x]
			}
		}
	}
	if sum == 0 {
		return nil
	}
	return fmt.Errorf("x_lo: averages of cells are beyond float32: %w", f.CheckFinite(names, lo))
}

// next returns the next multiple of four, but never skips the last of n.
func next(i, n int) int {
	if i < n-1 {
		return min(i+4, n-1)
	}
	return n
}

// logs is Run where the logarithm of a field is normalized.
func (p *Plan) logs(f *frames.Frames, n int, hi, lo []float32) error {
	physical := *p
	physical.Stats = nil
	if err := physical.Run(f, n, hi, lo); err != nil {
		return err
	}
	if p.Factor == 0 {
		lo = nil
	}
	names := p.Names(f.Channels)
	for at := 0; at < len(names); at++ {
		for _, x := range [][]float32{hi, lo} {
			if x == nil {
				continue
			}
			plane := x[at*f.Cells():][:f.Cells()]
			p.Stats.Normalize(plane, plane, at)
			if err := f.CheckFinite(names[at:at+1], plane); err != nil {
				return fmt.Errorf("normalized: %w (the logarithm of a value that is not positive, if normalize.log names the field)", err)
			}
		}
	}
	return nil
}

// pool is Run for factors that the kernel does not know.
func (p *Plan) pool(f *frames.Frames, n int, hi, lo []float32) error {
	if !f.Divides(p.Factor) {
		return fmt.Errorf("prepare: factor %d does not divide the grid %s", p.Factor, f.Grid)
	}
	physical := *p
	physical.Factor, physical.Stats = 0, nil
	if err := physical.Run(f, n, hi, nil); err != nil {
		return err
	}
	grid := f.Coarser(p.Factor)
	coarse, up := make([]float32, grid.Cells()), field.NewUpsampler(grid, p.Factor, p.Periodic)
	plane := func(x []float32, c int) []float32 { return x[c*f.Cells():][:f.Cells()] }
	for c := range p.Names(f.Channels) {
		if lo != nil {
			field.Pool(coarse, plane(hi, c), f.Grid, p.Factor)
			if at := field.FirstNonFinite(coarse); at >= 0 {
				return fmt.Errorf("x_lo: field %s: an average of %d x %d cells is beyond float32", p.Names(f.Channels)[c], p.Factor, p.Factor)
			}
			up.Plane(plane(lo, c), coarse)
		}
		for _, x := range [][]float32{hi, lo} {
			if x != nil && p.Stats != nil {
				p.Stats.Normalize(plane(x, c), plane(x, c), c)
			}
		}
	}
	return nil
}

// Pairs reports whether frames like f have an x_lo after the plan: one that it
// makes, or one that was there.
func (p *Plan) Pairs(f *frames.Frames) bool { return f.Lo != nil || p.Factor != 0 }

// Pair is Run for frames that may have an x_lo already: the plan is applied to it
// as to x_hi.
func (p *Plan) Pair(f *frames.Frames, n int, hi, lo []float32) error {
	if f.Lo == nil || p.Factor != 0 {
		return p.Run(f, n, hi, lo)
	}
	made := &frames.Frames{Grid: f.Grid, Channels: f.Channels, Hi: f.Lo}
	if err := p.Run(made, n, lo, nil); err != nil {
		return fmt.Errorf("x_lo: %w", err)
	}
	return p.Run(f, n, hi, nil)
}

// Frame is one of several frames.
type Frame struct {
	*frames.Frames
	Index int
}

// Join returns one element of frames of the same channels and grid, each after the
// plan: x_hi (N,C',H,W) and, where the plan pairs them, x_lo. The frames are
// prepared in parallel. The memory is from mem.
func (p *Plan) Join(mem memory.Allocator, list []Frame) (*frames.Frames, error) {
	first := list[0]
	channels := p.Names(first.Channels)
	size := len(channels) * first.Cells()
	var origins []frames.Origin
	for _, f := range list {
		origins = append(origins, f.Origins[f.Index])
	}
	out := frames.New(channels, first.Grid, origins, frames.NewBuffer(mem, len(list)*size), nil)
	if p.Pairs(first.Frames) {
		out.Lo = frames.NewBuffer(mem, len(list)*size)
	}
	err := parallel.Each(len(list), func(i int) error {
		hi, lo := out.XHi()[i*size:][:size], out.XLo()
		if lo != nil {
			lo = lo[i*size:][:size]
		}
		if err := p.Pair(list[i].Frames, list[i].Index, hi, lo); err != nil {
			return frames.At(origins[i], err)
		}
		return nil
	})
	if err != nil {
		out.Release()
		return nil, err
	}
	return out, nil
}

// Apply is Join of all of f's frames.
func (p *Plan) Apply(mem memory.Allocator, f *frames.Frames) (*frames.Frames, error) {
	list := make([]Frame, f.N())
	for n := range list {
		list[n] = Frame{f, n}
	}
	return p.Join(mem, list)
}

// work returns the plan in the kernel's terms.
func (p *Plan) work(f *frames.Frames) *torchx.Prepare {
	w := &torchx.Prepare{H: f.H, W: f.W, CellStride: 1, ChannelStride: f.H * f.W, Channels: p.Select, Periodic: p.Periodic}
	if p.Stored {
		w.CellStride, w.ChannelStride = len(f.Channels), 1
	}
	if p.Select == nil {
		w.Channels = upTo(len(f.Channels))
	}
	w.Mean, w.Scale = p.factors(0, len(w.Channels))
	return w
}

// factors returns the mean and the scale by which kernels normalize channels from <= c
// < to, or nil without normalization.
func (p *Plan) factors(from, to int) (mean, scale []float32) {
	for c := from; c < to && p.Stats != nil; c++ {
		m, s := p.Stats.Factors(c)
		mean, scale = append(mean, m), append(scale, s)
	}
	return mean, scale
}

// Moments returns the mean and variance of values, found in two passes: exact to
// round-off within a plane, and planes merge.
func Moments(values []float32) field.Welford {
	if len(values) == 0 {
		return field.Welford{}
	}
	mean, m2 := torchx.Moments(values)
	return field.Welford{Count: float64(len(values)), Mean: mean, M2: m2}
}
