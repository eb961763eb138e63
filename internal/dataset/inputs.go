package dataset

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"fmsr.example/fmsr/internal/glob"
)

// Inputs are the files of stages that read files without seeds: those of a path, see
// FindFiles, or of the simulations below it that match a pattern, see Layout. Simulations
// count as a file each.
type Inputs struct {
	Path, Pattern string
	Axes          string   // of each array; empty: Axes
	Fields        []string // empty: those of the first input that names its own

	simulations map[string]Files // by their names; nil without a pattern
}

// Check reports a pattern and axes that cannot be, under the keys of these names.
func (in *Inputs) Check(report func(key, format string, args ...any)) {
	if in.Pattern != "" {
		if _, err := ParsePattern(in.Pattern, in.Fields); err != nil {
			report("pattern", "%v", err)
		}
	}
	if in.Axes != "" {
		if err := CheckAxes(in.Axes); err != nil {
			report("axes", "%v", err)
		}
	}
}

// Find returns the path of each input, in order. A simulation's is that of its only file, or
// of the folder that is named after it; outputs are named like these.
func (in *Inputs) Find() ([]string, error) {
	if in.Pattern == "" {
		return FindFiles(in.Path, in.Fields)
	}
	if err := in.nameFields(); err != nil {
		return nil, err
	}
	pattern, err := ParsePattern(in.Pattern, in.Fields)
	if err != nil {
		return nil, fmt.Errorf("pattern %w", err)
	}
	layout := Layout{Root: in.Path, Pattern: in.Pattern, Fields: in.Fields}
	found, err := layout.Find()
	if err != nil {
		return nil, err
	}
	var paths []string
	in.simulations = map[string]Files{}
	for _, seed := range slices.Sorted(maps.Keys(found)) {
		files := found[seed]
		if err := layout.CheckFields(seed, files); err != nil {
			return nil, err
		}
		name, err := pattern.simulation(in.Path, files)
		if err != nil {
			return nil, err
		}
		if files.Path == "" {
			files.Path = name // for messages
		}
		paths, in.simulations[name] = append(paths, name), files
	}
	return paths, nil
}

// nameFields takes the names that files have in place of {field}, if none are given.
func (in *Inputs) nameFields() error {
	if len(in.Fields) > 0 || !strings.Contains(in.Pattern, "{field}") {
		return nil
	}
	pattern, err := ParsePattern(in.Pattern, nil)
	if err != nil {
		return fmt.Errorf("pattern %w", err)
	}
	paths, err := glob.In(in.Path, pattern.glob)
	if err != nil {
		return err
	}
	for _, path := range paths {
		name, err := filepath.Rel(in.Path, path)
		if err != nil {
			return err
		}
		for i, text := range pattern.regexp.FindStringSubmatch(name) {
			if i > 0 && pattern.groups[i-1] == "{field}" && !slices.Contains(in.Fields, text) {
				in.Fields = append(in.Fields, text)
			}
		}
	}
	slices.SortFunc(in.Fields, func(a, b string) int { return cmp.Or(UsualOrder(a, b), strings.Compare(a, b)) })
	return CheckNames(in.Fields)
}

// Open returns the files of a path that Find has found, and notes the fields' names if they
// are not given and the files say them.
func (in *Inputs) Open(path string) (files Files, err error) {
	files, there := in.simulations[path]
	if !there {
		files, in.Fields, err = Input(path, in.Fields)
		files.Axes = in.Axes
		return files, err
	}
	files.Names = in.Fields
	if !strings.Contains(in.Pattern, "{field}") {
		var first Files // which tells the arrays' names
		if first, in.Fields, err = Input(files.Paths()[0], in.Fields); err != nil {
			return files, err
		}
		files.Form = first.Form
	}
	files.Axes, files.OneFrame = in.Axes, files.Snapshots == nil
	return files, nil
}

// simulation returns the path that names a simulation: of its folder, if the pattern names it
// in a folder's name, of its only file, or the root with the text in place of {seed} or {run}.
func (p *Pattern) simulation(root string, files Files) (string, error) {
	paths := files.Paths()
	first := paths[slices.IndexFunc(paths, func(path string) bool { return path != "" })]
	name, err := filepath.Rel(root, first)
	if err != nil {
		return "", err
	}
	names := func(text string) bool { return strings.Contains(text, "{seed}") || strings.Contains(text, "{run}") }
	texts, folders := strings.Split(p.text, "/"), strings.Split(name, "/")
	for i := len(texts) - 2; i >= 0; i-- {
		if names(texts[i]) {
			return filepath.Join(root, filepath.Join(folders[:i+1]...)), nil
		}
	}
	if !names(p.text) {
		return filepath.Clean(root), nil
	}
	if files.Fields == nil && files.Snapshots == nil {
		return first, nil
	}
	m := p.regexp.FindStringSubmatch(name) // which Find has matched
	return filepath.Join(root, m[1+slices.IndexFunc(p.groups, names)]), nil
}
