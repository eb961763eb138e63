package inspect

import (
	"context"
	"math"
	"strings"
	"testing"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/frames"
)

// made is a source of frames that fill computes, one field or more.
func made(grid field.Grid, fields []string, n int, fill func(frame, field, y, x int) float64) Source {
	return Source{
		Fields: fields, Grid: grid, Frames: n,
		Each: func(_ context.Context, want func(int) bool, visit func(frames.Origin, []float32) error) error {
			planes := make([]float32, len(fields)*grid.Cells())
			for i := range n {
				if !want(i) {
					continue
				}
				for at := range planes {
					cell := at % grid.Cells()
					planes[at] = float32(fill(i, at/grid.Cells(), cell/grid.W, cell%grid.W))
				}
				if err := visit(frames.Origin{Seed: 7, Frame: i}, planes); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func measure(t *testing.T, s Source, most int) *Report {
	t.Helper()
	r, err := Measure(context.Background(), s, most)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// sine has the period of the grid, kx and ky waves.
func sine(n, k, i int) float64 { return math.Sin(2 * math.Pi * float64(k*i) / float64(n)) }

func cosine(n, k, i int) float64 { return math.Cos(2 * math.Pi * float64(k*i) / float64(n)) }

// TestMoments: two values with probabilities 1-p and p have moments in closed form, in any
// pieces.
func TestMoments(t *testing.T) {
	values := make([]float32, 1000)
	for i := range values {
		values[i] = 5
		if i < 240 || i >= 990 { // p = 1/4, in few of the pieces
			values[i] = 9
		}
	}
	var m Moments
	for _, piece := range [][]float32{values[:100], values[100:104], values[104:], {float32(math.NaN())}} {
		m.Merge(momentsOf(piece))
	}
	p := 0.25
	for what, c := range map[string][2]float64{
		"mean": {m.Mean, 6}, "deviation": {m.Std(), 4 * math.Sqrt(p*(1-p))}, "least": {m.Min, 5}, "most": {m.Max, 9},
		"skewness": {m.Skewness(), (1 - 2*p) / math.Sqrt(p*(1-p))}, "kurtosis": {m.Kurtosis(), 3 + (1-6*p*(1-p))/(p*(1-p))}, "count": {m.Count, 1000},
	} {
		if math.Abs(c[0]-c[1]) > 1e-12*math.Abs(c[1]) {
			t.Errorf("%s %g, want %g", what, c[0], c[1])
		}
	}
}

// TestOdd: what was planted is named, and nothing else.
func TestOdd(t *testing.T) {
	grid := field.Grid{H: 32, W: 48}
	square := field.Grid{H: 32, W: 32}
	// B = (dA/dy, -dA/dx) with A = cos(3y+x) + cos(y-3x)
	bx := func(y, x int) float64 { return -3*sine(32, 1, 3*y+x) - sine(32, 1, y-3*x) }
	by := func(y, x int) float64 { return sine(32, 1, 3*y+x) - 3*sine(32, 1, y-3*x) }
	smooth := func(frame, _, y, x int) float64 {
		return 3 + sine(grid.H, 2, y+frame) + cosine(grid.W, 2, x) + 0.3*sine(grid.H, 1, y)*sine(grid.W, 2, x+frame)
	}
	// power 1/k up to waves of three cells, and variance 1
	rough := func(frame, y, x int) (v float64) {
		sum := 0.0
		for k := 1; k <= 11; k++ {
			sum += 1 / float64(k)
			v += cosine(32, 1, k*(x+y)+k*k*(frame+1)) / math.Sqrt(float64(k))
		}
		return v * math.Sqrt(2/sum)
	}
	magnetic := []string{"Bx", "By"}
	for what, c := range map[string]struct {
		grid   field.Grid
		fields []string
		n      int
		fill   func(frame, field, y, x int) float64
		want   string
	}{
		"nothing": {grid, []string{"a"}, 5, smooth, ""},
		"a checkerboard of a hundredth": {grid, []string{"a"}, 5, func(f, c, y, x int) float64 {
			return smooth(f, c, y, x) + 0.01*float64(1-2*((x+y)%2))
		}, "a: odd and even cells are decoupled along y and x, a checkerboard: waves of two cells have 0.0099 of its deviation"},
		"stripes": {grid, []string{"a"}, 5, func(f, c, y, x int) float64 { return smooth(f, c, y, x) + 0.1*float64(1-2*(x%2)) },
			"a: odd and even cells are decoupled along x: waves of two cells have 0.098 of its deviation"},
		"a faint checkerboard on a rough field": {square, []string{"a"}, 5, func(f, _, y, x int) float64 {
			return rough(f, y, x) + 0.02*float64(1-2*((x+y)%2))
		}, "a: odd and even cells are decoupled along y and x, a checkerboard: waves of two cells have 0.02 of its deviation"},
		"faint stripes on a rough field": {square, []string{"a"}, 5, func(f, _, y, x int) float64 {
			return rough(f, y, x) + 0.02*float64(1-2*(y%2))
		}, "a: odd and even cells are decoupled along y: waves of two cells have 0.02 of its deviation"},
		"a rough field": {square, []string{"a"}, 5, func(f, _, y, x int) float64 { return rough(f, y, x) }, ""},
		"one NaN": {grid, []string{"a"}, 5, func(f, c, y, x int) float64 {
			if f == 3 && y == 20 && x == 41 {
				return math.NaN()
			}
			return smooth(f, c, y, x)
		}, "a: 1 values are NaN or infinite, the first at seed 7, frame 3, y 20, x 41"},
		"repeated frames": {grid, []string{"a"}, 5, func(f, c, y, x int) float64 { return smooth(f%4, c, y, x) },
			"seed 7, frame 4 has the same values as seed 7, frame 0"},
		"a constant":        {grid, []string{"a"}, 2, func(f, _, _, _ int) float64 { return 4 }, "seed 7, frame 1 has the same values as seed 7, frame 0; a: it is constant, 4"},
		"constants":         {grid, []string{"a"}, 2, func(f, _, _, _ int) float64 { return float64(f) }, "a: it is constant within each frame"},
		"too few digits":    {grid, []string{"a"}, 2, func(f, c, y, x int) float64 { return 1e5 + smooth(f, c, y, x) }, "a: float32 keeps only 2.7 digits of its variation beside its mean: subtract one number, about the mean"},
		"H and W exchanged": {field.Grid{H: 48, W: 32}, []string{"a"}, 5, func(f, c, y, x int) float64 { return smooth(f, c, (32*y+x)/48, (32*y+x)%48) }, "a: it is smooth along one axis alone"},
		"noise": {grid, []string{"a"}, 2, func(f, _, y, x int) float64 {
			return math.Mod(1e4*math.Abs(math.Sin(float64(x+100*y+7919*f)*12.9898)), 1)
		}, "a: neighbouring cells are unrelated"},
		"solenoidal": {square, magnetic, 3, func(f, c, y, x int) float64 { return []float64{bx(y, x+f), by(y, x+f)}[c] }, ""},
		"one wave, of which all derivatives are alike": {square, magnetic, 3, func(f, c, y, x int) float64 { return float64([]int{-2, 1}[c]) * sine(32, 1, 2*y+x+f) }, ""},
		"axes swapped":        {square, magnetic, 3, func(f, c, y, x int) float64 { return []float64{bx(x, y+f), by(x, y+f)}[c] }, "the axes H and W look swapped, or Bx and By do: only then have Bx and By no divergence"},
		"a transposed field":  {square, magnetic, 3, func(f, c, y, x int) float64 { return []float64{bx(y, x+f), by(x, y+f)}[c] }, "By looks transposed"},
		"the other component": {square, magnetic, 3, func(f, c, y, x int) float64 { return []float64{bx(x, y+f), by(y, x+f)}[c] }, "Bx looks transposed"},
	} {
		got := strings.Join(measure(t, made(c.grid, c.fields, c.n, c.fill), 0).Odd(), "; ")
		if c.want == "" && got != "" || !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %q, want %q", what, got, c.want)
		}
	}
}

// TestEdges: fields that continue across the edges, and fields that do not, axis by axis.
func TestEdges(t *testing.T) {
	grid := field.Grid{H: 32, W: 48}
	for want, fill := range map[[2]Edge]func(_, _, y, x int) float64{
		{Periodic, Periodic}:    func(_, _, y, x int) float64 { return sine(32, 1, y) + sine(48, 2, x) },
		{NotPeriodic, Periodic}: func(_, _, y, x int) float64 { return float64(y) + 10*sine(48, 1, x) },
		{Periodic, NotPeriodic}: func(_, _, y, x int) float64 { return 10*cosine(32, 1, y) - float64(x) },
		{Unclear, Unclear}:      func(_, _, y, x int) float64 { return float64((y*7919 + x*104729) % 97) },
	} {
		if got := measure(t, made(grid, []string{"a"}, 2, fill), 0).Edges(); got != want {
			t.Errorf("%v, want %v", got, want)
		}
	}
	// A sheet at the edge of a periodic box is steep on both sides of it. A shock inside, as
	// high as the edges differ, does not make them alike.
	for what, c := range map[string]struct {
		at   int // the sheet's or the shock's
		wave float64
		want Edge
	}{"a sheet at the edge": {0, 1, Periodic}, "a sheet inside": {24, 1, Periodic}, "a shock": {24, 0, NotPeriodic}} {
		fill := func(_, _, y, x int) float64 {
			d := float64((x-c.at+72)%48 - 24)
			return math.Tanh(d/2+0.25) - c.wave*d/24 + 0.1*sine(32, 1, y)
		}
		if got := measure(t, made(grid, []string{"a"}, 2, fill), 0).Edges(); got != [2]Edge{Periodic, c.want} {
			t.Errorf("%s: %v", what, got)
		}
	}
}

// TestPower: a wave's power, along each axis, is its variance.
func TestPower(t *testing.T) {
	r := measure(t, made(field.Grid{H: 32, W: 48}, []string{"a"}, 1, func(_, _, y, x int) float64 { return 3*sine(48, 5, x) + 2*sine(32, 4, y) }), 0)
	x, y := r.Fields[0].axes[1].power[5], r.Fields[0].axes[0].power[4]
	if math.Abs(x-4.5) > 1e-5 || math.Abs(y-2) > 1e-5 || math.Abs(r.Fields[0].wave-6.5) > 1e-5 {
		t.Errorf("power %g along x, %g along y of %g: want 4.5, 2 and 6.5", x, y, r.Fields[0].wave)
	}
}

// TestMost: so many frames are measured, evenly spread.
func TestMost(t *testing.T) {
	for most, want := range map[int]float64{0: 49.5, 100: 49.5, 1: 0, 2: 25, 4: 37.5, 1000: 49.5} {
		r := measure(t, made(field.Grid{H: 2, W: 2}, []string{"a"}, 100, func(f, _, _, _ int) float64 { return float64(f) }), most)
		if r.Fields[0].Mean != want {
			t.Errorf("%d frames: mean %g, want %g", most, r.Fields[0].Mean, want)
		}
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(context.DeadlineExceeded)
	if _, err := Measure(ctx, made(field.Grid{H: 2, W: 2}, []string{"a"}, 100, func(_, _, _, _ int) float64 { return 0 }), 0); err != context.DeadlineExceeded {
		t.Errorf("%v", err)
	}
}
