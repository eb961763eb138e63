package model

import (
	"context"
	"fmt"

	"fmsr/internal/torchfile"
)

// Verify reads a checkpoint whole, one tensor in memory at a time, and errs,
// naming the path and what is wrong, unless every record has its checksum, the
// network has all its tensors and no others, and all values are finite
// (ErrUnhealthy). PyTorch
// may have written it: then the five keys suffice. It says what the file is.
func Verify(ctx context.Context, path string) (string, error) {
	l, err := OpenCheckpoint(path)
	if err != nil {
		return "", err
	}
	defer l.Close()
	err = l.file.Verify(ctx, path)
	is := ""
	if err == nil {
		is, err = l.verify(ctx)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, err)
	}
	return is, nil
}

func (l *Loaded) verify(ctx context.Context) (string, error) {
	root := l.file.Root
	if _, ok := root.Get("step").(int64); !ok {
		return "", fmt.Errorf("step is %T: want a whole number", root.Get("step"))
	}
	type part struct {
		dict *torchfile.Map
		key  string
	}
	parts := []part{{root, "model_state_dict"}, {root, "ema_state_dict"}}
	is := "weights, without what a run needs to go on"
	if root.Get("resume") != nil || root.Get("optimizer_state") != nil {
		if _, err := l.resumption(); err != nil {
			return "", err
		}
		optimizer, ok := root.Get("optimizer_state").(*torchfile.Map)
		if !ok {
			return "", fmt.Errorf("optimizer_state is %T: want a dict", root.Get("optimizer_state"))
		}
		parts = append(parts, part{optimizer, "exp_avg"}, part{optimizer, "exp_avg_sq"})
		is = "all that a run needs to go on"
	}
	params := Parameters(l.Config)
	var unhealthy error
	for _, p := range parts {
		state, ok := p.dict.Get(p.key).(*torchfile.Map)
		if !ok {
			return "", fmt.Errorf("%s is %T: want a dict of tensors", p.key, p.dict.Get(p.key))
		}
		if err := l.check(params, p.key, state); err != nil {
			return "", err
		}
		for _, param := range params {
			if ctx.Err() != nil {
				return "", context.Cause(ctx)
			}
			values, err := l.file.Floats(state.Get(param.Name).(*torchfile.Stored))
			if err != nil {
				return "", err
			}
			if n := notFinite(values); n > 0 && unhealthy == nil {
				unhealthy = fmt.Errorf("whole, but unhealthy: %s: %s: %d of %d values are %w", p.key, param.Name, n, len(values), ErrUnhealthy)
			}
		}
	}
	n := 0
	for _, p := range params {
		n += numel(p.Shape)
	}
	return fmt.Sprintf("checkpoint of step %d, %d fields, %d parameters, %s", l.Step, len(l.Channels), n, is), unhealthy
}

func notFinite(values []float32) (n int) {
	for _, v := range values {
		if v-v != 0 { // NaN and infinities
			n++
		}
	}
	return n
}
