package model

import (
	"context"
	"math"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"fmsr/internal/frames"
	"fmsr/internal/torchx"
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
	inputs := &Inputs{H: 4, W: 6, Frames: 3, Std: []float64{0.5, 2}, Power: [][]float64{{1, 2, 4, 0.25}, {0, 8, 0.5, 3}}}
	open := func(in *Inputs) (*Loaded, error) {
		path := filepath.Join(t.TempDir(), "checkpoint.pt")
		c := Checkpoint{
			Channels: []string{"a", "b"}, Stats: &frames.Stats{Mean: []float64{0, 1}, Std: []float64{1, 4}},
			Input: Input{Factor: 2, Periodic: true}, Inputs: in,
		}
		if err := trainer.Save(ctx, path, c); err != nil {
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
