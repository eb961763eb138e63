package model

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"fmsr.example/fmsr/internal/testkit/golden"
	"fmsr.example/fmsr/internal/torchx"
)

// TestRecordedSteps: training by TrainStep, which a GPU records after some steps
// and replays, is training by Accumulate and Update, which it does not.
func TestRecordedSteps(t *testing.T) {
	recorded := trainOnDevice(t, nil, false, (*Trainer).TrainStep)
	plain := trainOnDevice(t, nil, false, func(tr *Trainer, s *torchx.Scope, xLo, x1 torchx.Tensor) (Result, error) {
		tr.Accumulate(s, xLo, x1, 0, 1)
		return tr.Update(s)
	})
	sameTraining(t, recorded, plain, 1e-4)
}

// TestOneRank: a group of one rank, by NCCL on a GPU, trains as a trainer without a group.
// With bf16 gradients it trains nearly so.
func TestOneRank(t *testing.T) {
	plain := trainOnDevice(t, nil, false, (*Trainer).TrainStep)
	for bf16, tolerance := range map[bool]float64{false: 1e-4, true: 1e-2} {
		err := onRanks(t, 1, testDevice(t), func(g *torchx.Group) error {
			sameTraining(t, trainOnDevice(t, g, bf16, (*Trainer).TrainStep), plain, tolerance)
			return nil
		})[0]
		if err != nil {
			t.Error(err)
		}
	}
}

// deviceTrainer returns a trainer of a small network on the device of the tests.
func deviceTrainer(t *testing.T) *Trainer {
	t.Helper()
	thread, err := torchx.StartThread(2)
	if err != nil {
		t.Fatal(err)
	}
	h := Hyper{Flow: Flow{Base: XLoPlusNoise, NoiseScale: 0.1, LossScale: 100}, LR: 1e-3, WarmupSteps: 5, GradClip: 1, TMax: 1, Seed: 7}
	tr, err := NewTrainer(context.Background(), thread, Config{Fields: 1, Channels: 8, Device: testDevice(t), Format: torchx.NHWC}, h)
	if err != nil {
		t.Fatal(err)
	}
	tr.Notices(func(line string) { t.Error(line) })
	return tr
}

// trainOnDevice takes some steps on the device of the tests, among a group's ranks if g
// is not nil.
func trainOnDevice(t *testing.T, g *torchx.Group, bf16 bool, step func(tr *Trainer, s *torchx.Scope, xLo, x1 torchx.Tensor) (Result, error)) (results []Result) {
	t.Helper()
	device, tr := testDevice(t), deviceTrainer(t)
	defer tr.Close()
	if g != nil {
		if err := tr.Join(context.Background(), g, bf16); err != nil {
			t.Fatal(err)
		}
	}
	for n := range uint64(8) {
		err := tr.Do(context.Background(), func(s *torchx.Scope) error {
			field := func(seed uint64) torchx.Tensor {
				return s.To(s.Randn(seed, 2, 1, 16, 16), torchx.Float32, device, torchx.NHWC)
			}
			r, err := step(tr, s, field(2*n), field(2*n+1))
			results = append(results, r)
			return err
		})
		if err == nil {
			err = tr.UpdateEMA(context.Background(), Averaging{Decay: 0.5})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return results
}

func sameTraining(t *testing.T, got, want []Result, tolerance float64) {
	t.Helper()
	for i, want := range want {
		golden.Near(t, fmt.Sprintf("step %d: loss", i+1), got[i].Loss, want.Loss, tolerance*want.Loss)
		golden.Near(t, fmt.Sprintf("step %d: gradient norm", i+1), got[i].GradNorm, want.GradNorm, 10*tolerance*want.GradNorm)
	}
}

// TestLateResults: steps whose results are read late are the same steps, with the same
// results in the same order, a bad one included, and the same counts once all are read.
func TestLateResults(t *testing.T) {
	train := func(late bool) (tr *Trainer, outcomes []Outcome) {
		tr = deviceTrainer(t)
		tr.Late = late
		t.Cleanup(tr.Close)
		var known []int
		for n := range uint64(8) {
			err := tr.Do(context.Background(), func(s *torchx.Scope) error {
				x := s.To(s.Randn(n, 2, 1, 16, 16), torchx.Float32, testDevice(t), torchx.NHWC)
				if n == 4 || n == 5 {
					x = s.Affine(x, math.Inf(1), 0)
				}
				_, err := tr.TrainStep(s, x, x)
				return err
			})
			if err == nil {
				err = tr.UpdateEMA(context.Background(), Averaging{Decay: 0.5})
			}
			if err != nil {
				t.Fatal(err)
			}
			outcomes = append(outcomes, tr.Outcomes()...)
			known = append(known, len(outcomes))
		}
		want := []int{1, 2, 3, 4, 5, 6, 7, 8}
		if late { // the first step, which UpdateEMA has to know of, is read at once
			want = []int{1, 1, 2, 3, 4, 5, 6, 7}
		}
		if !slices.Equal(known, want) {
			t.Errorf("late %v: after each step %v results are known, want %v", late, known, want)
		}
		if err := tr.Settle(context.Background()); err != nil {
			t.Fatal(err)
		}
		return tr, append(outcomes, tr.Outcomes()...)
	}
	plain, want := train(false)
	late, got := train(true)
	if device := testDevice(t); device == torchx.CPU && !slices.EqualFunc(got, want, func(a, b Outcome) bool { return fmt.Sprint(a) == fmt.Sprint(b) }) {
		t.Errorf("outcomes %v, want %v", got, want)
	}
	for i, o := range got {
		if skipped := i == 4 || i == 5; o.N != i+1 || o.Skipped() != skipped {
			t.Errorf("outcome %d is %+v", i, o)
		}
	}
	if late.Skips != plain.Skips || late.Skips.Total != 2 || late.Window.Taken != 8 || late.Window.Skipped != 2 || late.Position != plain.Position {
		t.Errorf("skips %+v, window %+v, position %+v; want %+v, %+v, %+v", late.Skips, late.Window, late.Position, plain.Skips, plain.Window, plain.Position)
	}
	if testDevice(t) == torchx.CPU && !slices.Equal(state(t, late), state(t, plain)) {
		t.Error("the weights differ")
	}
}

// forwardFLOP is of one forward pass of the full network on 4 samples of 256 x 256,
// by torch.utils.flop_counter: two a multiply-add of convolutions, linear maps and attention.
var forwardFLOP = map[int]float64{1: 3764.795211776e9, 8: 3777.478787072e9}

// BenchmarkDevice is training and sampling of the full network at full size, in
// bf16, on FMSR_TEST_DEVICE: training as it is, and with a host that waits for each step.
// The rate counts a backward pass as two forward ones.
func BenchmarkDevice(b *testing.B) {
	device := testDevice(b)
	if device == torchx.CPU {
		b.Skip("FMSR_TEST_DEVICE is not set")
	}
	for _, fields := range []int{1, 8} {
		thread, err := torchx.StartThread(0)
		if err != nil {
			b.Fatal(err)
		}
		flow := Flow{Base: XLoPlusNoise, NoiseScale: 0.1, LossScale: 100}
		tr, err := NewTrainer(context.Background(), thread, Config{Fields: fields, Device: device},
			Hyper{Flow: flow, LR: 2e-4, GradClip: 1, TMin: 1e-4, TMax: 1 - 1e-4, BF16: true})
		if err != nil {
			b.Fatal(err)
		}
		tr.Notices(func(line string) { b.Log(line) })
		field := func(s *torchx.Scope) torchx.Tensor {
			return s.To(s.Randn(1, 4, int64(fields), 256, 256), torchx.Float32, device, torchx.NHWC)
		}
		do := func(f func(s *torchx.Scope) error) {
			if err := tr.Do(context.Background(), f); err != nil {
				b.Fatal(err)
			}
		}
		run := func(name string, passes float64, step func()) {
			wait := func() {
				if err := tr.Settle(context.Background()); err != nil {
					b.Fatal(err)
				}
			}
			b.Run(fmt.Sprintf("%s/fields=%d", name, fields), func(b *testing.B) {
				for range 6 { // past recording
					step()
				}
				wait()
				began := time.Now()
				for b.Loop() {
					step()
				}
				wait()
				seconds := time.Since(began).Seconds() / float64(b.N)
				b.ReportMetric(1e3*seconds, "ms")
				b.ReportMetric(passes*forwardFLOP[fields]/1e12/seconds, "TFLOP/s")
			})
		}
		train := func() {
			values := make([]byte, 4*4*fields*256*256)
			do(func(s *torchx.Scope) error {
				x := NetInput(s, tr.Net, values, 4, 256, 256)
				_, err := tr.TrainStep(s, x, x)
				return err
			})
			if err := tr.UpdateEMA(context.Background(), Averaging{Decay: 0.9999}); err != nil {
				b.Fatal(err)
			}
		}
		run("train_waiting", 3, train)
		tr.Late = true
		run("train", 3, train)
		run("sample", 1, func() {
			do(func(s *torchx.Scope) error {
				torchx.NoGrad(func() { x := field(s); tr.Inference(true).Velocity(x)(s, x, 0.5) })
				s.Synchronize(device)
				return s.Err()
			})
		})
		tr.Close()
	}
}
