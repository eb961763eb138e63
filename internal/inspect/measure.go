package inspect

import (
	"context"
	"fmt"
	"hash/maphash"
	"unsafe"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/frames"
)

// Source is a set of frames.
type Source struct {
	Fields []string
	Grid   field.Grid
	Frames int // how many there are
	// Each calls visit with the frames whose place in their order is wanted: their origin
	// and planes (C,H,W), which are valid during the call.
	Each func(ctx context.Context, want func(i int) bool, visit func(o frames.Origin, planes []float32) error) error
}

// Report is what Measure found.
type Report struct {
	Fields []Field
	Grid   field.Grid
	Frames int      // that were measured
	Alike  []string // frames with the same values, a line each, the first ones
	Pairs  int      // of frames with the same values
	First  []float32
	Origin frames.Origin // of First, planes (C,H,W)

	curls []*divergence
}

// Field is the statistics of a field.
type Field struct {
	Name string
	Moments
	NotFinite int   // values that are NaN or infinite
	Where     Place // the first of them

	axes    [2]axis // along y and along x
	corners [3]corner
	wave    float64 // variance of the frames that these are of, summed
}

// Place is a cell of a frame.
type Place struct {
	frames.Origin
	Y, X int
}

// String names the place for messages.
func (p Place) String() string {
	return fmt.Sprintf("seed %d, frame %d, y %d, x %d", p.Seed, p.Frame, p.Y, p.X)
}

// looked is how many frames are looked at beyond their moments.
const looked = 32

// mostAlike bounds the pairs of equal frames that are named.
const mostAlike = 3

// Measure reads frames of a source, at most so many, evenly spread; 0: all. It stops with
// the cause when ctx ends.
func Measure(ctx context.Context, s Source, most int) (*Report, error) {
	if most == 0 || most > s.Frames {
		most = s.Frames
	}
	m := &measuring{Report: Report{Grid: s.Grid, Fields: make([]Field, len(s.Fields))}, sums: map[uint64]frames.Origin{}, seed: maphash.MakeSeed(), stride: max(1, (most+looked-1)/looked)}
	for c, name := range s.Fields {
		m.Fields[c].Name = name
	}
	m.curls = divergences(s.Fields, s.Grid)
	m.fourier = field.NewFourier(s.Grid)
	wanted := func(i int) bool { return i*most/s.Frames != (i-1)*most/s.Frames || i == 0 }
	err := s.Each(ctx, wanted, func(o frames.Origin, planes []float32) error {
		m.add(o, planes)
		return ctx.Err()
	})
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return &m.Report, err
}

type measuring struct {
	Report
	sums    map[uint64]frames.Origin
	seed    maphash.Seed
	stride  int // between the frames that are looked at
	fourier *field.Fourier
}

// add measures a frame (C,H,W).
func (m *measuring) add(o frames.Origin, planes []float32) {
	if m.Frames == 0 {
		m.First, m.Origin = append([]float32(nil), planes...), o
	}
	sum := maphash.Bytes(m.seed, unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(planes))), 4*len(planes)))
	if twin, ok := m.sums[sum]; !ok {
		m.sums[sum] = o
	} else if m.Pairs++; m.Pairs <= mostAlike {
		m.Alike = append(m.Alike, fmt.Sprintf("seed %d, frame %d has the same values as seed %d, frame %d", o.Seed, o.Frame, twin.Seed, twin.Frame))
	}
	look := m.Frames%m.stride == 0
	m.Frames++
	n := m.Grid.Cells()
	for c := range m.Fields {
		m.Fields[c].add(o, planes[c*n:][:n], m.Grid, m.fourier, look)
	}
	if look {
		for _, d := range m.curls {
			d.add(planes)
		}
	}
}

// add measures a plane (H,W).
func (f *Field) add(o frames.Origin, plane []float32, grid field.Grid, fourier *field.Fourier, look bool) {
	moments := momentsOf(plane)
	f.Merge(moments)
	if lost := grid.Cells() - int(moments.Count); lost > 0 {
		if f.NotFinite == 0 {
			at := field.FirstNonFinite(plane)
			f.Where = Place{o, at / grid.W, at % grid.W}
		}
		f.NotFinite += lost
		return
	}
	if look && moments.M2 > 0 {
		f.wave += moments.M2 / moments.Count
		f.axes[0].edges(plane, grid.H, grid.W, grid.W, 1)
		f.axes[1].edges(plane, grid.W, grid.H, 1, grid.W)
		modes := fourier.Forward(plane)
		f.spectra(modes, grid)
		f.addCorners(modes, grid)
	}
}
