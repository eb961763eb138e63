package model

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/format/torchfile"
	"fmsr.example/fmsr/internal/torchx"
)

// TestCheckpointKeepsInputs: what the training inputs were comes back; a file
// without it is read too, and one with nonsense is not.
func TestCheckpointKeepsInputs(t *testing.T) {
	ctx := context.Background()
	thread, err := torchx.StartThread(1)
	if err != nil {
		t.Fatal(err)
	}
	flow := Flow{Base: XLoPlusNoise, NoiseScale: 0.25}
	trainer, err := NewTrainer(ctx, thread, Config{Fields: 2, Channels: 4, Mult: []int{1, 1}}, Hyper{Flow: flow})
	if err != nil {
		t.Fatal(err)
	}
	defer trainer.Close()
	inputs := &Inputs{
		Frames: 3, Std: []float64{0.5, 2},
		Low:  []Look{{Mean: -1, Std: 0.25, Shares: []float64{0, 0.5}}, {Mean: 4, Std: 1, Shares: []float64{0.125, 0.25}}},
		High: []Look{{Mean: 2, Std: 0.5, Shares: []float64{0.5, 0.75}}, {Mean: 4, Std: 8, Shares: []float64{0.25, 1}}},
	}
	open := func(in *Inputs) (*Loaded, error) {
		path := filepath.Join(t.TempDir(), "checkpoint.pt")
		c := Checkpoint{
			Channels: []string{"a", "b"}, Stats: &field.Stats{Mean: []float64{0, 1}, Std: []float64{1, 4}},
			Input: Input{Factor: 2, Periodic: true}, Inputs: in, Averaged: true,
		}
		if err := save(ctx, trainer, path, c); err != nil {
			t.Fatal(err)
		}
		return OpenCheckpoint(path)
	}
	l, err := open(inputs)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if !reflect.DeepEqual(l.Inputs, inputs) {
		t.Errorf("inputs %+v, want %+v", l.Inputs, inputs)
	}
	if l.Flow != flow || l.Input != (Input{Factor: 2, Periodic: true}) || !reflect.DeepEqual(l.Stats.Std, []float64{1, 4}) {
		t.Errorf("flow %+v, input %+v, stats %+v", l.Flow, l.Input, l.Stats)
	}
	without, err := open(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer without.Close()
	if without.Inputs != nil {
		t.Errorf("inputs %+v where there are none", without.Inputs)
	}
	inputs.Std[1] = math.NaN()
	if _, err := open(inputs); err == nil || !strings.Contains(err.Error(), "inputs: field 1: NaN") {
		t.Errorf("error %v, want one that names inputs", err)
	}
}

// TestCheckpointKeepsFilters: the linear filters come back to the last bit, and those of
// another factor, or with weights that are not finite, are refused by name.
func TestCheckpointKeepsFilters(t *testing.T) {
	ctx := context.Background()
	thread, err := torchx.StartThread(1)
	if err != nil {
		t.Fatal(err)
	}
	trainer, err := NewTrainer(ctx, thread, Config{Fields: 2, Channels: 4, Mult: []int{1, 1}}, Hyper{Flow: Flow{Base: XLoPlusNoise}})
	if err != nil {
		t.Fatal(err)
	}
	defer trainer.Close()
	open := func(filters ...*field.Linear) (*Loaded, error) {
		path := filepath.Join(t.TempDir(), "checkpoint.pt")
		c := Checkpoint{
			Channels: []string{"a", "b"}, Stats: &field.Stats{Mean: []float64{0, 1}, Std: []float64{1, 4}},
			Input: Input{Factor: 2}, Filters: filters, Averaged: true,
		}
		if err := save(ctx, trainer, path, c); err != nil {
			t.Fatal(err)
		}
		return OpenCheckpoint(path)
	}
	filter := func(factor int, scale float64) *field.Linear {
		f := &field.Linear{Factor: factor}
		for i := range factor * factor * field.LinearFeatures {
			f.Weights = append(f.Weights, scale*math.Sqrt(float64(i)))
		}
		return f
	}
	kept := []*field.Linear{filter(2, 1), filter(2, -1./3)}
	l, err := open(kept...)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if !reflect.DeepEqual(l.Filters, kept) {
		t.Error("the filters differ")
	}
	without, err := open()
	if err != nil || without.Filters != nil {
		t.Fatalf("filters %v, %v where there are none", without.Filters, err)
	}
	defer without.Close()
	if _, err := open(filter(3, 1), filter(3, 1)); err == nil || !strings.Contains(err.Error(), "linear_filter has 1476 weights: want 328 for each of 2 fields") {
		t.Errorf("a filter of factor 3: %v", err)
	}
	if _, err := open(filter(2, 1), filter(2, math.NaN())); err == nil || !strings.Contains(err.Error(), "linear_filter: field b: a weight of a linear filter is NaN") {
		t.Errorf("a filter with a weight that is not a number: %v", err)
	}
}

// TestPromisesAreNotBelieved: a small file that speaks of a network of terabytes
// is refused before memory for one is asked for.
func TestPromisesAreNotBelieved(t *testing.T) {
	zeros := func(shape ...int64) torchfile.Tensor {
		return torchfile.Tensor{DType: "float32", Shape: shape, Bytes: func() ([]byte, error) { return make([]byte, 4*numel(shape)), nil }}
	}
	state := torchfile.Dict{
		{Key: "time_embed.0.weight", Value: zeros(1, 1<<16)},
		{Key: "out.2.weight", Value: zeros(1, 1)},
		{Key: "input_blocks.1.0.out_layers.3.weight", Value: zeros(1<<16, 1)},
	}
	path := filepath.Join(t.TempDir(), "checkpoint.pt")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	err = torchfile.Write(f, torchfile.Dict{
		{Key: "model_state_dict", Value: state}, {Key: "ema_state_dict", Value: state}, {Key: "step", Value: 1},
		{Key: "stats", Value: torchfile.Dict{{Key: "mean", Value: zeros(1)}, {Key: "std", Value: statsTensor([]float64{1})}}},
		{Key: "channel_names", Value: torchfile.List{"a"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	l, err := OpenCheckpoint(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	onThread(t, func(s *torchx.Scope) error {
		if _, err := l.Net(s, "model_state_dict", torchx.CPU); err == nil || !strings.Contains(err.Error(), "model_state_dict has 3 tensors") {
			t.Errorf("error %v, want one of what is missing", err)
		}
		return nil
	})
}

// TestStatsMustBeUsable: a deviation of nothing, which would divide by zero, is
// refused with the channel's name.
func TestStatsMustBeUsable(t *testing.T) {
	ctx := context.Background()
	thread, err := torchx.StartThread(1)
	if err != nil {
		t.Fatal(err)
	}
	trainer, err := NewTrainer(ctx, thread, Config{Fields: 2, Channels: 4, Mult: []int{1, 1}}, Hyper{Flow: Flow{Base: XLoPlusNoise, NoiseScale: 0.1}})
	if err != nil {
		t.Fatal(err)
	}
	defer trainer.Close()
	for _, c := range []struct {
		mean, std []float64
		want      string
	}{
		{[]float64{0, 1}, []float64{1, 0}, "stats.std of b is 0"},
		{[]float64{0, 1}, []float64{-1, 2}, "stats.std of a is -1"},
		{[]float64{0, math.Inf(1)}, []float64{1, 2}, "stats.mean of b is +Inf"},
	} {
		path := filepath.Join(t.TempDir(), "checkpoint.pt")
		err := save(ctx, trainer, path, Checkpoint{Channels: []string{"a", "b"}, Stats: &field.Stats{Mean: c.mean, Std: c.std}, Input: Input{Factor: 2}, Averaged: true})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := OpenCheckpoint(path); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

func save(ctx context.Context, trainer *Trainer, path string, c Checkpoint) error {
	snapshot, err := trainer.Snapshot(ctx, c)
	if err != nil {
		return err
	}
	return errors.Join(snapshot.Save(path), snapshot.Close())
}
