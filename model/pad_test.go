package model

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"testing"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/testkit/golden"
	"fmsr.example/fmsr/internal/torchx"
)

// TestExtend: a periodic axis repeats, an open one is reflected as PyTorch's pad does
// with "reflect", also where the axis is shorter than what is added.
func TestExtend(t *testing.T) {
	for _, c := range []struct {
		n, multiple int
		wraps       bool
		want        []int
	}{
		{5, 8, true, []int{0, 1, 2, 3, 4, 0, 1, 2}},
		{5, 8, false, []int{0, 1, 2, 3, 4, 3, 2, 1}},
		{3, 8, true, []int{0, 1, 2, 0, 1, 2, 0, 1}},
		{3, 8, false, []int{0, 1, 2, 1, 0, 1, 2, 1}},
		{1, 4, true, []int{0, 0, 0, 0}},
		{1, 4, false, []int{0, 0, 0, 0}},
		{4, 4, true, []int{0, 1, 2, 3}},
	} {
		onThread(t, func(s *torchx.Scope) error {
			values := make([]float32, c.n)
			for i := range values {
				values[i] = float32(i)
			}
			for _, shape := range [][]int64{{1, 1, -1, 1}, {1, 1, 1, -1}} {
				dim := int64(slices.Index(shape, -1))
				x := s.Reshape(s.FromFloats(values, int64(c.n)), shape...)
				var got []int
				for _, v := range s.Floats(extend(s, x, dim, c.n, c.multiple, c.wraps)) {
					got = append(got, int(v))
				}
				if !slices.Equal(got, c.want) {
					t.Errorf("%+v along %d: %v", c, dim, got)
				}
			}
			return nil
		})
	}
}

// tripled is a network of four levels that multiplies each cell of xt by three, and
// refuses grids that its levels do not divide.
type tripled struct{ *twoConvs }

func (tripled) Multiple() int { return 8 }

func (tripled) Forward(s *torchx.Scope, x, _ torchx.Tensor) torchx.Tensor {
	if shape := x.Shape(); shape[2]%8 != 0 || shape[3]%8 != 0 {
		s.Fail(fmt.Errorf("grid %v", shape))
	}
	return s.Affine(s.Narrow(x, 1, 0, 1), 3, 0)
}

// TestForwardKeepsCellsInPlace: on every grid a cell's velocity comes from the cell, so
// that it follows the field when that is rolled.
func TestForwardKeepsCellsInPlace(t *testing.T) {
	for _, shape := range [][2]int64{{100, 150}, {9, 8}, {8, 9}, {2, 3}, {16, 8}} {
		for _, boundary := range []field.Boundary{field.Periodic, field.Open} {
			onThread(t, func(s *torchx.Scope) error {
				net := tripled{&twoConvs{parameters: parameters{config: Config{Fields: 1, DType: torchx.Float32, Boundary: [2]field.Boundary{boundary, boundary}}}}}
				x := s.Randn(1, 2, 2, shape[0], shape[1])
				v := Forward(s, net, x, s.Full(0.5, torchx.Float32, torchx.CPU, 2))
				want := s.Floats(s.Affine(s.Narrow(x, 1, 0, 1), 3, 0))
				if !slices.Equal(s.Floats(v), want) {
					t.Errorf("%v, %s: cells have moved", shape, boundary)
				}
				return s.Err()
			})
		}
	}
}

// TestForwardOfPeriodicField: a field of period 4 that is cut to 12 x 20 cells continues
// as itself, so that its velocity is that of the field on 16 x 24.
func TestForwardOfPeriodicField(t *testing.T) {
	for _, periodic := range []bool{false, true} {
		onOneCore(t, func(s *torchx.Scope) error {
			net, err := NewNet(s, Config{Fields: 1, Channels: 16, Mult: []int{1, 1, 1, 1}, Periodic: periodic}, 1)
			if err != nil {
				return err
			}
			defer net.Free()
			randomized(s, net)
			values := make([]float32, 2*16*24)
			for i := range values {
				y, x := i/24%16, i%24
				values[i] = float32(golden.Fields(1, 2, 4)[i/(16*24)*16+y%4*4+x%4])
			}
			whole := s.To(s.FromFloats(values, 1, 2, 16, 24), torchx.Float32, torchx.CPU, torchx.NHWC)
			cropped := s.Narrow(s.Narrow(whole, 2, 0, 12), 3, 0, 20)
			at := s.Full(0.3, torchx.Float32, torchx.CPU, 1)
			v := net.Forward(s, whole, at)
			if !slices.Equal(s.Floats(Forward(s, net, whole, at)), s.Floats(v)) {
				t.Error("a grid that needs no padding has other bits")
			}
			want := s.Floats(s.Narrow(s.Narrow(v, 2, 0, 12), 3, 0, 20))
			got := s.Floats(Forward(s, net, cropped, at))
			if !slices.Equal(got, want) {
				t.Errorf("periodic convolutions %v: the cropped field has another velocity", periodic)
			}
			return s.Err()
		})
	}
}

// TestTrainsOnAnyGrid: the loss on 10 x 6 cells, with three levels, is the mean over
// these cells alone. The checkpoint says how the field continues.
func TestTrainsOnAnyGrid(t *testing.T) {
	thread, err := torchx.StartThread(1)
	if err != nil {
		t.Fatal(err)
	}
	flow := Flow{Base: XLoPlusNoise, NoiseScale: 0.1, LossScale: 1}
	tr, err := NewTrainer(context.Background(), thread, Config{Fields: 1, Channels: 4, Mult: []int{1, 1, 1}, Boundary: [2]field.Boundary{field.Open, field.Periodic}},
		Hyper{Flow: flow, LR: 1e-3, GradClip: 1, TMin: 1e-4, TMax: 1 - 1e-4, Seed: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	err = tr.Do(context.Background(), func(s *torchx.Scope) error {
		x1 := s.To(s.Randn(1, 2, 1, 10, 6), torchx.Float32, torchx.CPU, torchx.NHWC)
		xLo := s.UpsampleBilinear(s.AvgPool2d(x1, 2), 2)
		noise, _ := tr.draws(s, x1, 0)
		v := s.Floats(s.AddScaled(x1, flow.SampleBase(s, xLo, noise), -1)) // a new network's own velocity is zero
		want := 0.0
		for _, x := range v {
			want += float64(x) * float64(x) / float64(len(v))
		}
		r, err := tr.TrainStep(s, xLo, x1)
		if err == nil && !(math.Abs(r.Loss-want) < 1e-5*want && r.GradNorm > 0) {
			t.Errorf("loss %g, gradient norm %g, want the loss %g", r.Loss, r.GradNorm, want)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "checkpoint.pt")
	stats := &field.Stats{Mean: []float64{0}, Std: []float64{1}}
	if err := save(context.Background(), tr, path, Checkpoint{Channels: []string{"a"}, Stats: stats, Input: Input{Factor: 2}}); err != nil {
		t.Fatal(err)
	}
	l, err := OpenCheckpoint(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if want := tr.Net.Config().Boundary; l.Config.Boundary != want {
		t.Errorf("the checkpoint's boundaries are %v, want %v", l.Config.Boundary, want)
	}
}
