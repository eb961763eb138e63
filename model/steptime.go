package model

import (
	"context"
	"time"

	"fmsr.example/fmsr/internal/torchx"
)

// StepTime measures a training step of the network on one noise sample (1,C,h,w), with the
// average of the weights, after a first step that it does not count.
func StepTime(ctx context.Context, c Config, bf16 bool, threads, h, w int) (time.Duration, error) {
	thread, err := torchx.StartThread(threads)
	if err != nil {
		return 0, err
	}
	flow := Flow{Base: XLoPlusNoise, NoiseScale: 0.1, LossScale: 1}
	t, err := NewTrainer(ctx, thread, c, Hyper{Flow: flow, LR: 1e-4, GradClip: 1, TMax: 1, BF16: bf16})
	if err != nil {
		return 0, err
	}
	defer t.Close()
	if err := t.UpdateEMA(ctx, Averaging{Decay: 0.999}); err != nil {
		return 0, err
	}
	var began time.Time
	for range 2 {
		began = time.Now()
		err := t.Do(ctx, func(s *torchx.Scope) error {
			x := s.To(s.Randn(1, 1, int64(c.Fields), int64(h), int64(w)), torchx.Float32, c.Device, torchx.NHWC)
			_, err := t.TrainStep(s, x, x)
			return err
		})
		if err != nil {
			return 0, err
		}
	}
	return time.Since(began), nil
}
