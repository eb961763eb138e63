package model

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/torchx"
)

func tinyTrainer(t *testing.T) *Trainer {
	t.Helper()
	thread, err := torchx.StartThread(1)
	if err != nil {
		t.Fatal(err)
	}
	flow := Flow{Base: XLoPlusNoise, NoiseScale: 0.1, LossScale: 100}
	tr, err := NewTrainer(context.Background(), thread, Config{Fields: 1, Channels: 4, Mult: []int{1, 1}},
		Hyper{Flow: flow, LR: 1e-3, GradClip: 1, TMax: 1, Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.Close)
	return tr
}

// stepOn takes a step on a field that is value in its first cell.
func stepOn(t *testing.T, tr *Trainer, value float32) Result {
	t.Helper()
	var r Result
	err := tr.Do(context.Background(), func(s *torchx.Scope) (err error) {
		cells := make([]float32, 64)
		for i := range cells {
			cells[i] = float32(i%7) / 3
		}
		cells[0] = value
		x := s.FromFloats(cells, 1, 1, 8, 8)
		r, err = tr.TrainStep(s, x, x)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.UpdateEMA(context.Background(), Averaging{Decay: 0.5}); err != nil {
		t.Fatal(err)
	}
	return r
}

// state is every number that a step may change.
func state(t *testing.T, tr *Trainer) (all []float32) {
	t.Helper()
	err := tr.Do(context.Background(), func(s *torchx.Scope) error {
		for _, list := range [][]torchx.Tensor{Tensors(tr.Net), Tensors(tr.EMA), tr.m, tr.v} {
			for _, x := range list {
				all = append(all, s.Floats(x)...)
			}
		}
		return s.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestBadStepsAreSkipped: a step without a finite loss changes nothing but the
// counts, and the next one is what it would have been without it.
func TestBadStepsAreSkipped(t *testing.T) {
	for _, o := range []Objective{FlowMatching, Regression, CRPS} {
		testBadStepsAreSkipped(t, o)
	}
}

func testBadStepsAreSkipped(t *testing.T, o Objective) {
	t.Helper()
	for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(-1))} {
		tr, plain := tinyTrainer(t), tinyTrainer(t)
		for _, trainer := range []*Trainer{tr, plain} {
			trainer.Objective, trainer.Members = o, 2
		}
		stepOn(t, tr, 1)
		before := state(t, tr)
		for range 2 {
			if r := stepOn(t, tr, bad); !r.Skipped() {
				t.Errorf("%v in the data: loss %v, gradient norm %v: not skipped", bad, r.Loss, r.GradNorm)
			}
		}
		if !slices.Equal(state(t, tr), before) {
			t.Errorf("%v in the data: a skipped step changed the state", bad)
		}
		if tr.Step != 3 || tr.Skips != (Skips{Total: 2, InARow: 2}) {
			t.Errorf("step %d, skips %+v", tr.Step, tr.Skips)
		}
		stepOn(t, plain, 1)
		plain.Step += 2       // the steps' draws, and
		plain.Skips.Total = 2 // the updates' count
		if r := stepOn(t, tr, 2); r.Skipped() {
			t.Error("a good step was skipped")
		}
		stepOn(t, plain, 2)
		if !slices.Equal(state(t, tr), state(t, plain)) {
			t.Errorf("%v in the data: the step after the skipped ones is another than without them", bad)
		}
		if tr.Skips != (Skips{Total: 2}) {
			t.Errorf("skips %+v after a good step", tr.Skips)
		}
	}
}

// TestUnhealthyIsNotSaved: a checkpoint with a weight, an average or a moment that
// is not finite does not take the place of one without.
func TestUnhealthyIsNotSaved(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "checkpoint.pt")
	c := Checkpoint{Channels: []string{"a"}, Stats: &field.Stats{Mean: []float64{0}, Std: []float64{1}}, Input: Input{Factor: 2}, Averaged: true}
	tr := tinyTrainer(t)
	stepOn(t, tr, 1)
	if err := save(ctx, tr, path, c); err != nil {
		t.Fatal(err)
	}
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, list := range [][]torchx.Tensor{Tensors(tr.Net), Tensors(tr.EMA), tr.m, tr.v} {
		for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1))} {
			set := func(value float32) {
				err := tr.Do(ctx, func(s *torchx.Scope) error {
					torchx.NoGrad(func() {
						values := s.Floats(list[3])
						values[len(values)-1] = value
						s.Write(list[3], values)
					})
					return s.Err()
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			set(bad)
			if err := save(ctx, tr, path, c); !errors.Is(err, ErrUnhealthy) {
				t.Errorf("error %v, want ErrUnhealthy", err)
			}
			set(0)
		}
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	if now, _ := os.ReadFile(path); !slices.Equal(now, good) || len(left) != 1 {
		t.Errorf("the healthy checkpoint was touched, or something is left beside it: %v", left)
	}
}

// TestStoppedWithinUpdate: a step whose weights have changed counts, even if the run was
// stopped meanwhile. Otherwise the checkpoint would have its weights and the number of
// the step before, and the resumed run would take the step twice. A step that was stopped
// earlier changes nothing.
func TestStoppedWithinUpdate(t *testing.T) {
	for _, late := range []bool{false, true} {
		tr := tinyTrainer(t)
		stepOn(t, tr, 1)
		before := state(t, tr)
		ctx, stop := context.WithCancelCause(context.Background())
		err := tr.Do(ctx, func(s *torchx.Scope) error {
			x := s.Full(0.5, torchx.Float32, torchx.CPU, 1, 1, 8, 8)
			tr.Accumulate(s, x, x, 0, 1)
			schedule := tr.schedule(s)
			if !late {
				stop(errors.New("stopped"))
			}
			tr.update(s, schedule)
			stop(errors.New("stopped"))
			_, err := tr.taken(s)
			return err
		})
		if changed := !slices.Equal(before, state(t, tr)); changed != late || (err == nil) != late || (tr.Step == 2) != late {
			t.Errorf("stopped after the update %v: weights changed %v, step %d, error %v", late, changed, tr.Step, err)
		}
	}
}
