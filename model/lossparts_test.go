package model

import (
	"context"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/testkit/golden"
	"fmsr.example/fmsr/internal/torchx"
)

// partsTrainer is objectiveTrainer with weights of its two fields, and parts of the loss.
func partsTrainer(t *testing.T, o Objective, parts bool) *Trainer {
	tr := objectiveTrainer(t, o, 2, 1e-2)
	h := tr.Hyper
	h.Weights, h.TMin, h.TMax = []float64{0.4, 1.6}, 0, 1
	if parts {
		h.LossFields = []string{"a", "b"}
	}
	thread, err := torchx.StartThread(1)
	if err != nil {
		t.Fatal(err)
	}
	tr, err = NewTrainer(context.Background(), thread, tr.Net.Config(), h)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tr.Close)
	return tr
}

// partsStep takes a step of two batches of n samples. With a poison, its loss is not finite.
func partsStep(t *testing.T, tr *Trainer, n int64, poison float64) (r Result) {
	t.Helper()
	err := tr.Do(context.Background(), func(s *torchx.Scope) (err error) {
		for i := range 2 {
			xLo, x1 := partsBatch(s, tr, n, i)
			tr.Accumulate(s, s.Affine(xLo, 1, poison), x1, i, 2)
		}
		r, err = tr.Update(s)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// partsBatch is batch i of the next step.
func partsBatch(s *torchx.Scope, tr *Trainer, n int64, i int) (xLo, x1 torchx.Tensor) {
	as := func(seed int) torchx.Tensor {
		return s.To(s.Randn(uint64(seed), n, 2, 8, 8), torchx.Float32, torchx.CPU, tr.Net.Config().Format)
	}
	return as(100*tr.Step + i), as(100*tr.Step + i + 50)
}

// TestWeightedLoss: a new network's v is 0, so the loss of a field is loss_scale times the
// mean of (x1 - x0)^2 or, of CRPS, of |x1 - x_lo|, and the loss the weighted mean over the
// fields. Its gradient is weighted too: that of the output's bias of a field is.
func TestWeightedLoss(t *testing.T) {
	weights := []float64{0.4, 1.6}
	for _, o := range []Objective{FlowMatching, Regression, CRPS} {
		tr := objectiveTrainer(t, o, 2, 1e-2)
		err := tr.Do(context.Background(), func(s *torchx.Scope) error {
			xLo, x1 := partsBatch(s, tr, 3, 0)
			x0, times := xLo, s.Full(0, torchx.Float32, torchx.CPU, 3)
			if o == CRPS {
				x0, times = repeated(s, xLo, 2), s.Full(0, torchx.Float32, torchx.CPU, 6)
			}
			loss := func(weights []float64) (value float64, slopes []float64) {
				s.ZeroGrads(Tensors(tr.Net))
				made, truth := tr.compared(s, tr.Net, xLo, x1, x0, times)
				l := tr.score(s, tr.Net.Config(), weights, made, truth)
				s.Backward(l)
				params := Tensors(tr.Net)
				return s.Item(l), doubles(s, s.Grad(params[len(params)-1]))
			}
			want, size := 0.0, 64*3.0
			a, b := doubles(s, xLo), doubles(s, x1)
			for i := range a {
				d := math.Abs(a[i] - b[i])
				if o != CRPS {
					d *= d
				}
				want += 100 * weights[i/64%2] * d / (2 * size)
			}
			_, even := loss(nil)
			got, slopes := loss(weights)
			golden.Near(t, o.String()+": loss", got, want, 1e-5*want)
			for c, w := range weights {
				golden.Near(t, fmt.Sprintf("%s: gradient of field %d", o, c), slopes[c], w*even[c], 1e-5*math.Abs(even[c])+1e-6)
			}
			return s.Err()
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestLossParts: the losses of fields and of ranges of t are those that a count on the host
// gives, over the steps since the last line, and their means are the loss.
func TestLossParts(t *testing.T) {
	const n, steps = 6, 3
	for _, o := range []Objective{FlowMatching, Regression, CRPS} {
		tr := partsTrainer(t, o, true)
		var fields [2]float64
		var sums, counts [timeRanges]float64
		for range steps {
			err := tr.Do(context.Background(), func(s *torchx.Scope) error {
				for i := range 2 {
					xLo, x1 := partsBatch(s, tr, n, i)
					noise, times := tr.draws(s, x1, i)
					made, truth := tr.compared(s, tr.Net, xLo, x1, tr.SampleBase(s, xLo, noise), times)
					y, at := doubles(s, truth), doubles(s, times)
					var xs [][]float64
					for _, x := range made {
						xs = append(xs, doubles(s, x))
					}
					for k := range y {
						sample, c := k/128, k/64%2
						score := math.Pow(xs[0][k]-y[k], 2)
						if o == CRPS {
							score = (math.Abs(xs[0][k]-y[k])+math.Abs(xs[1][k]-y[k]))/2 - math.Abs(xs[0][k]-xs[1][k])/2
						}
						fields[c] += 100 * score / (64 * n * 2 * steps)
						if o == FlowMatching {
							sums[int(10*at[sample])] += 100 * tr.Weights[c] * score / 128
							counts[int(10*at[sample])] += 1. / 128
						}
					}
				}
				return s.Err()
			})
			if err != nil {
				t.Fatal(err)
			}
			partsStep(t, tr, n, 0)
		}
		partsStep(t, tr, n, math.NaN()) // a skipped step leaves no trace
		parts := tr.LossParts()
		if want := 2 + tr.ranges(); len(parts) != want {
			t.Fatalf("%s: %d parts, want %d: %v", o, len(parts), want, parts)
		}
		for c, name := range []string{"loss/a", "loss/b"} {
			if parts[c].Name != name {
				t.Errorf("part %d is %s, want %s", c, parts[c].Name, name)
			}
			golden.Near(t, o.String()+": "+name, parts[c].Value, fields[c], 1e-5*fields[c])
		}
		loss, _ := tr.Window.Mean()
		golden.Near(t, o.String()+": mean over fields", (0.4*parts[0].Value+1.6*parts[1].Value)/2, loss, 1e-5*loss)
		mean := 0.0
		for i, p := range parts[2:] {
			if want := fmt.Sprintf("loss_t/0.%d-%.1f", i, float64(i+1)/10); p.Name != want {
				t.Errorf("range %d is %s, want %s", i, p.Name, want)
			}
			if counts[i] == 0 {
				if !math.IsNaN(p.Value) {
					t.Errorf("%s is %g, and no time was drawn there", p.Name, p.Value)
				}
				continue
			}
			golden.Near(t, p.Name, p.Value, sums[i]/counts[i], 1e-5*p.Value)
			mean += p.Value * counts[i] / (2 * n * steps)
		}
		if o == FlowMatching {
			golden.Near(t, "mean over ranges", mean, loss, 1e-5*loss)
		}
	}
}

// TestLossPartsChangeNothing: training takes the same steps, to the bit, with parts of the
// loss and without.
func TestLossPartsChangeNothing(t *testing.T) {
	for _, o := range []Objective{FlowMatching, CRPS} {
		with, without := partsTrainer(t, o, true), partsTrainer(t, o, false)
		for range 3 {
			if a, b := partsStep(t, with, 2, 0), partsStep(t, without, 2, 0); a != b {
				t.Errorf("%s: %+v with parts, %+v without", o, a, b)
			}
		}
		if !slices.Equal(state(t, with), state(t, without)) {
			t.Errorf("%s: other weights with parts of the loss", o)
		}
		if parts := without.LossParts(); parts != nil {
			t.Errorf("parts without being asked for: %v", parts)
		}
	}
}

// TestLossPartsInCheckpoint: a resumed training's next line has the steps before too.
func TestLossPartsInCheckpoint(t *testing.T) {
	ctx := context.Background()
	c := Checkpoint{Channels: []string{"a", "b"}, Stats: &field.Stats{Mean: []float64{0, 0}, Std: []float64{1, 1}}, Input: Input{Factor: 2}, Averaged: true}
	whole, first, second := partsTrainer(t, FlowMatching, true), partsTrainer(t, FlowMatching, true), partsTrainer(t, FlowMatching, true)
	for range 4 {
		partsStep(t, whole, 2, 0)
	}
	partsStep(t, first, 2, 0)
	partsStep(t, first, 2, 0)
	path := filepath.Join(t.TempDir(), "checkpoint.pt")
	if err := save(ctx, first, path, c); err != nil {
		t.Fatal(err)
	}
	l, err := OpenCheckpoint(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := second.Restore(ctx, l); err != nil {
		t.Fatal(err)
	}
	partsStep(t, second, 2, 0)
	partsStep(t, second, 2, 0)
	for i, p := range second.LossParts() {
		if want := whole.LossParts()[i]; p != want && !(math.IsNaN(p.Value) && math.IsNaN(want.Value)) {
			t.Errorf("%+v, want %+v", p, want)
		}
	}
	other := first.Hyper
	other.LossFields = nil
	if err := l.CheckTraining(first.Net.Config(), other, c.Input); err == nil || !strings.Contains(err.Error(), "its resume.window.parts are 22, want 0") {
		t.Errorf("resumed without parts: %v", err)
	}
}

// TestLossPartsOfRanks: two ranks' parts are those of one, to round-off, on both.
func TestLossPartsOfRanks(t *testing.T) {
	h := rankHyper
	h.LossFields = []string{"a"}
	train := func(g *torchx.Group) ([]float64, error) {
		tr, err := rankTrainer(h)
		if err != nil {
			return nil, err
		}
		defer tr.Close()
		if g != nil {
			if err := tr.Join(context.Background(), g, false); err != nil {
				return nil, err
			}
		}
		for range 3 {
			if _, err := rankStep(context.Background(), tr, 2, 0); err != nil {
				return nil, err
			}
		}
		return tr.Window.Parts, nil
	}
	want, err := train(nil)
	if err != nil {
		t.Fatal(err)
	}
	for rank, err := range onRanks(t, 2, torchx.CPU, func(g *torchx.Group) error {
		got, err := train(g)
		if err == nil && (len(got) != 1+2*timeRanges || furthest(got, want) > 1e-6) {
			err = fmt.Errorf("parts %v, want %v", got, want)
		}
		return err
	}) {
		if err != nil {
			t.Errorf("rank %d: %v", rank, err)
		}
	}
}
