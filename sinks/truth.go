package sinks

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"fmsr.example/fmsr/internal/dataset"
	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/pipeline"
)

// TruthFiles are the keys of sinks that compare samples with the truth.
type TruthFiles struct {
	Truth   string   `yaml:"truth" flag:"truth" path:"file" doc:"the true fine fields to compare with: a file, a folder or a glob of npy or npz files, of AthenaK's run folders, or of folders of a file a field, named like the inputs; empty: nothing is compared"`
	Pattern string   `yaml:"pattern" flag:"pattern" doc:"the files below the folder truth, as npy_load.pattern names them: {field}_{frame}.npy; each simulation is named like an input"`
	Axes    string   `yaml:"axes" flag:"axes" doc:"order of an array's axes, as npy_load.axes; empty: FHWC"`
	Fields  []string `yaml:"fields" flag:"fields" doc:"names of the truth's channels, in order; empty: the model's channels"`
}

// Validate reports a pattern and axes that cannot be.
func (f TruthFiles) Validate(_ *pipeline.Run, report func(key, format string, args ...any)) {
	in := f.inputs(f.Fields)
	in.Check(report)
}

func (f TruthFiles) inputs(fields []string) dataset.Inputs {
	return dataset.Inputs{Path: f.Truth, Pattern: f.Pattern, Axes: f.Axes, Fields: fields}
}

// truth reads the true fields of input files, one file at a time.
type truth struct {
	files TruthFiles
	env   *pipeline.Env
	in    pipeline.Meta
	seeds []dataset.Seed // the truth of each input file
	pick  []int          // index in the truth of each channel of the model

	open *dataset.Arrays // the truth that is open
	of   int             // index of its input file
}

// find finds the truth of each input and checks its shape.
func (t *truth) find(files TruthFiles, env *pipeline.Env, in pipeline.Meta) error {
	t.files, t.env, t.in = files, env, in
	if len(in.Files) == 0 {
		return errors.New("there are no input files to compare: put files_load at the start")
	}
	if err := t.findChannels(); err != nil {
		return err
	}
	inputs := files.inputs(t.names())
	found, err := inputs.Find()
	if err != nil {
		return fmt.Errorf("truth %w", err)
	}
	only := len(in.Files) == 1 && slices.Equal(found, []string{filepath.Clean(files.Truth)}) // named itself
	for _, f := range in.Files {
		path := found[0]
		if !only {
			if path, err = truthOf(f.Path, found); err != nil {
				return fmt.Errorf("truth %s: %w", files.Truth, err)
			}
		}
		if err := t.check(&inputs, path, f); err != nil {
			return fmt.Errorf("truth %w", err)
		}
	}
	return nil
}

// truthOf returns the file among found that has the input's name: with its extension or,
// without such a file, with another one.
func truthOf(input string, found []string) (string, error) {
	for _, name := range []func(path string) string{filepath.Base, stem} {
		var same []string
		for _, path := range found {
			if name(path) == name(input) {
				same = append(same, path)
			}
		}
		switch len(same) {
		case 0:
		case 1:
			return same[0], nil
		default:
			return "", fmt.Errorf("%s could be compared with %s and with %s: want one file of its name", input, same[0], same[1])
		}
	}
	return "", fmt.Errorf("no file %s there to compare with %s", filepath.Base(input), input)
}

// identify returns the input files, with their truth's identity added to each one's, and
// what else its results depend on.
func (t *truth) identify(also func(file int) any) []pipeline.File {
	files := slices.Clone(t.in.Files)
	for i := range files {
		h := sha256.New()
		fmt.Fprintf(h, "%s %v ", files[i].Identity, also(i))
		t.seeds[i].Identify(h)
		files[i].Identity = hex.EncodeToString(h.Sum(nil))
	}
	return files
}

// paths returns the truth's files.
func (t *truth) paths() (paths []string) {
	for _, s := range t.seeds {
		paths = append(paths, s.Paths()...)
	}
	return paths
}

// findChannels finds the channels of the model in the truth.
func (t *truth) findChannels() error {
	for i, name := range t.in.Channels {
		if len(t.files.Fields) > 0 {
			if i = slices.Index(t.files.Fields, name); i < 0 {
				return fmt.Errorf("the truth has the fields %s, and the model %s: the truth lacks %s", strings.Join(t.files.Fields, ", "), strings.Join(t.in.Channels, ", "), name)
			}
		}
		t.pick = append(t.pick, i)
	}
	return nil
}

// names returns the fields of the truth's files.
func (t *truth) names() []string {
	if len(t.files.Fields) == 0 {
		return t.in.Channels
	}
	return t.files.Fields
}

// check checks the shape and the digits of a truth.
func (t *truth) check(inputs *dataset.Inputs, path string, input pipeline.File) error {
	names := t.names()
	found, err := inputs.Open(path)
	if err != nil {
		return err
	}
	seed := dataset.Seed{Files: found}
	a, err := seed.Open()
	if err != nil {
		return err
	}
	defer a.Close()
	want := []int{input.F, input.H * t.in.Factor, input.W * t.in.Factor, len(names)}
	if got := []int{a.F, a.H, a.W, a.C}; !slices.Equal(got, want) {
		return fmt.Errorf("%s: shape %v, want %v for %s", path, got, want, input.Path)
	}
	seed.Stamps = a.Stamps()
	t.seeds = append(t.seeds, seed)
	lossy, err := a.Lossy(names)
	if err != nil {
		return err
	}
	return lossy.Check(t.in.Channels)
}

// planes returns the true planes (C,H,W) of a frame.
func (t *truth) planes(origin frames.Origin, grid field.Grid) ([]float32, error) {
	if t.open == nil || t.of != origin.Seed {
		t.close()
		var err error
		if t.open, err = t.seeds[origin.Seed].Reopen(); err != nil {
			return nil, fmt.Errorf("truth %w", err)
		}
		t.of = origin.Seed
	}
	frame, err := t.open.Frame(t.env.Mem, t.open.Numbers()[origin.Frame])
	if err != nil {
		return nil, fmt.Errorf("truth %w", err)
	}
	defer frame.Release()
	cells := grid.Cells()
	planes := make([]float32, len(t.pick)*cells)
	for k, channel := range t.pick {
		field.Gather(planes[k*cells:(k+1)*cells], frames.Floats(frame), channel, t.open.C)
	}
	if err := grid.CheckFinite(t.in.Channels, planes); err != nil {
		return nil, fmt.Errorf("truth %s: frame %d: %w", t.seeds[origin.Seed].Path, t.open.Numbers()[origin.Frame], err)
	}
	return planes, nil
}

// close closes the truth that is open.
func (t *truth) close() {
	if t.open != nil {
		t.open.Close()
		t.open = nil
	}
}
