package pipeline

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"fmsr/internal/store/atomicfile"
	"fmsr/internal/store/infile"
	"fmsr/internal/store/seal"
)

// storedFit is a file of the folder fits: a fitter's result, sealed.
type storedFit struct {
	Key    string          `json:"key"`
	Result json.RawMessage `json:"result"`
}

// largestFit bounds the bytes that are read: a linear filter of many fields has less.
const largestFit = 1 << 28

func (r *runner) fitPath(key string) string {
	return filepath.Join(r.env.Cache, "fits", key+".json")
}

// readFit returns the result under a key, or nil if there is none. It notes a file that is
// damaged, which will be replaced.
func (r *runner) readFit(key string) json.RawMessage {
	if r.env.Cache == "" {
		return nil
	}
	path := r.fitPath(key)
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

// writeFit stores the result of a fitter under a key, if the run has a cache folder.
func (r *runner) writeFit(key string, result json.RawMessage) error {
	if r.env.Cache == "" {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(r.fitPath(key)), 0o777); err != nil {
		return err
	}
	data, err := json.Marshal(storedFit{key, result})
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(r.fitPath(key), seal.Object(data))
}
