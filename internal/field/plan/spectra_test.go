package plan

import (
	"fmt"
	"math"
	"math/cmplx"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"
	"gonum.org/v1/gonum/dsp/fourier"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/testkit/golden"
)

// frame makes one of (h,w,c) values, channels last.
func frame(mem memory.Allocator, h, w, c int, value func(y, x, c int) float64) *frames.Frames {
	b := frames.NewBuffer(mem, h*w*c)
	for i := range frames.Floats(b) {
		frames.Floats(b)[i] = float32(value(i/c/w, i/c%w, i%c))
	}
	names := make([]string, c)
	for i := range names {
		names[i] = fmt.Sprintf("f%d", i)
	}
	return frames.New(names, field.Grid{H: h, W: w}, make([]frames.Origin, 1), b, nil)
}

// direct is P(k) of a plane in float64, by gonum's transforms.
func direct(s *field.Shells, plane []float64) []float64 {
	h, w := s.H, s.W
	z := make([]complex128, h*w)
	for i, v := range plane {
		z[i] = complex(v, 0)
	}
	rows, columns := fourier.NewCmplxFFT(w), fourier.NewCmplxFFT(h)
	for y := range h {
		copy(z[y*w:], rows.Coefficients(nil, z[y*w:(y+1)*w]))
	}
	p := make([]float64, len(s.Count))
	for x := range w {
		column := make([]complex128, h)
		for y := range h {
			column[y] = z[y*w+x]
		}
		for y, v := range columns.Coefficients(nil, column) {
			ly, lx := s.Lengths()
			ky, kx := float64(min(y, h-y))*max(ly, lx)/ly, float64(min(x, w-x))*max(ly, lx)/lx
			p[int(math.RoundToEven(math.Hypot(ky, kx)))] += math.Pow(cmplx.Abs(v)/float64(h*w), 2)
		}
	}
	return p
}

func pooled(plane []float64, h, w, f int) []float64 {
	out := make([]float64, h/f*(w/f))
	for y := range h {
		for x := range w {
			out[y/f*(w/f)+x/f] += plane[y*w+x] / float64(f*f)
		}
	}
	return out
}

// TestSpectra checks every kind of grid and of work against float64.
func TestSpectra(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	for _, grid := range []struct{ h, w, c, factor int }{
		{1, 1, 1, 0}, {2, 2, 8, 2}, {4, 4, 8, 2}, {8, 8, 8, 2}, {16, 8, 8, 4}, {32, 64, 8, 2}, {64, 64, 8, 2}, {128, 32, 8, 2}, {256, 16, 8, 2},
		{6, 10, 8, 2}, {12, 20, 3, 2}, {7, 9, 8, 0}, {45, 45, 2, 3}, {17, 34, 8, 0}, {1, 16, 8, 0}, {16, 1, 8, 0}, {48, 32, 11, 2}, {18, 6, 8, 6},
	} {
		for _, do := range []*Plan{
			{Stored: true}, {}, {Stored: true, Select: []int{grid.c - 1, 0}, Channels: []string{"last", "first"}},
			{Stored: true, Stats: &field.Stats{Mean: constants(grid.c, 0.5), Std: constants(grid.c, 3)}},
		} {
			what := fmt.Sprintf("%+v %+v", grid, do)
			f := frame(mem, grid.h, grid.w, grid.c, func(y, x, c int) float64 {
				return 1 + golden.N(5, uint64((y*grid.w+x)*grid.c+c))
			})
			p, err := NewSpectra(f.Grid, grid.factor)
			if err != nil {
				t.Fatal(err)
			}
			s := p.Hi
			names := do.Names(f.Channels)
			hi := make([]float64, len(names)*len(s.Count))
			var lo []float64
			if grid.factor != 0 {
				lo = make([]float64, len(names)*len(p.Lo.Count))
			}
			if err := p.Run(f, 0, do, hi, lo); err != nil {
				t.Fatal(err)
			}
			for i := range names {
				plane := plane(f, do, i)
				near(t, what+" hi", hi[i*len(s.Count):][:len(s.Count)], direct(s, plane))
				square := 0.0
				for _, v := range plane {
					square += v * v / float64(len(plane))
				}
				golden.Near(t, what+" sum of P", field.Band(hi[i*len(s.Count):][:len(s.Count)], 0, len(s.Count)), square, 1e-6*square)
				if grid.factor != 0 {
					n := len(p.Lo.Count)
					near(t, what+" lo", lo[i*n:][:n], direct(p.Lo, pooled(plane, grid.h, grid.w, grid.factor)))
				}
			}
			f.Release()
		}
	}
}

// plane is the i-th field that comes out of do, in float64.
func plane(f *frames.Frames, do *Plan, i int) []float64 {
	c, mean, std := i, 0.0, 1.0
	if do.Select != nil {
		c = do.Select[i]
	}
	if do.Stats != nil {
		mean, std = do.Stats.Mean[i], do.Stats.Std[i]
	}
	out := make([]float64, f.H*f.W)
	for cell := range out {
		at := c*len(out) + cell
		if do.Stored {
			at = cell*len(f.Channels) + c
		}
		out[cell] = (float64(frames.Floats(f.Hi)[at]) - mean) / std
	}
	return out
}

func constants(n int, v float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = v
	}
	return out
}

func near(t *testing.T, what string, got, want []float64) {
	t.Helper()
	largest := 0.0
	for _, v := range want {
		largest = max(largest, v)
	}
	if len(want) <= 2 { // a mean of which little is left: float32's error is of the values
		largest = max(largest, 1)
	}
	for k := range want {
		if !(math.Abs(got[k]-want[k]) <= tol*largest) {
			t.Fatalf("%s: P(%d) is %g, want %g", what, k, got[k], want[k])
		}
	}
}

// TestPlaneWaves: a wave's power is in its shell and in no other.
func TestPlaneWaves(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	const n = 32
	p, err := NewSpectra(field.Grid{H: n, W: n}, 0)
	if err != nil {
		t.Fatal(err)
	}
	s := p.Hi
	for ky := range n / 2 {
		f := frame(mem, n, n, 8, func(y, x, c int) float64 { return math.Cos(2 * math.Pi * float64(ky*y+c*x) / n) })
		hi := make([]float64, 8*len(s.Count))
		if err := p.Run(f, 0, &Plan{Stored: true}, hi, nil); err != nil {
			t.Fatal(err)
		}
		f.Release()
		for c := range 8 {
			want := make([]float64, len(s.Count))
			want[int(math.RoundToEven(math.Hypot(float64(ky), float64(c))))] = 0.5
			if ky == 0 && c == 0 {
				want[0] = 1
			}
			near(t, fmt.Sprintf("wave (%d,%d)", ky, c), hi[c*len(s.Count):][:len(s.Count)], want)
		}
	}
}

func TestSpectraNonFinite(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	p, err := NewSpectra(field.Grid{H: 8, W: 8}, 2)
	if err != nil {
		t.Fatal(err)
	}
	for value, want := range map[float64]string{math.NaN(): "field d: NaN at y=2, x=5", math.Inf(-1): "field d: -Inf at y=2, x=5"} {
		f := frame(mem, 8, 8, 8, func(y, x, c int) float64 {
			if y == 2 && x == 5 && c == 3 {
				return value
			}
			return 1
		})
		for _, kept := range []int{3, 4} {
			do := &Plan{Stored: true, Select: []int{kept}, Channels: []string{map[int]string{3: "d", 4: "e"}[kept]}}
			err := p.Run(f, 0, do, make([]float64, len(p.Hi.Count)), make([]float64, len(p.Lo.Count)))
			switch {
			case kept == 4 && err != nil:
				t.Errorf("a channel that is not kept matters: %v", err)
			case kept == 3 && (err == nil || !strings.Contains(err.Error(), want)):
				t.Errorf("error %v, want %s", err, want)
			}
		}
		f.Release()
	}
}

// TestScale: a field's powers scale with its square, from 1e-36 to 1e36, beside channels
// of other scales and under a normalization. By a power of two they scale to the bit.
func TestScale(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	const n, c = 32, 8
	value := func(y, x, c int) float64 { return float64(c) + golden.N(8, uint64((y*n+x)*8+c)) }
	p, err := NewSplitSpectra(field.Grid{H: n, W: n}, 2)
	if err != nil {
		t.Fatal(err)
	}
	report, err := NewSpectra(field.Grid{H: n, W: n}, 2)
	if err != nil {
		t.Fatal(err)
	}
	type powers struct{ hi, lo, report, pooled, lost []float64 }
	of := func(scale float64) (out powers) {
		f := frame(mem, n, n, c, func(y, x, c int) float64 {
			if c == 3 {
				return value(y, x, c)
			}
			return value(y, x, c) * scale
		})
		defer f.Release()
		planes := make([]float32, c*n*n)
		for i := range c {
			field.Gather(planes[i*n*n:][:n*n], frames.Floats(f.Hi), i, c)
		}
		rows := func(shells int) [][]float64 {
			all := make([][]float64, c)
			for i := range all {
				all[i] = make([]float64, shells)
			}
			return all
		}
		hi, lo, lost := rows(p.Hi.Len()), rows(p.Lo.Len()), make([]float64, c)
		if err := p.Add(hi, lo, lost, planes); err != nil {
			t.Fatal(err)
		}
		out = powers{slices.Concat(hi...), slices.Concat(lo...), make([]float64, c*p.Hi.Len()), make([]float64, c*p.Lo.Len()), lost}
		if err := report.Run(f, 0, &Plan{Stored: true}, out.report, out.pooled); err != nil {
			t.Fatal(err)
		}
		return out
	}
	unit := of(1)
	for _, scale := range []float64{1e-36, 1e-30, 1e-20, 1e-8, 1e8, 1e15, 1e20, 1e30, 1e36, 0x1p-100, 0x1p-50, 0x1p50, 0x1p100} {
		got := of(scale)
		same := func(what string, got, want []float64) {
			row := len(got) / c
			for i, v := range got {
				by, sum := scale*scale, field.Band(want[i/row*row:][:row], 0, row)
				if i/row == 3 {
					by = 1
				}
				if _, exact := math.Frexp(scale); (math.Ldexp(0.5, exact) == scale || i/row == 3) && v/by != want[i] {
					t.Fatalf("%g: %s: %d is %g, want %g to the bit", scale, what, i, v/by, want[i])
				}
				golden.Near(t, fmt.Sprintf("%g: %s: %d", scale, what, i), v/by, want[i], 1e-6*sum)
			}
		}
		same("hi", got.hi, unit.hi)
		same("lo", got.lo, unit.lo)
		same("report", got.report, unit.report)
		same("pooled", got.pooled, unit.pooled)
		same("lost", got.lost, unit.lost)
	}
}

// TestLostPower: a wave that pooling keeps has no lost power and one that pooling loses
// has nothing else, whatever the shape of the cells and of the grid.
func TestLostPower(t *testing.T) {
	for _, grid := range []field.Grid{
		{H: 64, W: 64}, {H: 64, W: 64, Box: [2]float64{1, 4}}, {H: 64, W: 64, Box: [2]float64{4, 1}}, {H: 32, W: 64},
	} {
		p, err := NewSplitSpectra(grid, 2)
		if err != nil {
			t.Fatal(err)
		}
		plane := make([]float32, grid.Cells())
		for i := range plane {
			y, x := float64(i/grid.W)/float64(grid.H), float64(i%grid.W)/float64(grid.W)
			plane[i] = float32(1 + math.Cos(2*math.Pi*5*y) + 0.1*math.Cos(2*math.Pi*28*x) + 0.2*math.Cos(2*math.Pi*(float64(grid.H/4)*y+x)))
		}
		hi, lo, lost := [][]float64{make([]float64, p.Hi.Len())}, [][]float64{make([]float64, p.Lo.Len())}, make([]float64, 1)
		if err := p.Add(hi, lo, lost, plane); err != nil {
			t.Fatal(err)
		}
		what := fmt.Sprintf("%+v: ", grid)
		golden.Near(t, what+"lost power", lost[0], 0.1*0.1/2+0.2*0.2/2, 1e-6)
		golden.Near(t, what+"sum of P", field.Band(hi[0], 0, p.Hi.Len()), 1+0.5+0.005+0.02, 1e-6)
		near(t, what+"P", hi[0], direct(p.Hi, widened(plane)))
	}
}

func widened(x []float32) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}
