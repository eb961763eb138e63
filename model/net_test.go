package model

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/testkit/golden"
	"fmsr.example/fmsr/internal/torchx"
)

// twoConvs is a second network, as small as one can be: the time is a channel of
// the input.
//
//	cat(xt, x_lo, t) (N,2C+1,H,W) --> 3x3 conv --> SiLU --> 3x3 conv --> v (N,C,H,W)
type twoConvs struct {
	parameters
	first, second layer
}

func init() {
	networks = append(networks, network{"two-convs", validateTwoConvs, declareTwoConvs, recognizeTwoConvs})
}

func validateTwoConvs(c Config) error {
	if c.Fields < 1 || c.Channels < 1 {
		return fmt.Errorf("two-convs: %d fields, %d channels: want at least 1", c.Fields, c.Channels)
	}
	return nil
}

func declareTwoConvs(b *builder) Net {
	n := &twoConvs{parameters: b.parameters}
	fields, width := int64(n.config.Fields), int64(n.config.Channels)
	n.first = b.weights("first", false, width, 2*fields+1, 3, 3)
	n.second = b.weights("second", true, fields, width, 3, 3)
	n.params = b.params
	return n
}

func recognizeTwoConvs(shape func(name string) []int64) (Config, error) {
	dims := shape("second.weight")
	if len(dims) != 4 {
		return Config{}, errors.New("model_state_dict is not of two-convs: want second.weight")
	}
	return Config{Fields: int(dims[0]), Channels: int(dims[1])}, nil
}

func (n *twoConvs) Multiple() int { return 1 }

func (n *twoConvs) SampleBytes(h, w int) int64 { return int64(8 * n.config.Channels * h * w) }
func (n *twoConvs) TrainBytes(h, w int) int64  { return 2 * n.SampleBytes(h, w) }

func (n *twoConvs) Forward(s *torchx.Scope, x, t torchx.Tensor) torchx.Tensor {
	if len(t.Shape()) == 2 {
		t = s.Mean(t, 1)
	}
	time := s.Add(s.Affine(s.Narrow(x, 1, 0, 1), 0, 0), s.Reshape(t, -1, 1, 1, 1)) // (N,1,H,W)
	h := s.Conv2d(s.Cat(1, x, time), n.first.w, n.first.b, n.config.Periodic)
	return s.Conv2d(s.SiLU(h), n.second.w, n.second.b, n.config.Periodic)
}

// TestSecondNetwork: another network learns by Trainer, is saved, verified and read
// back under its name, and draws by Generator what the one in memory draws.
func TestSecondNetwork(t *testing.T) {
	ctx := context.Background()
	thread, err := torchx.StartThread(1)
	if err != nil {
		t.Fatal(err)
	}
	flow := Flow{Base: XLoPlusNoise, NoiseScale: 0.1, LossScale: 100}
	tr, err := NewTrainer(ctx, thread, Config{Network: "two-convs", Fields: 2, Channels: 8, Periodic: true},
		Hyper{Flow: flow, LR: 1e-2, GradClip: 1e3, TMin: 1e-4, TMax: 1 - 1e-4, Seed: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	pair := func(s *torchx.Scope) (x1, xLo torchx.Tensor) {
		x1 = s.To(grid(s, golden.Fields(2, 2, 16), 2, 2, 16, 16), torchx.Float32, torchx.CPU, torchx.NHWC)
		return x1, s.UpsampleBilinear(s.AvgPool2d(x1, 2), 2)
	}
	var losses []float64
	for range 60 {
		err := tr.Do(ctx, func(s *torchx.Scope) error {
			x1, xLo := pair(s)
			r, err := tr.TrainStep(s, xLo, x1)
			losses = append(losses, r.Loss)
			return err
		})
		if err == nil {
			err = tr.UpdateEMA(ctx, Averaging{Decay: 0.5})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if first, last := mean(losses[:5]), mean(losses[55:]); !(last < first/2) {
		t.Errorf("loss %g at first and %g in the end: it does not learn", first, last)
	}

	path := filepath.Join(t.TempDir(), "checkpoint.pt")
	stats := &field.Stats{Mean: []float64{0, 1}, Std: []float64{1, 2}}
	if err := save(ctx, tr, path, Checkpoint{Channels: []string{"a", "b"}, Stats: stats, Input: Input{Factor: 2}, Averaged: true}); err != nil {
		t.Fatal(err)
	}
	if is, err := Verify(ctx, path); err != nil || !strings.Contains(is, fmt.Sprint(Count(tr.Net), " parameters")) {
		t.Errorf("%s: %v", is, err)
	}
	l, err := OpenCheckpoint(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if want := tr.Net.Config(); l.Config.Network != want.Network || l.Config.Channels != want.Channels || !l.Config.Periodic {
		t.Errorf("read back as %+v", l.Config)
	}
	err = tr.Do(ctx, func(s *torchx.Scope) error {
		net, err := l.Net(s, "ema_state_dict", torchx.CPU)
		if err != nil {
			return err
		}
		defer net.Free()
		read := NewInference(net, false)
		defer read.Close()
		x1, xLo := pair(s)
		draw := func(of *Inference) []float32 {
			g := Generator{
				Inference: of, Stats: stats, Streams: func(k uint64) []uint64 { return []uint64{k} },
				Sampler: SamplerConfig{Solver: "multistep", TMin: 1e-4, TMax: 1 - 1e-4, SDESchedule: "matched"}.Sampler(l.Flow),
			}
			out := make([]float32, torchx.Numel(x1))
			g.Draw(ctx, s, xLo, out)
			return out
		}
		drawn := draw(read)
		for i, x := range draw(tr.Inference(true)) {
			golden.Near(t, "drawn by the network that was read back", float64(drawn[i]), float64(x), 0)
		}
		truth, lo := s.Floats(x1), s.Floats(xLo)
		sample, input := 0.0, 0.0
		for i, x := range truth {
			field := i / 256 % 2
			sample += math.Pow((float64(drawn[i])-stats.Mean[field])/stats.Std[field]-float64(x), 2)
			input += math.Pow(float64(lo[i])-float64(x), 2)
		}
		if !(sample < input) {
			t.Errorf("square error %g of the samples, and %g of the input", sample, input)
		}
		return s.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestDefaultNetworkIsNotNamed: a UNet's checkpoint has no name of a network, and an
// unknown name is refused with the list of known names.
func TestDefaultNetworkIsNotNamed(t *testing.T) {
	ctx := context.Background()
	snapshot, err := tinyTrainer(t).Snapshot(ctx, Checkpoint{Channels: []string{"a"}, Stats: &field.Stats{Mean: []float64{0}, Std: []float64{1}}, Input: Input{Factor: 2}, Averaged: true})
	if err != nil {
		t.Fatal(err)
	}
	defer snapshot.Close()
	path := filepath.Join(t.TempDir(), "checkpoint.pt")
	if err := snapshot.Save(path); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(data, []byte("network")) {
		t.Error("the checkpoint names its network")
	}
	if err := (Config{Network: "transformer", Fields: 1}).Validate(); err == nil || !strings.Contains(err.Error(), `network "transformer": want unet`) {
		t.Errorf("error %v", err)
	}
}
