package prep_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr/internal/field"
	"fmsr/internal/frames"
	"fmsr/internal/prep"
	"fmsr/internal/rng"
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
func reference(p *prep.Plan, f *frames.Frames, n int) (hi, lo []float64) {
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
	for k, c := range channels {
		at := func(y, x int) float64 {
			i := (n*len(f.Channels)+c)*f.H*f.W + y*f.W + x
			if p.Stored {
				i = ((n*f.H+y)*f.W+x)*len(f.Channels) + c
			}
			return float64(frames.Floats(f.Hi)[i])
		}
		coarse := func(y, x int) float64 {
			return (at(2*y, 2*x) + at(2*y, 2*x+1) + at(2*y+1, 2*x) + at(2*y+1, 2*x+1)) / 4
		}
		mean, std := 0.0, 1.0
		if p.Mean != nil {
			mean, std = p.Mean[k], p.Std[k]
		}
		for y := range f.H {
			for x := range f.W {
				hi = append(hi, (at(y, x)-mean)/std)
				if p.Factor == 0 {
					continue
				}
				sum := 0.0
				for _, r := range []struct {
					y int
					w float64
				}{{y / 2, 0.75}, {y/2 - 1 + y%2*2, 0.25}} {
					for _, q := range []struct {
						x int
						w float64
					}{{x / 2, 0.75}, {x/2 - 1 + x%2*2, 0.25}} {
						sum += r.w * q.w * coarse(wrap(r.y, f.H/2), wrap(q.x, f.W/2))
					}
				}
				lo = append(lo, (sum-mean)/std)
			}
		}
	}
	return hi, lo
}

// TestRun holds every kind of plan against the formulas: grids that vectors
// divide and that they do not, one channel, all eight in order, some in another.
func TestRun(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	for _, grid := range [][3]int{{16, 16, 8}, {2, 2, 1}, {6, 10, 3}, {4, 24, 8}, {2, 40, 8}, {32, 8, 2}} {
		h, w, c := grid[0], grid[1], grid[2]
		for _, plan := range []*prep.Plan{
			{},
			{Stored: true, Select: all(c), Channels: names(all(c))},
			{Stored: true, Select: all(c), Channels: names(all(c)), Factor: 2},
			{Stored: true, Select: []int{c - 1}, Channels: []string{"last"}, Factor: 2, Periodic: true},
			{Stored: true, Select: all(c), Channels: names(all(c)), Factor: 2, Periodic: true, Mean: ramp(c, 0.1), Std: ramp(c, 0.5)},
			{Factor: 2, Mean: ramp(c, 0.1), Std: ramp(c, 0.5)},
			{Mean: ramp(c, 0.1), Std: ramp(c, 0.5)},
		} {
			f := stored(mem, 2, h, w, c)
			size := len(plan.Names(f.Channels)) * h * w
			hi, lo := make([]float32, 2*size), make([]float32, 2*size)
			if err := plan.RunAll(f, hi, lo); err != nil {
				t.Fatal(err)
			}
			for n := range 2 {
				wantHi, wantLo := reference(plan, f, n)
				near(t, fmt.Sprintf("%v %+v x_hi", grid, plan), hi[n*size:], wantHi)
				near(t, fmt.Sprintf("%v %+v x_lo", grid, plan), lo[n*size:], wantLo)
			}
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
	plan := &prep.Plan{Stored: true, Select: []int{0, 3}, Channels: []string{"a", "d"}, Factor: 2}
	for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1))} {
		for cell := range h * w {
			for channel := range c {
				f := stored(mem, 1, h, w, c)
				frames.Floats(f.Hi)[cell*c+channel] = bad
				err := plan.Run(f, 0, make([]float32, 2*h*w), make([]float32, 2*h*w))
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
	plan := &prep.Plan{Stored: true, Select: []int{1}, Channels: []string{"b"}, Factor: 2}
	for _, values := range [][2]int{{15, 16}, {16, 15}, {0, 0}, {32, 16}} {
		if plan.Run(f, 0, make([]float32, values[0]), make([]float32, values[1])) == nil {
			t.Errorf("%v values: want an error", values)
		}
	}
	plan.Select = []int{2}
	if plan.Run(f, 0, make([]float32, 16), make([]float32, 16)) == nil {
		t.Error("a channel that is not there: want an error")
	}
}
