package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"fmsr.example/fmsr/internal/store/atomicfile"
	"fmsr.example/fmsr/internal/store/infile"
	"fmsr.example/fmsr/pipeline"
	"fmsr.example/fmsr/specs"
)

// largestSpec bounds the bytes of a spec that are read.
const largestSpec = 16 << 20

// loadSpec parses a spec file, or the shipped spec of that name if there is no such
// file. Errors are InputErrors.
func loadSpec(path string, overrides []pipeline.Override) (*pipeline.Spec, error) {
	src, err := infile.ReadStream(path, largestSpec)
	if errors.Is(err, fs.ErrNotExist) {
		if shipped, shippedErr := specs.FS.ReadFile(filepath.Base(path)); shippedErr == nil && (filepath.Dir(path) == "specs" || filepath.Dir(path) == ".") {
			src, err = shipped, nil
		}
	}
	if err != nil {
		return nil, &pipeline.InputError{Err: fmt.Errorf("spec %s: %w; shipped are %s", path, atomicfile.Cause(err), shippedNames())}
	}
	spec, err := pipeline.Parse(path, src, overrides)
	if err != nil {
		return nil, &pipeline.InputError{Err: err}
	}
	return spec, nil
}

func shippedNames() string {
	entries, err := specs.FS.ReadDir(".")
	if err != nil {
		return ""
	}
	var names []string
	for _, e := range entries {
		names = append(names, "specs/"+e.Name())
	}
	return strings.Join(names, ", ")
}
