package model

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/apache/arrow/go/v15/arrow"
	"golang.org/x/sys/unix"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/format/torchfile"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/store/atomicfile"
	"fmsr.example/fmsr/internal/torchx"
)

// Checkpoint is the content of a checkpoint.pt besides the trainer's own state.
type Checkpoint struct {
	Channels []string
	Stats    *field.Stats
	Input    Input
	Inputs   *Inputs                 // looks of the coarse training fields; nil if unknown
	Filters  []*field.Linear         // of each field, normalized, fitted to the training frames; nil if unknown
	Frames   int                     // number of training frames
	Digests  map[frames.Split]string // of the values of each split's frames; nil if unknown
	Spec     string                  // YAML of the spec's keys that change the result; empty if unknown
	Averaged bool                    // with the weights' average: the flow has an ema stage
}

// Input is how x_lo was made.
type Input struct {
	Factor   int  // fine cells per coarse cell, along an axis
	Periodic bool // interpolation wraps around
}

// Snapshot is a copy of a trainer's state in host memory, which can be written while
// training continues.
type Snapshot struct {
	Step int

	root torchfile.Dict
	mem  []byte // all weights, averages and moments, outside Go's heap
}

// Snapshot copies the trainer's state. Close frees the copy.
func (t *Trainer) Snapshot(ctx context.Context, c Checkpoint) (*Snapshot, error) {
	if err := t.Settle(ctx); err != nil {
		return nil, err
	}
	lists := t.lists()
	mem, err := unix.Mmap(-1, 0, 4*len(lists)*Count(t.Net), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("memory for a checkpoint: %w", err)
	}
	snapshot := &Snapshot{Step: t.Step, mem: mem}
	free := arrow.Float32Traits.CastFromBytes(mem)
	states := map[string]torchfile.Dict{}
	err = t.Do(ctx, func(s *torchx.Scope) error {
		for j, list := range lists {
			if trainingKeys[j] == emaKey && !c.Averaged {
				continue
			}
			var state torchfile.Dict
			for i, p := range t.Net.Params() {
				values := free[:numel(p.Shape)]
				free = free[len(values):]
				torchx.Read(s, list[i], values)
				state = append(state, torchfile.Entry{Key: p.Name, Value: healthy(trainingKeys[j]+"."+p.Name, p.Shape, values)})
			}
			states[trainingKeys[j]] = state
		}
		return s.Err()
	})
	if err != nil {
		return nil, errors.Join(err, snapshot.Close())
	}
	snapshot.root = t.root(c, states)
	return snapshot, nil
}

// root returns the whole checkpoint.
func (t *Trainer) root(c Checkpoint, states map[string]torchfile.Dict) torchfile.Dict {
	root := torchfile.Dict{{Key: rawKey, Value: states[rawKey]}}
	if c.Averaged {
		root = append(root, torchfile.Entry{Key: emaKey, Value: states[emaKey]})
	}
	root = append(root, torchfile.Dict{
		{Key: "stats", Value: statsDict(c.Stats, c.Channels)},
		{Key: "channel_names", Value: names(c.Channels)},
		{Key: "step", Value: t.Step},
		{Key: "optimizer_state", Value: torchfile.Dict{{Key: "exp_avg", Value: states["exp_avg"]}, {Key: "exp_avg_sq", Value: states["exp_avg_sq"]}}},
		{Key: "resume", Value: resumption{t.Position, c.Frames, t.Last, t.Skips, t.Window, t.Ends(), t.Best, t.average}.dict()},
		{Key: "config", Value: t.config(c)},
		{Key: "format", Value: 1},
	}...)
	if c.Spec != "" {
		root = append(root, torchfile.Entry{Key: "spec", Value: c.Spec})
	}
	if c.Inputs != nil {
		root = append(root, torchfile.Entry{Key: "inputs", Value: inputsDict(*c.Inputs)})
	}
	if t.Measured != nil {
		root = append(root, torchfile.Entry{Key: baseKey, Value: t.Measured.dict()})
	}
	if c.Filters != nil {
		root = append(root, torchfile.Entry{Key: filterKey, Value: filterTensor(c.Filters)})
	}
	if c.Digests != nil {
		root = append(root, torchfile.Entry{Key: "data", Value: digestsDict(c.Digests)})
	}
	return root
}

// config returns the keys that are needed to apply the network. Flow matching, free noise, the
// name of the default network and the boundaries of a periodic domain are left out.
func (t *Trainer) config(c Checkpoint) torchfile.Dict {
	net, in := t.Net.Config(), c.Input
	d := torchfile.Dict{
		{Key: "base_dist", Value: string(t.Base)}, {Key: "base_noise_scale", Value: t.NoiseScale},
		{Key: "periodic_padding", Value: net.Periodic},
		{Key: "factor", Value: in.Factor}, {Key: "periodic_input", Value: in.Periodic},
		{Key: "t_min", Value: t.TMin}, {Key: "t_max", Value: t.TMax},
	}
	if t.Objective != FlowMatching {
		d = append(d, torchfile.Entry{Key: "objective", Value: t.Objective.String()})
	}
	if t.Objective == FlowMap {
		d = append(d, t.Map.dict()...)
	}
	if t.Noise != (field.Constraints{}) {
		d = append(d, torchfile.Entry{Key: baseNoiseKey, Value: noiseDict(t.Noise, c.Channels)})
	}
	if net.Network != DefaultNetwork {
		d = append(d, torchfile.Entry{Key: "network", Value: net.Network})
	}
	if b := net.Boundary; b != [2]field.Boundary{} {
		d = append(d, torchfile.Entry{Key: "boundary", Value: torchfile.List{b[0].String(), b[1].String()}})
	}
	return d
}

// ErrUnhealthy is the error of a state in which a number is not finite.
var ErrUnhealthy = errors.New("not finite")

func notFinite(v float32) bool { return v-v != 0 }

// healthy returns a tensor whose writing fails with ErrUnhealthy unless every value
// is finite.
func healthy(name string, shape []int64, values []float32) torchfile.Tensor {
	return torchfile.Tensor{DType: "float32", Shape: shape, Bytes: func() ([]byte, error) {
		if slices.ContainsFunc(values, notFinite) {
			return nil, fmt.Errorf("%s: %w", name, ErrUnhealthy)
		}
		return frames.Bytes(values), nil
	}}
}

// Save writes checkpoint.pt, whole or not at all. PyTorch loads it with
// weights_only=True: model_state_dict and, if the flow averages, ema_state_dict under
// the parameters' names, stats, channel_names, step, and what Restore needs to resume. If a value is not
// finite, Save returns ErrUnhealthy and leaves the file at path alone.
func (c *Snapshot) Save(path string) error {
	f, err := atomicfile.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 64<<10) // for small tensors; large ones bypass it
	err = torchfile.Write(w, c.root)
	if err == nil {
		err = w.Flush()
	}
	if err != nil {
		return fmt.Errorf("checkpoint %s: %w", path, err)
	}
	return f.Commit()
}

// Close frees the copy, after Save has returned.
func (c *Snapshot) Close() error { return unix.Munmap(c.mem) }

// inputsDict is in float64, since a mean or a deviation may be beyond float32.
func inputsDict(in Inputs) torchfile.Dict {
	return torchfile.Dict{
		{Key: "frames", Value: in.Frames}, {Key: "std", Value: doubleTensor(in.Std, int64(len(in.Std)))},
		{Key: "low", Value: looksTensor(in.Low)}, {Key: "high", Value: looksTensor(in.High)},
	}
}

// looksTensor returns a row for each field: mean, deviation, shares of the variance.
func looksTensor(looks []Look) torchfile.Tensor {
	var rows []float64
	for _, l := range looks {
		rows = append(append(rows, l.Mean, l.Std), l.Shares...)
	}
	return doubleTensor(rows, int64(len(looks)), int64(len(rows)/len(looks)))
}

// filterKey is the key of the linear filters.
const filterKey = "linear_filter"

// filterTensor returns the weights (C, factor^2, field.LinearFeatures): of each field and
// sub-pixel.
func filterTensor(filters []*field.Linear) torchfile.Tensor {
	var rows []float64
	for _, f := range filters {
		rows = append(rows, f.Weights...)
	}
	return doubleTensor(rows, int64(len(filters)), int64(len(filters[0].Weights)/field.LinearFeatures), field.LinearFeatures)
}

func doubleTensor(values []float64, shape ...int64) torchfile.Tensor {
	var data []byte
	for _, v := range values {
		data = binary.LittleEndian.AppendUint64(data, math.Float64bits(v))
	}
	return torchfile.Tensor{DType: "float64", Shape: shape, Bytes: func() ([]byte, error) { return data, nil }}
}

// statsDict has the names of the channels that are normalized by their logarithm under
// log, if there are any.
func statsDict(s *field.Stats, channels []string) torchfile.Dict {
	d := torchfile.Dict{{Key: "mean", Value: statsTensor(s.Mean)}, {Key: "std", Value: statsTensor(s.Std)}}
	var logs []string
	for c, name := range channels {
		if s.IsLog(c) {
			logs = append(logs, name)
		}
	}
	if logs != nil {
		d = append(d, torchfile.Entry{Key: "log", Value: names(logs)})
	}
	return d
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
