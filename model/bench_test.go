package model

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"fmsr/internal/torchx"
)

// benchSteps times step for the small and the full network in both precisions, on the torch thread: made by
// prepare, which gets batch 4 of one 64x64 field in the format that the network has. Besides the mean it reports the median, which other processes on the machine move less.
func benchSteps(b *testing.B, prepare func(tr *Trainer) func(s *torchx.Scope, x torchx.Tensor) error) {
	for _, channels := range []int{32, 128} {
		for _, bf16 := range []bool{false, true} {
			b.Run(fmt.Sprintf("channels=%d/bf16=%v", channels, bf16), func(b *testing.B) {
				thread, err := torchx.StartThread(0)
				if err != nil {
					b.Fatal(err)
				}
				flow := Flow{Base: XLoPlusNoise, NoiseScale: 0.1, LossScale: 100}
				tr, err := NewTrainer(context.Background(), thread, Config{Fields: 1, Channels: channels},
					Hyper{Flow: flow, LR: 2e-4, GradClip: 1, TMin: 1e-4, TMax: 1 - 1e-4, BF16: bf16})
				if err != nil {
					b.Fatal(err)
				}
				defer tr.Close()
				step := prepare(tr)
				var seconds []float64
				run := func() {
					start := time.Now()
					err := tr.Do(context.Background(), func(s *torchx.Scope) error {
						return step(s, s.To(s.Randn(1, 4, 1, 64, 64), torchx.Float32, torchx.CPU, torchx.NHWC))
					})
					if err != nil {
						b.Fatal(err)
					}
					seconds = append(seconds, time.Since(start).Seconds())
				}
				run()
				run()
				seconds = nil
				for b.Loop() {
					run()
				}
				slices.Sort(seconds)
				b.ReportMetric(seconds[len(seconds)/2], "median-s")
			})
		}
	}
}

// BenchmarkTrainStep is a whole training step.
func BenchmarkTrainStep(b *testing.B) {
	benchSteps(b, func(tr *Trainer) func(s *torchx.Scope, x torchx.Tensor) error {
		if err := tr.UpdateEMA(context.Background(), Averaging{Decay: 0.999}); err != nil {
			b.Fatal(err)
		}
		return func(s *torchx.Scope, x torchx.Tensor) error {
			_, err := tr.TrainStep(s, x, x)
			return err
		}
	})
}

// BenchmarkSampleStep is an Euler step of the ODE.
func BenchmarkSampleStep(b *testing.B) {
	benchSteps(b, func(tr *Trainer) func(s *torchx.Scope, x torchx.Tensor) error {
		return func(s *torchx.Scope, x torchx.Tensor) error {
			torchx.NoGrad(func() { s.AddInPlace(s.Clone(x), tr.Velocity(tr.Net, x)(s, x, 0.5), 0.01) })
			return s.Err()
		}
	})
}
