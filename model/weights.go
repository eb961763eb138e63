package model

import (
	"fmt"

	"fmsr/internal/format/torchfile"
)

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
