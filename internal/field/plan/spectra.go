package plan

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/torchx"
)

// Spectra computes P(k) of fields on a grid and, with a factor, of the fields
// averaged over factor x factor cells, on the coarse grid. Several goroutines may
// use it at once. Its tables are freed with the last reference to it.
//
//	frame (H,W,C) or (C,H,W) --> hi (C,shells), lo (C,shells of the coarse grid)
type Spectra struct {
	Hi, Lo  *field.Shells // Lo is nil without a factor
	fine    *field.Shells // the kernel's: Hi, or Hi with the lost modes apart
	kernel  *torchx.Spectrum
	scratch sync.Pool
}

// NewSpectra plans the transforms of fields on a grid. Factor 0 means no coarse
// grid; any other must divide the grid.
func NewSpectra(grid field.Grid, factor int) (*Spectra, error) {
	hi := field.NewShells(grid)
	return newSpectra(hi, hi, factor)
}

// NewSplitSpectra is NewSpectra for Add with the lost power. The factor must not be 0.
func NewSplitSpectra(grid field.Grid, factor int) (*Spectra, error) {
	hi := field.NewShells(grid)
	return newSpectra(hi, hi.Apart(factor), factor)
}

func newSpectra(hi, fine *field.Shells, factor int) (*Spectra, error) {
	p, grid := &Spectra{Hi: hi, fine: fine}, hi.Grid
	var coarse *torchx.SpectrumGrid
	if factor != 0 {
		if !grid.Divides(factor) {
			return nil, fmt.Errorf("spectra: a grid %s cannot be averaged over %d x %d cells", grid, factor, factor)
		}
		p.Lo = field.NewShells(grid.Coarser(factor))
		coarse = kernelGrid(p.Lo)
	}
	var err error
	if p.kernel, err = torchx.NewSpectrum(*kernelGrid(p.fine), coarse); err != nil {
		return nil, err
	}
	runtime.AddCleanup(p, (*torchx.Spectrum).Close, p.kernel)
	n := p.kernel.ScratchLen()
	p.scratch.New = func() any { b := make([]byte, n); return &b }
	return p, nil
}

func kernelGrid(s *field.Shells) *torchx.SpectrumGrid {
	return &torchx.SpectrumGrid{H: s.H, W: s.W, Shells: s.Len(), Index: s.Index}
}

// Run computes the powers of frame n of f: hi (fields,shells) and, with a factor, lo.
// The plan do selects and normalizes the fields. The error names the field and the cell
// of a value that is not finite.
func (p *Spectra) Run(f *frames.Frames, n int, do *Plan, hi, lo []float64) error {
	names := do.Names(f.Channels)
	in := torchx.SpectrumInput{Values: f.XHi()[n*f.FrameLen():][:f.FrameLen()], CellStride: 1, ChannelStride: f.Cells()}
	if do.Stored {
		in.CellStride, in.ChannelStride = len(f.Channels), 1
	}
	channels := do.Select
	if channels == nil {
		channels = upTo(len(names))
	}
	if err := p.run(&in, channels, do, hi, lo); err != nil {
		return err
	}
	for i := range names {
		if v := hi[i*p.Hi.Len()]; math.IsNaN(v) || math.IsInf(v, 0) {
			plane := make([]float32, f.Cells())
			field.Gather(plane, in.Values[channels[i]*in.ChannelStride:], 0, in.CellStride)
			if err := f.CheckFinite(names[i:i+1], plane); err != nil {
				return err
			}
			return fmt.Errorf("field %s: its normalized values are beyond float32", names[i])
		}
	}
	return nil
}

// Add adds P(k) of planes (C,H,W) to hi (C,shells) and, with a factor, P(k) of their
// averages to lo; a nil lo leaves the averages out. To lost (C), unless it is nil, it adds
// the power in the modes that averaging loses; only split spectra can do that. A plane
// with a NaN or Inf has no finite power.
func (p *Spectra) Add(hi, lo [][]float64, lost []float64, planes []float32) error {
	in := torchx.SpectrumInput{Values: planes, CellStride: 1, ChannelStride: p.Hi.Cells()}
	power := make([]float64, len(hi)*p.fine.Len())
	var pooled []float64
	if p.Lo != nil {
		pooled = make([]float64, len(hi)*p.Lo.Len())
	}
	if err := p.run(&in, upTo(len(hi)), &Plan{}, power, pooled); err != nil {
		return err
	}
	accumulate(hi, power, p.fine.Len())
	accumulate(lo, pooled, len(pooled)/len(hi))
	for c := range lost {
		apart := power[c*p.fine.Len():][p.Hi.Len():p.fine.Len()]
		for k, v := range apart {
			hi[c][k] += v
			lost[c] += v
		}
	}
	return nil
}

// accumulate adds the first shells of each row of power (len(sums),row) to sums.
func accumulate(sums [][]float64, power []float64, row int) {
	for c, sum := range sums {
		for k := range sum {
			sum[k] += power[c*row+k]
		}
	}
}

// run computes the powers of some channels, several at a time.
func (p *Spectra) run(in *torchx.SpectrumInput, channels []int, do *Plan, hi, lo []float64) error {
	scratch := p.scratch.Get().(*[]byte)
	defer p.scratch.Put(scratch)
	for at := 0; at < len(channels); at += torchx.Lanes {
		end := min(at+torchx.Lanes, len(channels))
		in.Channels = channels[at:end]
		in.Mean, in.Scale = do.factors(at, end)
		part := func(s *field.Shells, power []float64) []float64 {
			if s == nil {
				return nil
			}
			return power[at*s.Len() : end*s.Len()]
		}
		if err := p.lanes(in, *scratch, part(p.fine, hi), part(p.Lo, lo)); err != nil {
			return err
		}
	}
	runtime.KeepAlive(p)
	return nil
}

// The kernel squares in float32. A field whose mean square is between these limits keeps
// all its powers there, on any grid that memory can hold.
const leastSquare, mostSquare = 1e-12, 1e12

// lanes runs the kernel once. Where a field's mean square is beyond the limits, it runs
// the kernel again, with such fields scaled by powers of two, so that the powers are to
// the bit those of fields near 1, scaled back in float64.
func (p *Spectra) lanes(in *torchx.SpectrumInput, scratch []byte, hi, lo []float64) error {
	if err := p.kernel.Run(in, scratch, hi, lo); err != nil {
		return err
	}
	scaled := *in
	scaled.Mean, scaled.Scale = slices.Clone(in.Mean), slices.Clone(in.Scale)
	if in.Mean == nil {
		scaled.Mean, scaled.Scale = make([]float32, len(in.Channels)), slices.Repeat([]float32{1}, len(in.Channels))
	}
	exponents := make([]int, len(in.Channels))
	beyond := false
	row, lowRow := len(hi)/len(exponents), len(lo)/len(exponents)
	for i, c := range in.Channels {
		if square := field.Band(hi[i*row:][:row], 0, row); square >= leastSquare && square <= mostSquare {
			continue
		}
		exponents[i] = exponent(in.Values[c*in.ChannelStride:], in.CellStride, p.Hi.Cells(), scaled.Mean[i], scaled.Scale[i])
		scaled.Scale[i] = float32(math.Ldexp(float64(scaled.Scale[i]), -exponents[i]))
		beyond = beyond || exponents[i] != 0
	}
	if !beyond {
		return nil
	}
	if err := p.kernel.Run(&scaled, scratch, hi, lo); err != nil {
		return err
	}
	for i, e := range exponents {
		raise(hi[i*row:][:row], 2*e)
		raise(lo[i*lowRow:][:lowRow], 2*e)
	}
	return nil
}

// exponent returns the e by which 2^-e brings the largest |(x - mean) scale| close to 1,
// or 0 if there is none: every value is zero, or one is not finite.
func exponent(values []float32, stride, cells int, mean, scale float32) int {
	most := 0.0
	for i := range cells {
		most = max(most, math.Abs(float64((values[i*stride]-mean)*scale)))
	}
	if most == 0 || math.IsNaN(most) || math.IsInf(most, 0) {
		return 0
	}
	_, e := math.Frexp(most)
	return max(e, -100) // 2^100 times any scale near 1 is a float32
}

// raise multiplies the powers by 2^e.
func raise(powers []float64, e int) {
	for k := range powers {
		powers[k] = math.Ldexp(powers[k], e)
	}
}

// upTo returns 0, 1, ... n-1.
func upTo(n int) []int {
	index := make([]int, n)
	for i := range index {
		index[i] = i
	}
	return index
}
