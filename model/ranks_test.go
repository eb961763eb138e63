package model

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/torchx"
)

// onRanks runs f on n ranks, a goroutine each, and returns their errors. They find one
// another over the loopback interface. A rank's group is closed when f returns.
func onRanks(t testing.TB, n int, device torchx.Device, f func(g *torchx.Group) error) []error {
	t.Helper()
	server, err := torchx.OpenStore(torchx.StoreAddr{Host: "127.0.0.1", Server: true}, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	errs := make([]error, n)
	var wait sync.WaitGroup
	for rank := range n {
		wait.Go(func() {
			store, err := server.Clone()
			if err != nil {
				errs[rank] = err
				return
			}
			defer store.Close()
			g, err := torchx.NewGroup(context.Background(), store, rank, n, device, 10*time.Second)
			if err != nil {
				errs[rank] = err
				return
			}
			defer g.Close()
			errs[rank] = f(g)
		})
	}
	wait.Wait()
	return errs
}

// rankHyper and rankConfig are of the trainers below.
var (
	rankHyper  = Hyper{Flow: Flow{Base: XLoPlusNoise, NoiseScale: 0.1, LossScale: 100}, LR: 1e-3, WarmupSteps: 5, GradClip: 1, TMax: 1, Seed: 3}
	rankConfig = Config{Fields: 1, Channels: 4, Mult: []int{1, 1}}
)

func rankTrainer(h Hyper) (*Trainer, error) {
	thread, err := torchx.StartThread(1)
	if err != nil {
		return nil, err
	}
	tr, err := NewTrainer(context.Background(), thread, rankConfig, h)
	if err == nil {
		tr.adamw.Eps = 1e-3 // a gradient that is 0 but for round-off, of a bias before a norm, must not move a weight
	}
	return tr, err
}

// globalBatch is the number of samples of a step's micro-batch, over all ranks.
const globalBatch = 4

// rankStep takes a step of parts micro-batches, this rank's rows of each. poison, if not
// 0, is put into a cell of this rank's.
func rankStep(ctx context.Context, tr *Trainer, parts int, poison float64) (r Result, err error) {
	err = tr.Do(ctx, func(s *torchx.Scope) (err error) {
		rows := func(seed int) torchx.Tensor {
			n := int64(globalBatch)
			from := int64(0)
			if tr.ranks != nil {
				n /= int64(tr.ranks.group.Size)
				from, _ = tr.ranks.rows(n)
			}
			x := s.Randn(uint64(seed), globalBatch, 1, 8, 8)
			return s.Affine(s.Narrow(x, 0, from, n), 1, poison)
		}
		for i := range parts {
			x1 := rows(10*tr.Step + i)
			xLo := s.UpsampleNearest(s.AvgPool2d(x1, 2), 2)
			if parts == 1 {
				r, err = tr.TrainStep(s, xLo, x1)
				return err
			}
			tr.Accumulate(s, xLo, x1, i, parts)
		}
		r, err = tr.Update(s)
		return err
	})
	if err == nil {
		err = tr.UpdateEMA(ctx, Averaging{Decay: 0.9})
	}
	return r, err
}

// rankResult is what a training gives.
type rankResult struct {
	losses []float64
	state  []float32
}

// trainOn trains for some steps on a group's rank, or alone if g is nil.
func trainOn(t *testing.T, g *torchx.Group, h Hyper, bf16 bool, steps, parts int) (out rankResult, err error) {
	tr, err := rankTrainer(h)
	if err != nil {
		return out, err
	}
	defer tr.Close()
	if g != nil {
		if err := tr.Join(context.Background(), g, bf16); err != nil {
			return out, err
		}
	}
	for range steps {
		r, err := rankStep(context.Background(), tr, parts, 0)
		if err != nil {
			return out, err
		}
		out.losses = append(out.losses, r.Loss)
	}
	if err := tr.CheckRanks(context.Background()); err != nil {
		return out, err
	}
	out.state = state(t, tr)
	return out, nil
}

func trainOnRanks(t *testing.T, n int, h Hyper, bf16 bool, steps, parts int) rankResult {
	t.Helper()
	all := make([]rankResult, n)
	for rank, err := range onRanks(t, n, torchx.CPU, func(g *torchx.Group) (err error) {
		all[g.Rank], err = trainOn(t, g, h, bf16, steps, parts)
		return err
	}) {
		if err != nil {
			t.Fatalf("rank %d of %d: %v", rank, n, err)
		}
	}
	for _, other := range all[1:] {
		if !slices.Equal(other.losses, all[0].losses) || !slices.Equal(other.state, all[0].state) {
			t.Errorf("%d ranks end in different states", n)
		}
	}
	return all[0]
}

// furthest returns the largest difference of two lists beside the largest value.
func furthest[T float32 | float64](a, b []T) float64 {
	worst, size := 0.0, 0.0
	for i := range b {
		worst = max(worst, math.Abs(float64(a[i])-float64(b[i])))
		size = max(size, math.Abs(float64(b[i])))
	}
	return worst / size
}

// TestRanksTrainAsOne: N ranks of B/N samples have the losses and weights of one trainer
// of B samples, to float32 round-off; one rank has its bits.
func TestRanksTrainAsOne(t *testing.T) {
	stratified := rankHyper
	stratified.Stratified = true
	ensembles := rankHyper
	ensembles.Objective, ensembles.Members, ensembles.NoiseScale = CRPS, 3, 0.5
	before := torchx.Live()
	for _, c := range []struct {
		h            Hyper
		steps, parts int
		ranks        []int
	}{{rankHyper, 50, 1, []int{1, 2, 4}}, {stratified, 10, 2, []int{2, 4}}, {ensembles, 10, 2, []int{2}}} {
		want, err := trainOn(t, nil, c.h, false, c.steps, c.parts)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range c.ranks {
			got := trainOnRanks(t, n, c.h, false, c.steps, c.parts)
			losses, state := furthest(got.losses, want.losses), furthest(got.state, want.state)
			t.Logf("%d ranks, %d batches a step: losses of %d steps within %.2g, weights, average and moments within %.2g", n, c.parts, c.steps, losses, state)
			if n == 1 && (losses != 0 || state != 0) || losses > 1e-6 || state > 2e-6 {
				t.Errorf("%d ranks, %d batches a step: losses are off by %g, weights, average and moments by %g", n, c.parts, losses, state)
			}
		}
	}
	if left := torchx.Live() - before; left != 0 {
		t.Errorf("%d tensors left", left)
	}
}

// TestRanksWithBF16: gradients that are sent as bf16 change the losses little, and leave
// the ranks equal. Each of N-1 sums rounds to 8 bits.
func TestRanksWithBF16(t *testing.T) {
	const steps = 30
	want, err := trainOn(t, nil, rankHyper, false, steps, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{2, 4} {
		got := trainOnRanks(t, n, rankHyper, true, steps, 1)
		off := furthest(got.losses, want.losses)
		t.Logf("%d ranks: losses of %d steps within %.2g", n, steps, off)
		if off == 0 || off > 1e-3 {
			t.Errorf("%d ranks: losses with bf16 gradients are off by %g, want a little", n, off)
		}
	}
}

// TestRanksDrawTheirRows: a rank's noise and times are, bit for bit, its rows of those that
// one rank draws.
func TestRanksDrawTheirRows(t *testing.T) {
	draws := func(tr *Trainer, n int64) (noise, times []float32) {
		err := tr.Do(context.Background(), func(s *torchx.Scope) error {
			a, b := tr.draws(s, s.Full(0, torchx.Float32, torchx.CPU, n, 1, 5, 5), 1)
			noise, times = s.Floats(a), s.Floats(b)
			return s.Err()
		})
		if err != nil {
			t.Error(err)
		}
		return noise, times
	}
	alone := tinyTrainer(t)
	wantNoise, wantTimes := draws(alone, 6)
	for rank, err := range onRanks(t, 3, torchx.CPU, func(g *torchx.Group) error {
		tr, err := rankTrainer(rankHyper)
		if err != nil {
			return err
		}
		defer tr.Close()
		if err := tr.Join(context.Background(), g, false); err != nil {
			return err
		}
		noise, times := draws(tr, 2)
		if !slices.Equal(noise, wantNoise[50*g.Rank:50*g.Rank+50]) || !slices.Equal(times, wantTimes[2*g.Rank:2*g.Rank+2]) {
			return errors.New("other noise or times than the whole batch's rows")
		}
		return nil
	}) {
		if err != nil {
			t.Errorf("rank %d: %v", rank, err)
		}
	}
}

// TestRanksSkipTogether: if one rank's loss is not finite, all skip the step.
func TestRanksSkipTogether(t *testing.T) {
	for rank, err := range onRanks(t, 2, torchx.CPU, func(g *torchx.Group) error {
		tr, err := rankTrainer(rankHyper)
		if err != nil {
			return err
		}
		defer tr.Close()
		if err := tr.Join(context.Background(), g, false); err != nil {
			return err
		}
		for step, poison := range []float64{0, math.NaN(), 0} {
			bad := poison != 0
			if g.Rank == 0 {
				poison = 0
			}
			r, err := rankStep(context.Background(), tr, 1, poison)
			if err != nil {
				return err
			}
			if r.Skipped() != bad {
				return fmt.Errorf("step %d: skipped: %v, want %v", step+1, r.Skipped(), bad)
			}
		}
		return tr.CheckRanks(context.Background())
	}) {
		if err != nil {
			t.Errorf("rank %d: %v", rank, err)
		}
	}
}

// TestRanksStartFromOne: the state that ranks join with is that of rank 0, whatever the
// others had, and goes on as it would have alone.
func TestRanksStartFromOne(t *testing.T) {
	alone, err := rankTrainer(rankHyper)
	if err != nil {
		t.Fatal(err)
	}
	defer alone.Close()
	ctx := context.Background()
	for range 3 {
		if _, err := rankStep(ctx, alone, 1, 0); err != nil {
			t.Fatal(err)
		}
	}
	alone.Best = Best{Figure: "val/mse", Value: math.Inf(1), Step: 2}
	for rank, err := range onRanks(t, 2, torchx.CPU, func(g *torchx.Group) error {
		tr := alone
		if g.Rank != 0 {
			if tr, err = rankTrainer(rankHyper); err != nil {
				return err
			}
			defer tr.Close()
		}
		if err := tr.Join(ctx, g, false); err != nil {
			return err
		}
		if tr.Step != 3 || tr.Best != alone.Best || tr.average == nil || *tr.average != (Averaging{Decay: 0.9}) || tr.Last != alone.Last {
			return fmt.Errorf("it starts from %+v", tr.Position)
		}
		if err := tr.CheckRanks(ctx); err != nil {
			return err
		}
		if _, err := rankStep(ctx, tr, 1, 0); err != nil {
			return err
		}
		return tr.CheckRanks(ctx)
	}) {
		if err != nil {
			t.Errorf("rank %d: %v", rank, err)
		}
	}
}

// TestRanksResume: four ranks that resume from rank 0's checkpoint end with the bits of
// four that were never stopped.
func TestRanksResume(t *testing.T) {
	const n, half = 4, 3
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "checkpoint.pt")
	run := func(begin, end int) (result []float32) {
		for rank, err := range onRanks(t, n, torchx.CPU, func(g *torchx.Group) error {
			tr, err := rankTrainer(rankHyper)
			if err != nil {
				return err
			}
			defer tr.Close()
			if begin > 0 && g.Rank == 0 {
				l, err := OpenCheckpoint(path)
				if err != nil {
					return err
				}
				defer l.Close()
				if err := tr.Restore(ctx, l); err != nil {
					return err
				}
			}
			if err := tr.Join(ctx, g, false); err != nil {
				return err
			}
			for tr.Step < end {
				if _, err := rankStep(ctx, tr, 1, 0); err != nil {
					return err
				}
			}
			if g.Rank != 0 {
				return nil
			}
			result = state(t, tr)
			return save(ctx, tr, path, Checkpoint{Channels: []string{"a"}, Stats: &field.Stats{Mean: []float64{0}, Std: []float64{1}}, Input: Input{Factor: 2}, Averaged: true})
		}) {
			if err != nil {
				t.Fatalf("rank %d: %v", rank, err)
			}
		}
		return result
	}
	run(0, half)
	resumed := run(half, 2*half)
	if whole := run(0, 2*half); !slices.Equal(resumed, whole) {
		t.Errorf("the ranks that resumed are off by %g from those that were never stopped", furthest(resumed, whole))
	}
}

// TestRanksComeApart: a bit that differs on one rank is an error on all, which names it.
func TestRanksComeApart(t *testing.T) {
	for rank, err := range onRanks(t, 3, torchx.CPU, func(g *torchx.Group) error {
		tr, err := rankTrainer(rankHyper)
		if err != nil {
			return err
		}
		defer tr.Close()
		ctx := context.Background()
		if err := tr.Join(ctx, g, false); err != nil {
			return err
		}
		if g.Rank == 1 {
			err := tr.Do(ctx, func(s *torchx.Scope) error {
				values := s.Floats(tr.v[2])
				values[0] = math.Float32frombits(math.Float32bits(values[0]) ^ 1)
				s.Write(tr.v[2], values)
				return s.Err()
			})
			if err != nil {
				return err
			}
		}
		return tr.CheckRanks(ctx)
	}) {
		if err == nil || !strings.Contains(err.Error(), "rank 1 (exp_avg_sq)") || strings.Contains(err.Error(), "rank 2") {
			t.Errorf("rank %d: %v", rank, err)
		}
	}
}

// TestRanksDiffer: ranks that train differently don't start.
func TestRanksDiffer(t *testing.T) {
	for rank, err := range onRanks(t, 2, torchx.CPU, func(g *torchx.Group) error {
		h := rankHyper
		h.LR *= float64(1 + g.Rank)
		tr, err := rankTrainer(h)
		if err != nil {
			return err
		}
		defer tr.Close()
		return tr.Join(context.Background(), g, false)
	}) {
		if err == nil || !strings.Contains(err.Error(), "LR:0.002") {
			t.Errorf("rank %d: %v", rank, err)
		}
	}
}

// TestRankLeaves: a rank that leaves ends the others' step with an error, in seconds.
func TestRankLeaves(t *testing.T) {
	left := make(chan struct{})
	for rank, err := range onRanks(t, 3, torchx.CPU, func(g *torchx.Group) error {
		tr, err := rankTrainer(rankHyper)
		if err != nil {
			return err
		}
		defer tr.Close()
		if err := tr.Join(context.Background(), g, false); err != nil {
			return err
		}
		if g.Rank == 2 {
			tr.ranks.close()
			tr.ranks = nil
			g.Close()
			close(left)
			return errors.New("left")
		}
		<-left
		_, err = rankStep(context.Background(), tr, 1, 0)
		return err
	}) {
		if err == nil {
			t.Errorf("rank %d took a step without rank 2", rank)
		}
		t.Log(err)
	}
}

// TestRankWaitsUntilStopped: a context that ends interrupts the wait for a rank that does
// not come, in a step, in a collective and in a checksum.
func TestRankWaitsUntilStopped(t *testing.T) {
	goroutines := runtime.NumGoroutine()
	for name, wait := range map[string]func(ctx context.Context, tr *Trainer) error{
		"step":     func(ctx context.Context, tr *Trainer) error { _, err := rankStep(ctx, tr, 1, 0); return err },
		"checksum": func(ctx context.Context, tr *Trainer) error { return tr.CheckRanks(ctx) },
	} {
		over := make(chan struct{})
		errs := onRanks(t, 2, torchx.CPU, func(g *torchx.Group) error {
			tr, err := rankTrainer(rankHyper)
			if err != nil {
				return err
			}
			defer tr.Close()
			if err := tr.Join(context.Background(), g, false); err != nil {
				return err
			}
			if g.Rank == 1 {
				<-over
				return nil
			}
			defer close(over)
			ctx, cancel := context.WithCancelCause(context.Background())
			time.AfterFunc(300*time.Millisecond, func() { cancel(errors.New("rank 1 is silent")) })
			began := time.Now()
			err = wait(ctx, tr)
			if took := time.Since(began); took > 8*time.Second {
				return fmt.Errorf("stopped after %v", took)
			}
			if tr.Step != 0 {
				return errors.New("it counted the step")
			}
			return err
		})
		if errs[0] == nil || errs[0].Error() != "rank 1 is silent" || errs[1] != nil {
			t.Errorf("%s: %v", name, errs)
		}
	}
	for range 1000 {
		if runtime.NumGoroutine() <= goroutines {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d goroutines, and %d before", runtime.NumGoroutine(), goroutines)
}
