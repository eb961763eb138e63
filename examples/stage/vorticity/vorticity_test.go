package vorticity_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"example.org/vorticity/vorticity"
	"fmsr.example/fmsr/pipeline"
	"fmsr.example/fmsr/pipeline/stagetest"
)

// TestShear compares the vorticity of sheared waves with the closed form of central differences:
// u = sin(k y), v = sin(2 q x) has w = 2 q cos(2 q x) sinc(2 q dx) - k cos(k y) sinc(k dy).
func TestShear(t *testing.T) {
	const ly, lx = 2., 6.
	grid := pipeline.Grid{H: 16, W: 24, Box: [2]float64{ly, lx}}
	k, q := 2*math.Pi/ly, 2*math.Pi/lx
	dy, dx := grid.Spacing()
	at := func(c, y, x int) float64 {
		switch c {
		case 0:
			return 1
		case 1:
			return math.Sin(k * float64(y) * dy)
		case 2:
			return math.Sin(2 * q * float64(x) * dx)
		default:
			return 2*q*math.Cos(2*q*float64(x)*dx)*sinc(2*q*dx) - k*math.Cos(k*float64(y)*dy)*sinc(k*dy)
		}
	}
	origin, fields := pipeline.Origin{Seed: 4, Frame: 2}, []string{"density", "velx", "vely"}
	frame := stagetest.Frame(origin, fields, grid, func(c, y, x int) float32 {
		return float32(at(c, y, x))
	})
	in := stagetest.Input{Frames: []*pipeline.Frames{frame}}
	out, err := stagetest.Run(t, in, pipeline.With(func(*vorticity.Vorticity) {}))
	if err != nil {
		t.Fatal(err)
	}
	f := out[0]
	if len(out) != 1 || !slices.Equal(f.Channels, []string{"density", "velx", "vely", "vortz"}) || f.Origin() != "seed 4, frame 2" {
		t.Fatalf("%d frames of %v, from %s", len(out), f.Channels, f.Origin())
	}
	for i, got := range f.XHi() {
		c, y, x := i/grid.Cells(), i/grid.W%grid.H, i%grid.W
		if want := at(c, y, x); math.Abs(float64(got)-want) > 2e-6 {
			t.Fatalf("%s at (%d, %d) is %g, want %g", f.Channels[c], y, x, got, want)
		}
	}
}

func sinc(x float64) float64 { return math.Sin(x) / x }

// TestRefused: what the stage cannot do is refused before anything flows.
func TestRefused(t *testing.T) {
	frame := func(channels ...string) stagetest.Input {
		return stagetest.Input{Frames: []*pipeline.Frames{stagetest.Frame(pipeline.Origin{}, channels, pipeline.Grid{H: 4, W: 4}, func(c, y, x int) float32 { return 0 })}}
	}
	for name, c := range map[string]struct {
		in   stagetest.Input
		edit func(*vorticity.Vorticity)
		want string
	}{
		"no field": {frame("velx", "Bx"), nil, "the fields are velx, Bx: want velx and vely (u, v)"},
		"there":    {frame("velx", "vely", "vortz"), nil, "and no vortz (name)"},
		"no name":  {frame("velx", "vely"), func(c *vorticity.Vorticity) { c.Name = "" }, "vorticity.name: is empty"},
		"normal":   {stagetest.Input{Frames: frame("velx", "vely").Frames, Traits: pipeline.Planar | pipeline.Normalized}, nil, "takes no normalized frames, which given gives"},
	} {
		if _, err := stagetest.Run(t, c.in, pipeline.With(c.edit)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
