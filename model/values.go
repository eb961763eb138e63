package model

import (
	"fmt"
	"math"
	"strings"

	"fmsr.example/fmsr/internal/format/torchfile"
)

// value reads a key of a checkpoint's dict, and reports whether it is there. A key of
// another kind is an error, never a missing one. A whole number or a tensor of one value
// is a number too.
func value[T string | bool | int | float64](l *Loaded, dict *torchfile.Map, owner, key string, into *T) (bool, error) {
	v := dict.Get(key)
	if v == nil {
		return false, nil
	}
	want, ok := "", false
	switch into := any(into).(type) {
	case *string:
		want = "text"
		*into, ok = v.(string)
	case *bool:
		want = "true or false"
		*into, ok = v.(bool)
	case *float64:
		want = "a number"
		*into, ok = l.number(v)
	case *int:
		want = "a whole number"
		var x float64
		x, ok = l.number(v)
		ok = ok && x == math.Trunc(x) && math.Abs(x) < 1<<53
		*into = int(x)
	}
	if !ok {
		return true, fmt.Errorf("%s%s is %s: want %s", owner, key, torchfile.What(v), want)
	}
	return true, nil
}

// number returns the value of a number, or of a tensor of one number.
func (l *Loaded) number(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case float64:
		return v, true
	case *torchfile.Stored:
		if numel(v.Shape) == 1 {
			values, err := l.file.Doubles(v)
			return append(values, 0)[0], err == nil
		}
	}
	return 0, false
}

// numbers returns the values of a tensor, a list or a tuple of numbers in a dict.
func (l *Loaded) numbers(dict *torchfile.Map, owner, key string) ([]float64, error) {
	v := dict.Get(key)
	if t, ok := v.(*torchfile.Stored); ok {
		values, err := l.file.Doubles(t)
		if err != nil {
			return nil, fmt.Errorf("%s.%s: %w", owner, key, err)
		}
		return values, nil
	}
	items, ok := torchfile.Items(v)
	if !ok {
		return nil, fmt.Errorf("%s.%s is %s: want a tensor or a list of numbers", owner, key, torchfile.What(v))
	}
	values := make([]float64, len(items))
	for i, item := range items {
		if values[i], ok = l.number(item); !ok {
			return nil, fmt.Errorf("%s.%s holds %s: want numbers", owner, key, torchfile.What(item))
		}
	}
	return values, nil
}

// dict returns the dict under a key, or nil if the key is missing.
func (l *Loaded) dict(key string) (*torchfile.Map, error) {
	v := l.file.Root.Get(key)
	dict, ok := v.(*torchfile.Map)
	if v != nil && !ok {
		return nil, fmt.Errorf("%s is %s: want a dict", key, torchfile.What(v))
	}
	return dict, nil
}

// unwrapped returns a state dict without the prefixes that PyTorch's wrappers put before
// every name (DataParallel, torch.compile), and without the counter of AveragedModel.
func unwrapped(state *torchfile.Map) *torchfile.Map {
	out := &torchfile.Map{}
	for i, key := range state.Keys {
		if key != "n_averaged" {
			out.Keys, out.Values = append(out.Keys, key), append(out.Values, state.Values[i])
		}
	}
	for _, prefix := range []string{"module.", "_orig_mod.", "module."} { // in either order
		if keys, all := withoutPrefix(out.Keys, prefix); all {
			out.Keys = keys
		}
	}
	return out
}

// withoutPrefix returns the keys without the prefix, if all have it.
func withoutPrefix(keys []any, prefix string) (cut []any, all bool) {
	for _, key := range keys {
		name, _ := key.(string)
		name, has := strings.CutPrefix(name, prefix)
		if !has {
			return nil, false
		}
		cut = append(cut, name)
	}
	return cut, true
}
