package torchx

// #include "csrc/fx.h"
import "C"

import (
	"fmt"
	"runtime"
	"unsafe"
)

// Prepare describes the preprocessing of frames of H x W cells: selection of
// channels, pooling, interpolation and normalization in one pass over a frame's
// memory. csrc/frames/prepare.h has the maths.
type Prepare struct {
	H, W                      int
	CellStride, ChannelStride int       // of the input, in values
	Channels                  []int     // the input's channels to keep, in order
	Mean, Scale               []float32 // one for each kept channel; nil for no normalization
	Periodic                  bool      // whether interpolation wraps around
}

// Run fills hi and, unless it is nil, lo, both (len(Channels),H,W), from the frame
// src. It reports whether every kept value is finite. Any goroutine may call it.
func (p *Prepare) Run(src, hi, lo []float32) (finite bool, err error) {
	values := len(p.Channels) * p.H * p.W
	last := (p.H*p.W - 1) * p.CellStride
	for _, c := range p.Channels {
		if c < 0 || last+c*p.ChannelStride >= len(src) {
			return false, fmt.Errorf("prepare: channel %d of %d values", c, len(src))
		}
	}
	if values == 0 || len(hi) != values || (lo != nil && (len(lo) != values || p.H%2 != 0 || p.W%2 != 0)) || len(p.Mean) != len(p.Scale) ||
		(p.Mean != nil && len(p.Mean) != len(p.Channels)) {
		return false, fmt.Errorf("prepare: %d and %d values for %d planes %d x %d", len(hi), len(lo), len(p.Channels), p.H, p.W)
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	channels := make([]C.int64_t, len(p.Channels))
	for i, c := range p.Channels {
		channels[i] = C.int64_t(c)
	}
	pin.Pin(&channels[0])
	plan := C.fx_prepare_plan{
		h: C.int64_t(p.H), w: C.int64_t(p.W), cell_stride: C.int64_t(p.CellStride), channel_stride: C.int64_t(p.ChannelStride),
		channels: &channels[0], n: C.int64_t(len(channels)), periodic: C.bool(p.Periodic),
	}
	if p.Mean != nil {
		pin.Pin(&p.Mean[0])
		pin.Pin(&p.Scale[0])
		plan.mean, plan.scale = floats(p.Mean), floats(p.Scale)
	}
	var ok C.bool
	err = check(C.fx_prepare(&plan, floats(src), floats(hi), floats(lo), &ok))
	return bool(ok), err
}

// floats returns the address of the first value; nil for a nil slice.
func floats(x []float32) *C.float { return (*C.float)(unsafe.Pointer(unsafe.SliceData(x))) }

// Moments returns the mean of values and the sum of their squared distances from
// the mean, computed in two passes in float64. The bits are the same on every
// processor.
func Moments(values []float32) (mean, m2 float64) {
	var m, s C.double
	C.fx_moments(floats(values), C.int64_t(len(values)), &m, &s)
	return float64(m), float64(s)
}
