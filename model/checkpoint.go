package model

import (
	"context"
	"fmt"

	"fmsr/internal/atomicfile"
	"fmsr/internal/frames"
	"fmsr/internal/torchfile"
	"fmsr/internal/torchx"
)

// Checkpoint is what a checkpoint.pt holds besides the trainer's tensors.
type Checkpoint struct {
	Channels []string
	Stats    *frames.Stats
	Input    Input
	Inputs   *Inputs // what x_lo was made of; nil if unknown
	Frames   int     // of the training split
	Passed   bool    // every stage below the trainer has seen the step
}

// Input is how x_lo was made.
type Input struct {
	Factor   int  // fine cells per coarse cell, along an axis
	Periodic bool // interpolation wraps around
}

// Save writes checkpoint.pt, whole or not at all. PyTorch loads it with
// weights_only=True: model_state_dict and ema_state_dict under ADM's names,
// stats, channel_names, step, and what Restore needs to go on from it.
func (t *Trainer) Save(ctx context.Context, path string, c Checkpoint) error {
	f, err := atomicfile.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	clips := t.Clips
	if !c.Passed { // the step will be sent, and perhaps evaluated, once more
		clips = t.fresh
	}
	err = t.Do(ctx, func(s *torchx.Scope) error {
		root := torchfile.Dict{
			{Key: "model_state_dict", Value: stateDict(s, t.Net.Params, t.Net.Tensors())},
			{Key: "ema_state_dict", Value: stateDict(s, t.EMA.Params, t.EMA.Tensors())},
			{Key: "stats", Value: torchfile.Dict{{Key: "mean", Value: statsTensor(c.Stats.Mean)}, {Key: "std", Value: statsTensor(c.Stats.Std)}}},
			{Key: "channel_names", Value: names(c.Channels)},
			{Key: "step", Value: t.Step},
			{Key: "optimizer_state", Value: torchfile.Dict{
				{Key: "exp_avg", Value: stateDict(s, t.Net.Params, t.m)},
				{Key: "exp_avg_sq", Value: stateDict(s, t.Net.Params, t.v)},
			}},
			{Key: "resume", Value: resumption{t.averaged, c.Passed, c.Frames, t.Last, clips}.dict()},
			{Key: "config", Value: torchfile.Dict{
				{Key: "base_dist", Value: string(t.Base)}, {Key: "base_noise_scale", Value: t.NoiseScale},
				{Key: "periodic_padding", Value: t.Net.Periodic},
				{Key: "factor", Value: c.Input.Factor}, {Key: "periodic_input", Value: c.Input.Periodic},
			}},
			{Key: "format", Value: 1},
		}
		if c.Inputs != nil {
			root = append(root, torchfile.Entry{Key: "inputs", Value: inputsDict(*c.Inputs)})
		}
		return torchfile.Write(f, root)
	})
	if err != nil {
		return fmt.Errorf("checkpoint %s: %w", path, err)
	}
	return f.Commit()
}

// stateDict is tensors, one a parameter, under the parameters' names.
func stateDict(s *torchx.Scope, params []Param, tensors []torchx.Tensor) torchfile.Dict {
	var d torchfile.Dict
	for i, p := range params {
		x := tensors[i]
		d = append(d, torchfile.Entry{Key: p.Name, Value: torchfile.Tensor{
			DType: "float32", Shape: p.Shape,
			Bytes: func() ([]byte, error) { return frames.Bytes(s.Floats(x)), s.Err() },
		}})
	}
	return d
}

func inputsDict(in Inputs) torchfile.Dict {
	var power []float64
	for _, p := range in.Power {
		power = append(power, p...)
	}
	return torchfile.Dict{
		{Key: "grid", Value: torchfile.List{in.H, in.W}}, {Key: "frames", Value: in.Frames},
		{Key: "std", Value: statsTensor(in.Std)},
		{Key: "power", Value: floatTensor(power, int64(len(in.Power)), int64(len(in.Power[0])))},
	}
}

func statsTensor(values []float64) torchfile.Tensor { return floatTensor(values, int64(len(values))) }

func floatTensor(values []float64, shape ...int64) torchfile.Tensor {
	floats := make([]float32, len(values))
	for i, v := range values {
		floats[i] = float32(v)
	}
	return torchfile.Tensor{
		DType: "float32", Shape: shape,
		Bytes: func() ([]byte, error) { return frames.Bytes(floats), nil },
	}
}

func names(channels []string) torchfile.List {
	var l torchfile.List
	for _, c := range channels {
		l = append(l, c)
	}
	return l
}
