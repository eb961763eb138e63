package guess

import (
	"context"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"fmsr.example/fmsr/internal/dataset"
	"fmsr.example/fmsr/internal/words"
)

// runs lays out AthenaK's run folders: dir itself, or folders below it.
func runs(ctx context.Context, dir string) (*Set, error) {
	s := &Set{Dir: dir, Named: true, DType: "AthenaK's floats"}
	folders, err := runFolders(ctx, dir, "", 0)
	if err != nil {
		return nil, err
	}
	s.Runs = runsIn(dir, folders)
	found, err := s.Runs.Find()
	if err != nil {
		return nil, err
	}
	run := dataset.Run{}
	for _, number := range slices.Sorted(maps.Keys(found)) {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		files, fields, err := dataset.Input(found[number], s.Form.Names)
		if err != nil {
			return nil, err
		}
		if s.Form.Names == nil {
			s.Form.Names, run.Fields = fields, fields
			if err := s.domain(files, &run); err != nil {
				return nil, err
			}
		}
		numbers, err := run.Measure(&dataset.Seed{Files: files})
		if err != nil {
			return nil, err
		}
		for _, path := range files.Paths() {
			if info, err := os.Stat(path); err == nil {
				s.Bytes += info.Size()
			}
		}
		s.Seeds = append(s.Seeds, Seed{Seed: number, Frames: numbers, Path: found[number], Files: files})
	}
	s.H, s.W = run.H, run.W
	return s, nil
}

// domain takes the domain that the first seed's files say.
func (s *Set) domain(files dataset.Files, run *dataset.Run) error {
	a, err := files.Open()
	if err != nil {
		return err
	}
	defer a.Close()
	if s.Domain = a.Domain; a.Domain != nil {
		run.Box, run.Boundary = a.Domain.Box, a.Domain.Boundary
	}
	return nil
}

// runFolders returns the folders below root that hold a run, root itself as "".
func runFolders(ctx context.Context, root, below string, depth int) ([]string, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	dir := filepath.Join(root, below)
	if dataset.IsRun(dir) {
		return []string{below}, nil
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, e := range entries {
		path := filepath.Join(below, e.Name())
		info, err := os.Stat(filepath.Join(root, path))
		if err != nil || !info.IsDir() || strings.HasPrefix(e.Name(), ".") || depth == deepest {
			continue
		}
		more, err := runFolders(ctx, root, path, depth+1)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	return all, nil
}

// runsIn says which folders are runs: by a pattern, if a number tells them apart.
func runsIn(dir string, folders []string) *dataset.Runs {
	if slices.Contains(folders, "") {
		return &dataset.Runs{Root: dir}
	}
	if n, ok := name(folders); ok && n.fields == nil && len(n.free) == 1 {
		if pattern, ok := n.pattern(map[int]string{n.free[0]: "{seed}"}); ok {
			return &dataset.Runs{Root: dir, Pattern: pattern}
		}
	}
	slices.SortFunc(folders, natural)
	r := &dataset.Runs{}
	for _, folder := range folders {
		r.Folders = append(r.Folders, filepath.Join(dir, folder))
	}
	return r
}

// Where describes the layout, for messages: its pattern, or how many files are listed.
func (s *Set) Where() string {
	switch {
	case s.Runs != nil && s.Runs.Pattern != "":
		return "AthenaK's runs " + s.Runs.Pattern
	case s.Runs != nil && s.Runs.Root != "":
		return "a run of AthenaK"
	case s.Runs != nil:
		return words.Count(len(s.Runs.Folders), "run folder") + " of AthenaK"
	case s.Layout.Pattern != "":
		return "files " + s.Layout.Pattern
	}
	return words.Count(len(s.Layout.Files), "file")
}
