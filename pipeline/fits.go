package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/store/atomicfile"
	"fmsr.example/fmsr/internal/store/infile"
	"fmsr.example/fmsr/internal/store/parts"
	"fmsr.example/fmsr/internal/store/seal"
)

// storedFit is a file of the folder fits: a fitter's result, sealed.
type storedFit struct {
	Key    string          `json:"key"`
	Result json.RawMessage `json:"result"`
}

// largestFit bounds the bytes that are read: a linear filter of many fields has less.
const largestFit = 1 << 28

// fitPath returns the file of a result, or nothing if the run has no cache folder.
func (r *runner) fitPath(key string) string {
	if r.env.Cache == "" {
		return ""
	}
	return filepath.Join(r.env.Cache, "fits", key+".json")
}

// readFit returns the result under a key, or nil if there is none. It notes a file that is
// damaged, which will be replaced.
func (r *runner) readFit(path, key string) json.RawMessage {
	if path == "" {
		return nil
	}
	data, err := infile.ReadAll(path, largestFit)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		if err = seal.Check(data); err != nil {
			err = fmt.Errorf("%s: %w", path, err)
		}
	}
	var fit storedFit
	if err == nil && (json.Unmarshal(data, &fit) != nil || fit.Key != key) {
		err = fmt.Errorf("%s: not the result of %s", path, key)
	}
	if err != nil {
		r.env.Progress.Note("computing statistics again: %v", err)
		return nil
	}
	return fit.Result
}

// writeFit stores the result of a fitter under a key; path may be empty.
func writeFit(path, key string, result json.RawMessage) error {
	if path == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	data, err := json.Marshal(storedFit{key, result})
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(path, seal.Object(data))
}

// encodeFit returns a result as JSON.
func encodeFit(result any) (json.RawMessage, error) {
	data, err := json.Marshal(result)
	if bad := (*json.UnsupportedValueError)(nil); errors.As(err, &bad) {
		err = fmt.Errorf("a result from the training frames is %s, not a finite number", bad.Str)
	}
	return data, err
}

// fitParts fits a stage part by part. The results of the parts are in the run's folder, so
// that runs which share the work find there what the others have done:
//
//	DIR/.parts/fits/KEY.seed_0003.json
//
// A run fits its own share first, and then what is still missing of the others' shares. So
// it never waits, and a share whose run never starts holds up nobody. Two runs may fit the
// same part at once; both get the same result. It returns whether the result is of a part
// of the frames only.
func (r *runner) fitParts(ctx context.Context, i int, f PartFitter, key string) (partial bool, err error) {
	picker := r.nodes[0].Stage.(Picker)
	defer picker.Pick(nil)
	seeds, chain := r.metas[0].Seeds, r.fitChain(i, f)
	results := make([]json.RawMessage, len(seeds))
	for _, at := range r.fitOrder(len(seeds)) {
		seed := seeds[at]
		if !f.FitsPart(seed, r.env.Shard.Has(at)) {
			partial = partial || f.FitsPart(seed, true)
			continue
		}
		partKey := key + "." + seed.Part().String()
		path := filepath.Join(r.env.Run.Dir, parts.Folder, "fits", partKey+".json")
		if results[at] = r.readFit(path, partKey); results[at] != nil {
			continue
		}
		picker.Pick(func(p frames.Part) bool { return p == seed.Part() })
		if err := r.fitPass(ctx, i, f, chain); err != nil {
			return partial, err
		}
		result, err := f.FittedPart()
		if err == nil {
			results[at], err = encodeFit(result)
		}
		if err == nil {
			err = writeFit(path, partKey, results[at])
		}
		if err != nil {
			return partial, &StageError{Stage: r.nodes[i].label, Err: err}
		}
	}
	results = slices.DeleteFunc(results, func(data json.RawMessage) bool { return data == nil })
	if err := f.JoinParts(results); err != nil {
		return partial, &StageError{Stage: r.nodes[i].label, Err: err}
	}
	return partial, nil
}

// fitOrder returns the order in which a run fits n parts: its own share first, then the
// others', each from its end, where its own run comes last.
func (r *runner) fitOrder(n int) (order []int) {
	s := r.env.Shard
	for d := range s.N {
		var share []int
		for at := (s.I - 1 + d) % s.N; at < n; at += s.N {
			share = append(share, at)
		}
		if d > 0 {
			slices.Reverse(share)
		}
		order = append(order, share...)
	}
	return order
}
