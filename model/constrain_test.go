package model

import (
	"context"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/testkit/golden"
	"fmsr.example/fmsr/internal/torchx"
)

// curled are constraints, a domain and statistics of fields Bx, By, jz, density.
var curled = struct {
	field.Constraints
	field.Grid
	field.Stats
}{
	field.Constraints{Coarse: true, DivB: field.Corner, Jz: true, Magnetic: [3]int{0, 1, 2}},
	field.Grid{H: 8, W: 12, Box: [2]float64{2, 1}},
	field.Stats{Mean: []float64{0.25, -0.5, 4, 3}, Std: []float64{0.3, 0.7, 12, 1.5}},
}

// normal returns standard normal numbers.
func normal(seed uint64, n int) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(golden.N(seed, uint64(i)))
	}
	return out
}

// TestProjectionConstrain: the x1 of a batch is projected as the physical fields of each
// sample are, onto the averages that its own x_lo was interpolated from.
func TestProjectionConstrain(t *testing.T) {
	for _, c := range []field.Constraints{curled.Constraints, {Coarse: true}} {
		testProjectionConstrain(t, c)
	}
}

func testProjectionConstrain(t *testing.T, constraints field.Constraints) {
	t.Helper()
	const n, channels = 2, 4
	c := curled
	small := c.Coarser(2)
	coarse, x1 := normal(1, n*channels*small.Cells()), normal(2, n*channels*c.Cells())
	xLo := make([]float32, len(x1))
	up := field.NewUpsampler(small, 2, true)
	for i := range n * channels {
		up.Plane(xLo[i*c.Cells():][:c.Cells()], coarse[i*small.Cells():][:small.Cells()])
	}
	want := slices.Clone(x1)
	c.PhysicalPlanes(want, want, c.Cells())
	averages := slices.Clone(coarse)
	c.PhysicalPlanes(averages, averages, small.Cells())
	plain, err := field.NewProjector(c.Grid, 2, constraints, &c.Stats)
	if err != nil {
		t.Fatal(err)
	}
	var lacks [n]float64
	for i := range n {
		if lacks[i], err = plain.Project(part(want, i, n), part(averages, i, n), nil); err != nil {
			t.Fatal(err)
		}
	}
	p, err := NewProjection(constraints, Input{Factor: 2, Periodic: true}, c.Grid, &c.Stats)
	if err != nil {
		t.Fatal(err)
	}
	onThread(t, func(s *torchx.Scope) error {
		config := Config{Device: torchx.CPU}
		tensor := func(v []float32) torchx.Tensor {
			return s.To(s.FromFloats(v, n, channels, int64(c.H), int64(c.W)), torchx.Float32, torchx.CPU, torchx.NHWC)
		}
		got := s.Floats(p.Constrain(s, config, tensor(xLo))(s, tensor(x1), tensor(xLo)))
		if err := s.Err(); err != nil {
			return err
		}
		c.PhysicalPlanes(got, got, c.Cells())
		for i, v := range got {
			golden.Near(t, "projected", float64(v), float64(want[i]), 1e-5)
		}
		for i := range n {
			golden.Near(t, "lacks", p.Lacks(i), lacks[i], 1e-6)
			if (Contradiction(p.Lacks(i)) != "") != constraints.Couples() {
				t.Errorf("random averages contradict div B = 0: %q", Contradiction(p.Lacks(i)))
			}
		}
		return nil
	})
}

// TestProjectionNoise: noise is multiplied by a matrix P that is an orthogonal projection, P'
// = P and P^2 = P, with as many directions as are free. Of density 3 of 4 are, for the
// averages are taken. Of Bx, By and jz 1 of 12 is at each of the h w waves of the coarse
// grid. On its axes the wave of two cells across gives one more, and three more at 0.
func TestProjectionNoise(t *testing.T) {
	c := curled
	p, err := NewProjection(c.Constraints, Input{Factor: 2, Periodic: true}, c.Grid, &c.Stats)
	if err != nil {
		t.Fatal(err)
	}
	n := 4 * c.Cells()
	noise := make([]float32, n*n)
	for i := range n {
		noise[i*n+i] = 1
	}
	onThread(t, func(s *torchx.Scope) error {
		config := Config{Device: torchx.CPU}
		once := p.Noise(s, config, s.FromFloats(noise, int64(n), 4, int64(c.H), int64(c.W)))
		left, again := s.Floats(once), s.Floats(p.Noise(s, config, once))
		if err := s.Err(); err != nil {
			return err
		}
		var density, curled float64
		for i := range n {
			for j := range n {
				golden.Near(t, "symmetry", float64(left[i*n+j]), float64(left[j*n+i]), 1e-6)
				golden.Near(t, "projected twice", float64(again[i*n+j]), float64(left[i*n+j]), 1e-6)
			}
			if i < 3*c.Cells() {
				curled += float64(left[i*n+i])
			} else {
				density += float64(left[i*n+i])
			}
		}
		h, w := c.H/2, c.W/2
		golden.Near(t, "directions of density", density, float64(3*h*w), 1e-4)
		golden.Near(t, "directions of B and jz", curled, float64(h*w+h-1+w-1+3), 1e-4)
		return nil
	})
}

// TestConstraintConfig: fields are found by their names, and one that is missing is named.
func TestConstraintConfig(t *testing.T) {
	grid := field.Grid{H: 8, W: 8, Box: [2]float64{1, 1}}
	for _, c := range []struct {
		names    []string
		channels string
		want     field.Constraints
		err      string
	}{
		{nil, "velx", field.Constraints{}, ""},
		{[]string{"coarse"}, "velx", field.Constraints{Coarse: true}, ""},
		{[]string{"divb"}, "velx By Bx", field.Constraints{DivB: field.Central, Magnetic: [3]int{2, 1}}, ""},
		{[]string{"jz", "coarse"}, "jz Bx By", field.Constraints{Coarse: true, Jz: true, Magnetic: [3]int{1, 2, 0}}, ""},
		{[]string{"divb"}, "velx By", field.Constraints{}, "divb need the fields Bx, By, and Bx is missing: the fields are velx, By"},
		{[]string{"divb", "jz"}, "Bx By", field.Constraints{}, "divb, jz need the fields Bx, By, jz, and jz is missing"},
	} {
		config := DefaultConstraints(c.names...)
		config.DivB = "central"
		got, err := config.Of(strings.Fields(c.channels), grid)
		if (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) || err == nil && got != c.want {
			t.Errorf("%v of %s: %+v, %v; want %+v, %q", c.names, c.channels, got, err, c.want, c.err)
		}
	}
}

// TestCheckpointSaysNoise: a checkpoint has the constraints of its noise and the fields whose
// logarithm is normalized, and a run with others is not the run that it resumes.
func TestCheckpointSaysNoise(t *testing.T) {
	ctx := context.Background()
	thread, err := torchx.StartThread(1)
	if err != nil {
		t.Fatal(err)
	}
	flow := Flow{Base: XLoPlusNoise, NoiseScale: 0.25, Noise: field.Constraints{Coarse: true, DivB: field.Spectral, Magnetic: [3]int{2, 1}}}
	trainer, err := NewTrainer(ctx, thread, Config{Fields: 3, Channels: 4, Mult: []int{1, 1}}, Hyper{Flow: flow})
	if err != nil {
		t.Fatal(err)
	}
	defer trainer.Close()
	path := filepath.Join(t.TempDir(), "checkpoint.pt")
	stats := &field.Stats{Mean: []float64{0, 1, 0}, Std: []float64{1, 4, 1}, Log: []bool{true, false, false}}
	if err := save(ctx, trainer, path, Checkpoint{Channels: []string{"density", "By", "Bx"}, Stats: stats, Input: Input{Factor: 2}}); err != nil {
		t.Fatal(err)
	}
	l, err := OpenCheckpoint(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if l.Flow != flow {
		t.Errorf("flow %+v, want %+v", l.Flow, flow)
	}
	if !slices.Equal(l.Stats.Log, stats.Log) {
		t.Errorf("logarithms %v, want %v", l.Stats.Log, stats.Log)
	}
	if err := l.CheckData(Data{Stats: &field.Stats{Mean: stats.Mean, Std: stats.Std}}); err == nil || !strings.Contains(err.Error(), "density was normalized by its logarithm") {
		t.Errorf("without the logarithm: %v", err)
	}
	free := flow
	free.Noise = field.Constraints{}
	want := `its base_noise was constrained to coarse, divb (divb "spectral"), and the run's is free`
	if got := l.Differences(l.Config, free, l.Input); !slices.Equal(got, []string{want}) {
		t.Errorf("differences %q, want %q", got, want)
	}
}

// TestGeneratorConstrains: samples satisfy the constraints to round-off, wherever
// sampling ends, and whatever noise the last step adds; the noise of every step is projected.
func TestGeneratorConstrains(t *testing.T) {
	c := curled
	in := Input{Factor: 2, Periodic: true}
	x1, err := NewProjection(c.Constraints, in, c.Grid, &c.Stats)
	if err != nil {
		t.Fatal(err)
	}
	onThread(t, func(s *torchx.Scope) error {
		net, err := NewNet(s, Config{Fields: 4, Channels: 4, Mult: []int{1, 1}}, 1)
		if err != nil {
			return err
		}
		defer net.Free()
		coarse := s.FromFloats(normal(1, 4*c.Coarser(2).Cells()), 1, 4, int64(c.H/2), int64(c.W/2))
		xLo := s.UpsampleBilinear(coarse, 2)
		for _, delta := range []float64{0, 0.05} {
			g := Generator{
				Inference: NewInference(net, false), OnX1: x1, OnGrid: &GridBase{projection: x1}, Streams: func(k uint64) []uint64 { return []uint64{k} },
				Sampler: Sampler{Flow: Flow{Base: XLoPlusNoise, NoiseScale: 0.1}, Steps: 3, TMin: 0.01, TMax: 0.9, Delta: delta, Schedule: Constant},
			}
			var drawn []torchx.Tensor
			for k := range uint64(3) {
				drawn = append(drawn, g.noise(s, k, xLo.Shape()))
			}
			x := g.Sample(context.Background(), s, xLo)
			again := x1.Constrain(s, net.Config(), xLo)(s, x, xLo)
			golden.Near(t, "projected once more, moved by", math.Sqrt(s.Item(s.MSE(again, x))), 0, 1e-6)
			for _, noise := range drawn {
				golden.Near(t, "noise projected once more, moved by", math.Sqrt(s.Item(s.MSE(x1.Noise(s, net.Config(), noise), noise))), 0, 1e-6)
			}
			g.Close()
		}
		return s.Err()
	})
}
