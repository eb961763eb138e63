package model

import (
	"context"
	"fmt"
	"testing"

	"fmsr.example/fmsr/internal/testkit/golden"
	"fmsr.example/fmsr/internal/torchx"
)

type optimStep struct {
	Step    int       `json:"step"`
	LR      float64   `json:"lr"`
	Loss    float64   `json:"loss"`
	Norm    float64   `json:"norm"`
	W1      []float64 `json:"w1"`
	W2      []float64 `json:"w2"`
	EMA9    []float64 `json:"ema0.9_w1"`
	EMA9999 []float64 `json:"ema0.9999_w1"`
}

// TestOptimizerGolden: AdamW with warm-up, clipping and two averages on a
// quadratic, 20 steps, in float64.
func TestOptimizerGolden(t *testing.T) {
	var typed struct {
		A []optimStep `json:"weight_decay_0.0"`
		B []optimStep `json:"weight_decay_0.1"`
	}
	golden.Load(t, "optim", &typed)
	for decay, steps := range map[float64][]optimStep{0: typed.A, 0.1: typed.B} {
		onThread(t, func(s *torchx.Scope) error {
			zeros := func(n int64) torchx.Tensor { return s.Full(0, torchx.Float64, torchx.CPU, n) }
			w := []torchx.Tensor{vector(s, []float64{.5, -.3, .1, .9}), vector(s, []float64{.2, -.7})}
			target := []torchx.Tensor{vector(s, []float64{.4, -.25, .1, .8}), vector(s, []float64{.21, -.65})}
			m, v := []torchx.Tensor{zeros(4), zeros(2)}, []torchx.Tensor{zeros(4), zeros(2)}
			ema9, ema9999 := []torchx.Tensor{s.Clone(w[0]), s.Clone(w[1])}, []torchx.Tensor{s.Clone(w[0])}
			report := s.NewReport(torchx.CPU, 0)
			for _, x := range w {
				s.RequiresGrad(x, true)
			}
			h := Hyper{LR: 2e-4, WarmupSteps: 10}
			adamw := torchx.AdamW{Beta1: 0.9, Beta2: 0.999, Eps: 1e-8, WeightDecay: decay}
			for _, want := range steps {
				// 100 (sum d1^2 + sum d2^2) / 6
				loss := s.Affine(s.Add(s.Affine(s.MSE(w[0], target[0]), 4, 0), s.Affine(s.MSE(w[1], target[1]), 2, 0)), 100.0/6, 0)
				s.ZeroGrads(w)
				s.Backward(loss)
				lr := h.LRAt(want.Step)
				s.Update(adamw, 1, w, m, v, ema9, s.Detach(loss), s.UpdateSchedule(torchx.CPU, lr, 0.9), report)
				s.EMAUpdate(ema9999, w[:1], 0.9999)
				what := fmt.Sprintf("weight decay %g, step %d: ", decay, want.Step)
				golden.Near(t, what+"lr", lr, want.LR, 1e-18)
				golden.Near(t, what+"loss", s.Item(loss), want.Loss, 1e-12)
				golden.Near(t, what+"norm", s.ReadReport(report).GradNorm, want.Norm, 1e-12)
				for name, pair := range map[string]struct {
					got  torchx.Tensor
					want []float64
				}{"w1": {w[0], want.W1}, "w2": {w[1], want.W2}, "ema 0.9": {ema9[0], want.EMA9}, "ema 0.9999": {ema9999[0], want.EMA9999}} {
					for i, x := range doubles(s, pair.got) {
						golden.Near(t, what+name, x, pair.want[i], 1e-12)
					}
				}
			}
			return nil
		})
	}
}

func TestLearningRates(t *testing.T) {
	var want struct {
		Overfit []float64    `json:"lr_overfit"`
		Full    [][2]float64 `json:"lr_full"`
	}
	golden.Load(t, "optim", &want)
	for i, lr := range want.Overfit {
		golden.Near(t, "lr without warm-up", Hyper{LR: 2e-4}.LRAt(i+1), lr, 0)
	}
	for _, at := range want.Full {
		golden.Near(t, fmt.Sprintf("lr at step %g", at[0]), Hyper{LR: 2e-4, WarmupSteps: 10000}.LRAt(int(at[0])), at[1], 1e-19)
	}
}

func TestAveragingRamp(t *testing.T) {
	for n, want := range map[int]float64{1: 2.0 / 11, 10: 11.0 / 20, 100: 101.0 / 110, 100000: 0.99} {
		golden.Near(t, "ramped decay", Averaging{Decay: 0.99, Ramp: true}.DecayAt(n), want, 1e-15)
	}
	golden.Near(t, "decay", Averaging{Decay: 0.99}.DecayAt(1), 0.99, 0)
}

// TestTimes: uniform in [TMin,TMax), a function of their stream; stratified
// ones have one in each part.
func TestTimes(t *testing.T) {
	h := Hyper{TMin: 0.2, TMax: 0.6, Seed: 3}
	const steps, batch = 2000, 8
	for _, stratified := range []bool{false, true} {
		h.Stratified = stratified
		mean, square := 0.0, 0.0
		for n := range steps {
			for i, x := range h.times(uint64(n), batch) {
				u := (float64(x) - 0.2) / 0.4
				if u < 0 || u > 1 {
					t.Fatalf("time %g outside", x)
				}
				if part := int(u * batch); stratified && part != i {
					t.Fatalf("sample %d has its time in part %d", i, part)
				}
				mean += u / steps / batch
				square += u * u / steps / batch
			}
		}
		golden.Near(t, "mean", mean, 0.5, 0.01)
		golden.Near(t, "mean square", square, 1.0/3, 0.01)
	}
	if a, b := h.times(5, 4), h.times(5, 4); fmt.Sprint(a) != fmt.Sprint(b) || fmt.Sprint(a) == fmt.Sprint(h.times(6, 4)) {
		t.Error("times are not a function of their stream")
	}
}

// TestAccumulation: two batches of two give the step that one of four gives.
func TestAccumulation(t *testing.T) {
	var results []Result
	for _, parts := range []int64{1, 2} {
		thread, err := torchx.StartThread(2)
		if err != nil {
			t.Fatal(err)
		}
		h := Hyper{Flow: Flow{Base: XLoPlusNoise, NoiseScale: 0.1, LossScale: 100}, LR: 1e-3, GradClip: 1, TMax: 1}
		tr, err := NewTrainer(context.Background(), thread, Config{Fields: 1, Channels: 8}, h)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second step's loss shows the first one's update
			err = tr.Do(context.Background(), func(s *torchx.Scope) error {
				x1, xLo, x0 := s.Randn(1, 4, 1, 16, 16), s.Randn(2, 4, 1, 16, 16), s.Randn(3, 4, 1, 16, 16)
				times := s.FromFloats([]float32{.1, .4, .6, .9}, 4)
				for i := range parts {
					part := func(x torchx.Tensor) torchx.Tensor { return s.Narrow(x, 0, i*4/parts, 4/parts) }
					tr.accumulate(s, part(xLo), part(x1), part(x0), part(times), torchx.Tensor{}, i == 0, int(parts))
				}
				r, err := tr.Update(s)
				results = append(results, r)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		tr.Close()
	}
	for step := range 2 {
		one, two := results[step], results[2+step]
		golden.Near(t, "loss", two.Loss, one.Loss, 1e-5*one.Loss)
		golden.Near(t, "gradient norm", two.GradNorm, one.GradNorm, 1e-4*one.GradNorm)
	}
}
