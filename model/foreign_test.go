package model

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"fmsr.example/fmsr/internal/format/torchfile"
)

// TestOtherKinds: what PyTorch's users write in other ways is read as meant, and the keys
// that are missing are listed.
func TestOtherKinds(t *testing.T) {
	plan, err := Plan(Config{Fields: 2, Channels: 4, Mult: []int{1, 1}})
	if err != nil {
		t.Fatal(err)
	}
	state := func(prefix string, more ...torchfile.Entry) torchfile.Dict {
		for _, p := range plan.Params() {
			more = append(more, torchfile.Entry{Key: prefix + p.Name, Value: floatTensor(make([]float64, numel(p.Shape)), p.Shape...)})
		}
		return more
	}
	path := filepath.Join(t.TempDir(), "checkpoint.pt")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	counter := torchfile.Entry{Key: "n_averaged", Value: statsTensor([]float64{3})}
	err = torchfile.Write(f, torchfile.Dict{
		{Key: "model_state_dict", Value: state("_orig_mod.module.")}, {Key: "ema_state_dict", Value: state("module._orig_mod.", counter)},
		{Key: "stats", Value: torchfile.Dict{{Key: "mean", Value: torchfile.List{1, 0.1}}, {Key: "std", Value: floatTensor([]float64{2, 4}, 1, 2, 1, 1)}}},
		{Key: "channel_names", Value: torchfile.List{"a", "b"}}, {Key: "step", Value: statsTensor([]float64{123})},
		{Key: "config", Value: torchfile.Dict{{Key: "base_noise_scale", Value: 0}, {Key: "factor", Value: 4.0}}},
	})
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
	l, err := OpenCheckpoint(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if l.Step != 123 || l.Flow != (Flow{Base: XLoPlusNoise}) || l.Input.Factor != 4 {
		t.Errorf("step %d, flow %+v, input %+v", l.Step, l.Flow, l.Input)
	}
	if !reflect.DeepEqual(l.Stats.Mean, []float64{1, 0.1}) || !reflect.DeepEqual(l.Stats.Std, []float64{2, 4}) {
		t.Errorf("stats %+v", l.Stats)
	}
	if want := []string{"base_dist", "periodic_padding", "periodic_input"}; !reflect.DeepEqual(l.Unsaid, want) {
		t.Errorf("unsaid are %v, want %v", l.Unsaid, want)
	}
	for _, key := range []string{rawKey, emaKey} {
		weights, err := l.state(key)
		if err == nil {
			err = l.check(plan.Params(), key, weights)
		}
		if err != nil {
			t.Error(err)
		}
	}
}
