package model

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/format/torchfile"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/torchx"
)

// saved is a small checkpoint, in whose average one bias counts up from 1.
func saved(t *testing.T) string {
	t.Helper()
	ctx := context.Background()
	thread, err := torchx.StartThread(1)
	if err != nil {
		t.Fatal(err)
	}
	trainer, err := NewTrainer(ctx, thread, Config{Fields: 1, Channels: 4, Mult: []int{1, 1}}, Hyper{Flow: Flow{Base: XLoPlusNoise, NoiseScale: 0.1}})
	if err != nil {
		t.Fatal(err)
	}
	defer trainer.Close()
	err = trainer.Do(ctx, func(s *torchx.Scope) error {
		torchx.NoGrad(func() {
			s.Copy(Tensors(trainer.EMA)[1], s.FromFloats([]float32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}, 16))
		})
		return s.Err()
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "checkpoint.pt")
	if err := save(ctx, trainer, path, Checkpoint{Channels: []string{"a"}, Stats: &field.Stats{Mean: []float64{0}, Std: []float64{1}}, Input: Input{Factor: 2}, Averaged: true}); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestVerify: a checkpoint is whole, and no byte of it can change, of 400 spread
// over the file and its directory.
func TestVerify(t *testing.T) {
	path := saved(t)
	if is, err := Verify(context.Background(), path); err != nil || !strings.HasPrefix(is, "checkpoint of step 0, 1 fields, ") || !strings.HasSuffix(is, "all that a run needs to resume") {
		t.Fatalf("%q, %v", is, err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	const offsets = 400
	for i := range int64(offsets) {
		at := i * info.Size() / offsets
		b := make([]byte, 1)
		_, err := f.ReadAt(b, at)
		_, err2 := f.WriteAt([]byte{b[0] ^ 1<<(i%8)}, at)
		if _, err := Verify(context.Background(), path); err == nil || !strings.Contains(err.Error(), path) || errors.Is(err, ErrUnhealthy) {
			t.Errorf("byte %d of %d flipped: %v", at, info.Size(), err)
		}
		_, err3 := f.WriteAt(b, at)
		if err := errors.Join(err, err2, err3); err != nil {
			t.Fatal(err)
		}
	}
}

// TestVerifyUnhealthy: whole files with a value that is not finite say so, and where.
func TestVerifyUnhealthy(t *testing.T) {
	for _, v := range []float64{math.NaN(), math.Inf(-1)} {
		path := saved(t)
		z, err := zip.OpenReader(path)
		if err != nil {
			t.Fatal(err)
		}
		records := records(t, &z.Reader)
		z.Close()
		for _, data := range records {
			if bytes.HasPrefix(data, frames.Bytes([]float32{1, 2, 3, 4})) {
				copy(data[8:], frames.Bytes([]float32{float32(v)}))
			}
		}
		pickle := records["checkpoint/data.pkl"]
		delete(records, "checkpoint/data.pkl")
		records["checkpoint/.data/serialization_id"] = []byte("1") // it is PyTorch's then, whose layout is its own
		if err := os.WriteFile(path, withPickle(t, pickle, records), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err = Verify(context.Background(), path)
		if want := fmt.Sprintf("%s: whole, but unhealthy: ema_state_dict: time_embed.0.bias holds %g: not finite", path, v); !errors.Is(err, ErrUnhealthy) || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// TestVerifyKeys: the contract's five keys are enough, and each of them is missed;
// what a run needs to resume is there whole or not at all.
func TestVerifyKeys(t *testing.T) {
	c := Config{Fields: 1, Channels: 4, Mult: []int{1, 1}}
	plan, err := Plan(c)
	if err != nil {
		t.Fatal(err)
	}
	state := func(shift int64) (d torchfile.Dict) {
		for _, p := range plan.Params() {
			shape := append([]int64{p.Shape[0] + shift}, p.Shape[1:]...)
			d = append(d, torchfile.Entry{Key: p.Name, Value: floatTensor(make([]float64, numel(shape)), shape...)})
		}
		return d
	}
	five := torchfile.Dict{
		{Key: "model_state_dict", Value: state(0)}, {Key: "ema_state_dict", Value: state(0)}, {Key: "step", Value: 12},
		{Key: "stats", Value: torchfile.Dict{{Key: "mean", Value: statsTensor([]float64{0})}, {Key: "std", Value: statsTensor([]float64{1})}}},
		{Key: "channel_names", Value: torchfile.List{"a"}},
	}
	resume := resumption{}.dict()
	with := func(key string, value any) torchfile.Dict {
		d := torchfile.Dict{{Key: key, Value: value}}
		for _, e := range five {
			if e.Key != key {
				d = append(d, e)
			}
		}
		return d
	}
	for name, c := range map[string]struct {
		root torchfile.Dict
		want string
	}{
		"five keys":         {five, ""},
		"no model":          {with("model_state_dict", nil), "it lacks model_state_dict: want"},
		"no average":        {with("ema_state_dict", nil), ""},
		"no step":           {with("step", nil), "step is missing"},
		"no stats":          {with("stats", nil), "it lacks stats: want"},
		"no channels":       {with("channel_names", nil), "it lacks channel_names: want"},
		"one tensor less":   {with("ema_state_dict", state(0)[1:]), "ema_state_dict has "},
		"another shape":     {with("ema_state_dict", state(1)), "ema_state_dict: time_embed.0.weight has shape [17 4], want [16 4]"},
		"step as text":      {with("step", "12"), "step is text: want a whole number"},
		"names twice":       {with("channel_names", torchfile.List{"a", "a"}), `channel_names: the field "a" is named twice`},
		"name empty":        {with("channel_names", torchfile.List{""}), "channel_names: the name of field 0 is empty"},
		"a path for a name": {with("channel_names", torchfile.List{"../x"}), `channel_names: the name of field 0 is "../x"`},
		"config as text":    {with("config", "x"), "config is text: want a dict"},
		"inputs as text":    {with("inputs", "x"), "inputs is text: want a dict"},
		"factor as text":    {with("config", torchfile.Dict{{Key: "factor", Value: "4"}}), "config.factor is text: want a whole number"},
		"factor 2.5":        {with("config", torchfile.Dict{{Key: "factor", Value: 2.5}}), "config.factor is a number: want a whole number"},
		"base unknown":      {with("config", torchfile.Dict{{Key: "base_dist", Value: "noise"}}), `config: base_dist "noise"`},
		"spec as a number":  {with("spec", 1), "spec is a whole number: want text"},
		"an extra weight":   {with("ema_state_dict", append(state(0), torchfile.Entry{Key: "foo", Value: statsTensor([]float64{1})})), `, and no "foo"`},
		"no moments":        {with("resume", resume), "no optimizer_state"},
		"no resume":         {with("optimizer_state", torchfile.Dict{}), "(the key resume)"},
		"half a resumption": {with("resume", resume[1:]), "resume.averaged is missing"},
		"empty moments": {append(with("resume", resume), torchfile.Entry{Key: "optimizer_state", Value: torchfile.Dict{{Key: "exp_avg", Value: torchfile.Dict{}}}}),
			"exp_avg has 0 tensors"},
	} {
		path := filepath.Join(t.TempDir(), "checkpoint.pt")
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(torchfile.Write(f, c.root), f.Close()); err != nil {
			t.Fatal(err)
		}
		is, err := Verify(context.Background(), path)
		if c.want == "" {
			if err != nil || !strings.Contains(is, "step 12") || !strings.HasSuffix(is, "without what a run needs to resume") {
				t.Errorf("%s: %q, %v", name, is, err)
			}
		} else if err == nil || !strings.HasPrefix(err.Error(), path+": ") || !strings.Contains(err.Error(), c.want) || strings.Count(err.Error(), path) > 1 {
			t.Errorf("%s: error %v, want the path and %q", name, err, c.want)
		}
	}
}
