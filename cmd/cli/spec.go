package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"fmsr.example/fmsr/internal/glob"
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
		return nil, &pipeline.InputError{Err: fmt.Errorf("spec %s: %w%s; shipped are %s", path, atomicfile.Cause(err), meantSpec(path), strings.Join(shippedNames(), ", "))}
	}
	spec, err := pipeline.Parse(path, src, overrides)
	if err != nil {
		return nil, &pipeline.InputError{Err: err}
	}
	return spec, nil
}

// meantSpec suggests a shipped spec, or one beside the missing one, to put behind a message.
func meantSpec(path string) string {
	bare := func(path string) string { return strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)) }
	there, _ := glob.In(filepath.Dir(path), "*.y*ml") // none, if the folder is missing
	names := map[string]string{}
	for _, name := range append(shippedNames(), there...) {
		names[bare(name)] = name
	}
	if meant := pipeline.Nearest(bare(path), slices.Sorted(maps.Keys(names))); meant != "" {
		return fmt.Sprintf(" (did you mean %q?)", names[meant])
	}
	return ""
}

func shippedNames() (names []string) {
	entries, err := specs.FS.ReadDir(".")
	if err != nil {
		return nil
	}
	for _, e := range entries {
		names = append(names, "specs/"+e.Name())
	}
	return names
}
