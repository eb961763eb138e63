package model

import (
	"context"
	"fmt"
	"testing"

	"fmsr/internal/torchx"
)

// BenchmarkTrainStep is a whole training step, one field, batch 4.
func BenchmarkTrainStep(b *testing.B) {
	for _, channels := range []int{32, 128} {
		for _, bf16 := range []bool{false, true} {
			for _, format := range []torchx.Format{torchx.NCHW, torchx.NHWC} {
				name := fmt.Sprintf("channels=%d/bf16=%v/format=%d", channels, bf16, format)
				b.Run(name, func(b *testing.B) { benchTrainStep(b, channels, bf16, format) })
			}
		}
	}
}

func benchTrainStep(b *testing.B, channels int, bf16 bool, format torchx.Format) {
	thread, err := torchx.StartThread(2)
	if err != nil {
		b.Fatal(err)
	}
	flow := Flow{Base: XLoPlusNoise, NoiseScale: 0.1, LossScale: 100}
	tr, err := NewTrainer(context.Background(), thread, Config{Fields: 1, Channels: channels, Format: format},
		Hyper{Flow: flow, LR: 2e-4, GradClip: 1, TMin: 1e-4, TMax: 1 - 1e-4, BF16: bf16})
	if err != nil {
		b.Fatal(err)
	}
	defer tr.Close()
	step := func() {
		err := tr.Do(context.Background(), func(s *torchx.Scope) error {
			x := s.To(s.Randn(1, 4, 1, 64, 64), torchx.Float32, torchx.CPU, format)
			_, err := tr.TrainStep(s, x, x)
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	step()
	for b.Loop() {
		step()
	}
}

// BenchmarkSampleStep is one velocity of a large field, as sampling needs it.
func BenchmarkSampleStep(b *testing.B) {
	thread, err := torchx.StartThread(2)
	if err != nil {
		b.Fatal(err)
	}
	defer thread.Close()
	const side = 256
	err = thread.Do(context.Background(), func(s *torchx.Scope) error {
		net, err := NewUNet(s, Config{Fields: 1, Channels: 32}, 1)
		if err != nil {
			return err
		}
		defer net.Free()
		torchx.NoGrad(func() {
			x := s.Randn(1, 1, 2, side, side)
			times := s.Full(0.5, torchx.Float32, torchx.CPU, 1)
			for b.Loop() {
				torchx.Free(s.Keep(net.Forward(s, x, times)))
			}
		})
		return s.Err()
	})
	if err != nil {
		b.Fatal(err)
	}
}
