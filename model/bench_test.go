package model

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"fmsr/internal/torchx"
)

// benchSteps times the step that prepare makes for a network of 32 and of 128 channels in both precisions, at batch 4
// of one 64 x 64 field. Besides the mean it reports the median, which the machine's other work moves less.
func benchSteps(b *testing.B, prepare func(b *testing.B, thread *torchx.Thread, c Config, bf16 bool) func(s *torchx.Scope, x torchx.Tensor) error) {
	for _, channels := range []int{32, 128} {
		for _, bf16 := range []bool{false, true} {
			b.Run(fmt.Sprintf("channels=%d/bf16=%v", channels, bf16), func(b *testing.B) {
				thread, err := torchx.StartThread(0)
				if err != nil {
					b.Fatal(err)
				}
				step := prepare(b, thread, Config{Fields: 1, Channels: channels}, bf16)
				var seconds []float64
				run := func() {
					start := time.Now()
					err := thread.Do(context.Background(), func(s *torchx.Scope) error {
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

// BenchmarkTrainStep is a whole training step, with the average.
func BenchmarkTrainStep(b *testing.B) {
	benchSteps(b, func(b *testing.B, thread *torchx.Thread, c Config, bf16 bool) func(s *torchx.Scope, x torchx.Tensor) error {
		flow := Flow{Base: XLoPlusNoise, NoiseScale: 0.1, LossScale: 100}
		tr, err := NewTrainer(context.Background(), thread, c,
			Hyper{Flow: flow, LR: 2e-4, GradClip: 1, TMin: 1e-4, TMax: 1 - 1e-4, BF16: bf16})
		if err == nil {
			err = tr.UpdateEMA(context.Background(), Averaging{Decay: 0.999})
		}
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(tr.Close)
		return func(s *torchx.Scope, x torchx.Tensor) error {
			_, err := tr.TrainStep(s, x, x)
			return err
		}
	})
}

// BenchmarkSampleStep is an Euler step of the ODE.
func BenchmarkSampleStep(b *testing.B) {
	benchSteps(b, func(b *testing.B, thread *torchx.Thread, c Config, bf16 bool) func(s *torchx.Scope, x torchx.Tensor) error {
		var net Net
		do := func(f func(s *torchx.Scope) error) {
			if err := thread.Do(context.Background(), f); err != nil {
				b.Fatal(err)
			}
		}
		do(func(s *torchx.Scope) (err error) { net, err = NewNet(s, c, 1); return err })
		b.Cleanup(func() {
			do(func(*torchx.Scope) error { net.Free(); return nil })
			thread.Close()
		})
		return func(s *torchx.Scope, x torchx.Tensor) error {
			torchx.NoGrad(func() { s.AddInPlace(s.Clone(x), NewInference(net, bf16).Velocity(x)(s, x, 0.5), 0.01) })
			return s.Err()
		}
	})
}
