package model

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"fmsr.example/fmsr/internal/format/torchfile"
)

// Verify reads a whole checkpoint, one tensor in memory at a time, and returns a
// description of it. It returns an error that names the path unless every record
// matches its checksum, the network has all its tensors and no others, and all values
// are finite (ErrUnhealthy). If PyTorch wrote the file, the five keys are enough.
func Verify(ctx context.Context, path string) (string, error) {
	path = CheckpointIn(path)
	l, err := OpenCheckpoint(path)
	if err != nil {
		return "", err
	}
	defer l.Close()
	err = l.file.Verify(ctx)
	is := ""
	if err == nil {
		is, err = l.verify(ctx)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return is, nil
}

// CheckSums reads the whole file, and returns an error unless every record matches its
// checksum.
func (l *Loaded) CheckSums(ctx context.Context) error {
	if err := l.file.CheckSums(ctx); err != nil {
		return fmt.Errorf("%s: %w", l.path, err)
	}
	return nil
}

func (l *Loaded) verify(ctx context.Context) (string, error) {
	root := l.file.Root
	if root.Get("step") == nil {
		return "", errors.New("step is missing: want a whole number")
	}
	params := l.Plan.Params()
	var states []*torchfile.Map // under trainingKeys
	is := "weights, without what a run needs to resume"
	if root.Get("resume") != nil || root.Get("optimizer_state") != nil {
		if _, err := l.resumption(); err != nil {
			return "", err
		}
		all, err := l.training(l.Config)
		if err != nil {
			return "", err
		}
		states, is = all[:], "all that a run needs to resume"
	} else {
		for _, key := range trainingKeys[:2] {
			if key == emaKey && !l.Averaged {
				continue
			}
			state, err := l.state(key)
			if err == nil {
				err = l.check(params, key, state)
			}
			if err != nil {
				return "", err
			}
			states = append(states, state)
		}
	}
	var unhealthy error
	for k, state := range states {
		if state == nil {
			continue
		}
		for _, param := range params {
			if ctx.Err() != nil {
				return "", context.Cause(ctx)
			}
			values, err := l.file.Floats(state.Get(param.Name).(*torchfile.Stored))
			if err != nil {
				return "", fmt.Errorf("%s: %s: %w", trainingKeys[k], param.Name, err)
			}
			if i := slices.IndexFunc(values, notFinite); i >= 0 && unhealthy == nil {
				unhealthy = fmt.Errorf("whole, but unhealthy: %s: %s holds %g: %w", trainingKeys[k], param.Name, values[i], ErrUnhealthy)
			}
		}
	}
	average := ""
	if !l.Averaged {
		average = ", no average of the weights"
	}
	return fmt.Sprintf("checkpoint of step %d, %d fields, %d parameters%s, %s", l.Step, len(l.Channels), Count(l.Plan), average, is), unhealthy
}
