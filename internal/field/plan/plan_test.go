package plan_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/field/plan"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/rng"
)

// stored makes n frames (h,w,c), channels last.
func stored(mem memory.Allocator, n, h, w, c int) *frames.Frames {
	b := frames.NewBuffer(mem, n*h*w*c)
	for i := range frames.Floats(b) {
		frames.Floats(b)[i] = float32(rng.Normal(7, uint64(i)))
	}
	names := make([]string, c)
	for i := range names {
		names[i] = fmt.Sprintf("f%d", i)
	}
	origins := make([]frames.Origin, n)
	for i := range origins {
		origins[i].Frame = i
	}
	return frames.New(names, field.Grid{H: h, W: w}, origins, b, nil)
}

// reference is the plan by its formulas, in float64.
func reference(p *plan.Plan, f *frames.Frames, n int) (hi, lo []float64) {
	channels := p.Select
	if channels == nil {
		for c := range f.Channels {
			channels = append(channels, c)
		}
	}
	wrap := func(i, n int) int {
		if p.Periodic {
			return (i + n) % n
		}
		return min(max(i, 0), n-1)
	}
	type tap struct {
		i      int
		weight float64
	}
	taps := func(i int) [2]tap { // the coarse cells on both sides of a fine cell
		at := (float64(i)+0.5)/float64(p.Factor) - 0.5
		lo := math.Floor(at)
		return [2]tap{{int(lo), 1 - (at - lo)}, {int(lo) + 1, at - lo}}
	}
	for k, c := range channels {
		at := func(y, x int) float64 {
			i := (n*len(f.Channels)+c)*f.H*f.W + y*f.W + x
			if p.Stored {
				i = ((n*f.H+y)*f.W+x)*len(f.Channels) + c
			}
			return float64(frames.Floats(f.Hi)[i])
		}
		coarse := func(y, x int) float64 {
			sum := 0.0
			for i := range p.Factor * p.Factor {
				sum += at(p.Factor*y+i/p.Factor, p.Factor*x+i%p.Factor)
			}
			return sum / float64(p.Factor*p.Factor)
		}
		mean, std := 0.0, 1.0
		if p.Stats != nil {
			mean, std = p.Stats.Mean[k], p.Stats.Std[k]
		}
		for y := range f.H {
			for x := range f.W {
				hi = append(hi, (at(y, x)-mean)/std)
				if p.Factor == 0 {
					continue
				}
				sum := 0.0
				for _, r := range taps(y) {
					for _, q := range taps(x) {
						sum += r.weight * q.weight * coarse(wrap(r.i, f.H/p.Factor), wrap(q.i, f.W/p.Factor))
					}
				}
				lo = append(lo, (sum-mean)/std)
			}
		}
	}
	return hi, lo
}

// loops is the plan by package field's loops, one stage after the other.
func loops(p *plan.Plan, f *frames.Frames, n int) (hi, lo []float32) {
	channels := p.Select
	if channels == nil {
		channels = all(len(f.Channels))
	}
	frame := f.XHi()[n*f.FrameLen():][:f.FrameLen()]
	for k, c := range channels {
		x := make([]float32, f.Cells())
		if p.Stored {
			field.Gather(x, frame, c, len(f.Channels))
		} else {
			copy(x, frame[c*f.Cells():])
		}
		var y []float32
		if p.Factor != 0 {
			grid := f.Coarser(p.Factor)
			coarse := make([]float32, grid.Cells())
			field.Pool(coarse, x, f.Grid, p.Factor)
			y = make([]float32, f.Cells())
			field.NewUpsampler(grid, p.Factor, p.Periodic).Plane(y, coarse)
		}
		if p.Stats != nil {
			p.Stats.Normalize(x, x, k)
			p.Stats.Normalize(y, y, k)
		}
		hi, lo = append(hi, x...), append(lo, y...)
	}
	return hi, lo
}

// TestRun checks every kind of plan against the formulas, and against the loops bit
// for bit: grids that vectors divide and that they do not, one channel, all eight in
// order, some in another.
func TestRun(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	for _, grid := range [][3]int{{16, 16, 8}, {2, 2, 1}, {6, 10, 3}, {4, 24, 8}, {2, 40, 8}, {32, 8, 2}, {12, 24, 8}, {24, 36, 3}} {
		h, w, c := grid[0], grid[1], grid[2]
		for _, p := range []*plan.Plan{
			{},
			{Stored: true, Select: all(c), Channels: names(all(c))},
			{Stored: true, Select: all(c), Channels: names(all(c)), Factor: 2},
			{Stored: true, Select: []int{c - 1}, Channels: []string{"last"}, Factor: 2, Periodic: true},
			{Stored: true, Select: all(c), Channels: names(all(c)), Factor: 2, Periodic: true, Stats: &field.Stats{Mean: ramp(c, 0.1), Std: ramp(c, 0.5)}},
			{Factor: 2, Stats: &field.Stats{Mean: ramp(c, 0.1), Std: ramp(c, 0.5)}},
			{Stored: true, Select: all(c), Channels: names(all(c)), Factor: 4, Stats: &field.Stats{Mean: ramp(c, 0.1), Std: ramp(c, 0.5)}},
			{Stored: true, Select: []int{c - 1}, Channels: []string{"last"}, Factor: 3, Periodic: true},
			{Factor: 6, Periodic: true, Stats: &field.Stats{Mean: ramp(c, 0.1), Std: ramp(c, 0.5)}},
			{Stats: &field.Stats{Mean: ramp(c, 0.1), Std: ramp(c, 0.5)}},
		} {
			if p.Factor > 2 && (h%p.Factor != 0 || w%p.Factor != 0) {
				continue
			}
			f := stored(mem, 2, h, w, c)
			out, err := p.Apply(mem, f)
			if err != nil {
				t.Fatal(err)
			}
			if p.Pairs(f) != (p.Factor != 0) {
				t.Errorf("factor %d: x_lo is made: %v", p.Factor, p.Pairs(f))
			}
			size := out.FrameLen()
			for n := range 2 {
				what := fmt.Sprintf("%v %+v frame %d", grid, p, n)
				wantHi, wantLo := reference(p, f, n)
				loopHi, loopLo := loops(p, f, n)
				near(t, what+" x_hi", out.XHi()[n*size:][:size], wantHi)
				same(t, what+" x_hi", out.XHi()[n*size:][:size], loopHi)
				if p.Factor != 0 {
					near(t, what+" x_lo", out.XLo()[n*size:][:size], wantLo)
					same(t, what+" x_lo", out.XLo()[n*size:][:size], loopLo)
				}
			}
			out.Release()
			f.Release()
		}
	}
}

func near(t *testing.T, what string, got []float32, want []float64) {
	t.Helper()
	for i := range want {
		if math.Abs(float64(got[i])-want[i]) > 1e-5 {
			t.Fatalf("%s: value %d is %g, want %g", what, i, got[i], want[i])
		}
	}
}

// same wants the same bits.
func same(t *testing.T, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%s: value %d is %g, the loops give %g", what, i, got[i], want[i])
		}
	}
}

func all(c int) []int {
	index := make([]int, c)
	for i := range index {
		index[i] = i
	}
	return index
}

func names(index []int) []string {
	out := make([]string, len(index))
	for i, c := range index {
		out[i] = fmt.Sprintf("f%d", c)
	}
	return out
}

func ramp(n int, step float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = step * float64(i+1)
	}
	return out
}

// TestNonFinite: what is kept is looked at, wherever it is; what is not kept is not.
func TestNonFinite(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	const h, w, c = 4, 24, 8
	p := &plan.Plan{Stored: true, Select: []int{0, 3}, Channels: []string{"a", "d"}, Factor: 2}
	for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))} {
		for cell := range h * w {
			for channel := range c {
				f := stored(mem, 1, h, w, c)
				frames.Floats(f.Hi)[cell*c+channel] = bad
				err := p.Run(f, 0, make([]float32, 2*h*w), make([]float32, 2*h*w))
				f.Release()
				field, kept := map[int]string{0: "a", 3: "d"}[channel]
				if !kept {
					if err != nil {
						t.Fatalf("channel %d is not kept, but: %v", channel, err)
					}
					continue
				}
				want := fmt.Sprintf("field %s: %g at y=%d, x=%d", field, bad, cell/w, cell%w)
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Fatalf("error %v, want %q", err, want)
				}
			}
		}
	}
}

func TestWrongSizes(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	f := stored(mem, 1, 4, 4, 2)
	defer f.Release()
	p := &plan.Plan{Stored: true, Select: []int{1}, Channels: []string{"b"}, Factor: 2}
	for _, values := range [][2]int{{15, 16}, {16, 15}, {0, 0}, {32, 16}} {
		if p.Run(f, 0, make([]float32, values[0]), make([]float32, values[1])) == nil {
			t.Errorf("%v values: want an error", values)
		}
	}
	p.Select = []int{2}
	if p.Run(f, 0, make([]float32, 16), make([]float32, 16)) == nil {
		t.Error("a channel that is not there: want an error")
	}
}

// TestLoIsChecked: an average beyond float32 is an error wherever the cells are, and so is
// a NaN in an x_lo that came with the frame.
func TestLoIsChecked(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	for _, factor := range []int{2, 4} {
		for _, periodic := range []bool{false, true} {
			const h, w = 12, 20
			for cell := range h / factor * (w / factor) {
				f := stored(mem, 1, h, w, 2)
				y, x := cell/(w/factor)*factor, cell%(w/factor)*factor
				for i := range factor * factor {
					f.XHi()[((y+i/factor)*w+x+i%factor)*2+1] = 3e38
				}
				p := &plan.Plan{Stored: true, Select: []int{0, 1}, Channels: []string{"a", "b"}, Factor: factor, Periodic: periodic}
				_, err := p.Apply(mem, f)
				if err == nil || !strings.Contains(err.Error(), "x_lo: ") || !strings.Contains(err.Error(), "field b") {
					t.Errorf("factor %d, periodic %t, coarse cell %d: %v", factor, periodic, cell, err)
				}
				f.Release()
			}
		}
	}
	f := stored(mem, 1, 4, 6, 1)
	f.Lo = frames.NewBuffer(mem, 24)
	copy(f.XLo(), f.XHi())
	defer f.Release()
	p := &plan.Plan{Stats: &field.Stats{Mean: []float64{0}, Std: []float64{1}}}
	for what, values := range map[string][]float32{"x_lo: field f0: NaN at y=1, x=2": f.XLo(), "field f0: NaN at y=1, x=2": f.XHi()} {
		old := values[8]
		values[8] = float32(math.NaN())
		if _, err := p.Apply(mem, f); err == nil || err.Error() != what {
			t.Errorf("error %v, want %s", err, what)
		}
		values[8] = old
	}
}
