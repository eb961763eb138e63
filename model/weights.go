package model

import (
	"crypto/sha256"
	"fmt"

	"fmsr.example/fmsr/internal/format/torchfile"
	"fmsr.example/fmsr/internal/frames"
)

// The keys of a checkpoint's weights: of the last step, and their moving average.
const (
	rawKey = "model_state_dict"
	emaKey = "ema_state_dict"
)

// StateKey returns the checkpoint's key for the kind of weights, ema or raw. In a
// checkpoint without an average, ema gives the key of the raw weights, and a notice that
// says so.
func (l *Loaded) StateKey(kind string) (key, notice string) {
	switch {
	case kind == "raw":
		return rawKey, ""
	case l.Averaged:
		return emaKey, ""
	default:
		return rawKey, fmt.Sprintf("%s has no average of the weights (%s): taking the raw weights of the last step", l.path, emaKey)
	}
}

// Weight is one tensor of a checkpoint's state dict, not yet read.
type Weight struct {
	Name  string
	Shape []int64
	Read  func() ([]float32, error) // row-major
}

// Weights returns the tensors under model_state_dict or ema_state_dict, in the file's order.
func (l *Loaded) Weights(key string) ([]Weight, error) {
	state, err := l.state(key)
	if err != nil {
		return nil, err
	}
	var weights []Weight
	for i, k := range state.Keys {
		name, isText := k.(string)
		t, isTensor := state.Values[i].(*torchfile.Stored)
		if !isText || !isTensor {
			return nil, fmt.Errorf("%s holds %s under %s: want tensors under names", key, torchfile.What(state.Values[i]), torchfile.What(k))
		}
		weights = append(weights, Weight{Name: name, Shape: t.Shape, Read: func() ([]float32, error) {
			values, err := l.file.Floats(t)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", l.path, err)
			}
			return values, nil
		}})
	}
	return weights, nil
}

// Digest returns the digest of the weights under key, in the file's order.
func (l *Loaded) Digest(key string) (string, error) {
	weights, err := l.Weights(key)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	for _, w := range weights {
		values, err := w.Read()
		if err != nil {
			return "", err
		}
		fmt.Fprintln(sum, w.Name, w.Shape)
		sum.Write(frames.Bytes(values))
	}
	return fmt.Sprintf("%.8x", sum.Sum(nil)), nil
}
