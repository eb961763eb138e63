package model

import (
	"context"
	"testing"

	"fmsr.example/fmsr/internal/testkit/golden"
	"fmsr.example/fmsr/internal/torchx"
)

// TestSharesOfABatch: two trainers that each take one of a step's two batches, and sum
// their gradients and losses before the update, stay equal to one trainer that takes
// both. Noise and times belong to the batch, not to the trainer that takes it.
func TestSharesOfABatch(t *testing.T) {
	whole, shares := tinyTrainer(t), []*Trainer{tinyTrainer(t), tinyTrainer(t)}
	const parts = 2
	on := func(tr *Trainer, f func(s *torchx.Scope) error) {
		t.Helper()
		if err := tr.Do(context.Background(), f); err != nil {
			t.Fatal(err)
		}
	}
	accumulate := func(tr *Trainer, i int) {
		on(tr, func(s *torchx.Scope) error {
			x := s.Randn(uint64(10*tr.Step+i), 2, 1, 8, 8)
			tr.Accumulate(s, x, s.Affine(x, 2, 0), i, parts)
			return s.Err()
		})
	}
	update := func(tr *Trainer) (r Result) {
		on(tr, func(s *torchx.Scope) (err error) { r, err = tr.Update(s); return err })
		return r
	}
	for range 3 { // later steps see what the first ones did to weights and moments
		for i := range parts {
			accumulate(whole, i)
			accumulate(shares[i], i)
		}
		allReduce(t, shares)
		want := update(whole)
		for _, share := range shares {
			got := update(share)
			golden.Near(t, "loss", got.Loss, want.Loss, 1e-6*want.Loss)
			golden.Near(t, "gradient norm", got.GradNorm, want.GradNorm, 1e-6*want.GradNorm)
		}
	}
	want := state(t, whole)
	for _, share := range shares {
		for i, v := range state(t, share) {
			golden.Near(t, "weights and moments", float64(v), float64(want[i]), 1e-6)
		}
	}
}

// allReduce replaces the gradients and the loss of each trainer by the sum over all,
// as ranks do over a network.
func allReduce(t *testing.T, trainers []*Trainer) {
	t.Helper()
	each := func(tr *Trainer, do func(s *torchx.Scope, x torchx.Tensor)) {
		err := tr.Do(context.Background(), func(s *torchx.Scope) error {
			torchx.NoGrad(func() {
				for _, p := range Tensors(tr.Net) {
					do(s, s.Grad(p))
				}
			})
			return s.Err()
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var sums [][]float32
	loss := 0.0
	for k, tr := range trainers {
		i := 0
		each(tr, func(s *torchx.Scope, g torchx.Tensor) {
			values := s.Floats(g)
			if k == 0 {
				sums = append(sums, values)
				return
			}
			for j, v := range values {
				sums[i][j] += v
			}
			i++
		})
		err := tr.Do(context.Background(), func(s *torchx.Scope) error { loss += s.Item(tr.loss); return s.Err() })
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, tr := range trainers {
		i := 0
		each(tr, func(s *torchx.Scope, g torchx.Tensor) {
			s.Write(g, sums[i])
			i++
		})
		err := tr.Do(context.Background(), func(s *torchx.Scope) error {
			s.Copy(tr.loss, s.Full(loss, torchx.Float64, torchx.CPU))
			return s.Err()
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
