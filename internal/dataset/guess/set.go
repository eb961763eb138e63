package guess

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"fmsr.example/fmsr/internal/dataset"
	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/words"
)

// Set is the frames that were found in a folder, and how npy_load or athena_load reads them.
type Set struct {
	Dir    string
	Layout dataset.Layout // Root is Dir, or Files are below it
	Runs   *dataset.Runs  // instead of Layout: AthenaK's runs
	Domain *field.Domain  // what the files say of it; nil: nothing
	Form   dataset.Form   // Names are the fields
	Named  bool           // whether the names are those of files or arrays; else they are field0, field1, ...
	H, W   int
	DType  string               // of the first array, as numpy names it
	Bytes  int64                // of all files
	Seeds  []Seed               // ascending
	Splits map[int]frames.Split // of the seeds, where folders say them; nil: they do not
	Notes  []string
}

// Seed is one simulation of a set.
type Seed struct {
	Seed   int
	Frames []int // their numbers
	Path   string
	Files  dataset.Files
}

// Frames counts the frames of all seeds.
func (s *Set) Frames() int {
	n := 0
	for _, seed := range s.Seeds {
		n += len(seed.Frames)
	}
	return n
}

// Arrays says what an array holds: "float64 (frames, H, W), one for each field".
func (s *Set) Arrays() string {
	axes, each := cmp.Or(s.Form.Axes, dataset.Axes), []string{}
	if s.Named {
		axes, each = strings.Replace(axes, "C", "", 1), append(each, "field")
	}
	if s.Seeds[0].Files.Snapshots != nil {
		axes, each = strings.Replace(axes, "F", "", 1), append(each, "frame")
	}
	names := map[rune]string{'F': "frames", 'H': "H", 'W': "W", 'C': "fields"}
	var texts []string
	for _, axis := range axes {
		texts = append(texts, names[axis])
	}
	text := fmt.Sprintf("%s (%s)", typeName(s.DType), strings.Join(texts, ", "))
	if len(each) > 0 {
		text += ", one for each " + strings.Join(each, " and ")
	}
	return text
}

// typeName returns the name of a type that numpy's letters stand for: "<f8" is float64.
func typeName(dtype string) string {
	for letters, name := range map[string]string{"f2": "float16", "f4": "float32", "f8": "float64"} {
		switch dtype {
		case "<" + letters:
			return name
		case ">" + letters:
			return "big-endian " + name
		}
	}
	return dtype
}

// ErrNone is the error of a folder without array files.
var ErrNone = errors.New("no npy, npz or HDF5 file there, and no run of AthenaK")

// Look finds out how the frames below dir are laid out; dir may be one file. It returns an
// error that says why, if npy_load cannot read them.
func Look(ctx context.Context, dir string) (*Set, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, err
	}
	f, only := &found{}, ""
	if !info.IsDir() {
		dir, only = filepath.Dir(dir), filepath.Base(dir)
		f.files = []file{{path: only, bytes: info.Size()}}
	}
	if only != "" {
		err = f.files[0].header(dir)
	} else {
		f, err = collect(ctx, dir)
	}
	if err != nil {
		return nil, err
	}
	if len(f.files) == 0 && f.others[".bin"] > 0 {
		return runs(ctx, dir)
	}
	if len(f.files) == 0 {
		return nil, f.none(dir)
	}
	chosen, notes := largest(f.files)
	if n := len(f.unread); n > 0 {
		notes = append(notes, fmt.Sprintf("left out: %s that cannot be read: %s", words.Count(n, "file"), f.unread[0]))
	}
	return lay(ctx, dir, chosen, notes)
}

// none says what is in a folder without frames.
func (f *found) none(dir string) error {
	switch kinds := f.kinds(); {
	case len(f.unread) > 0:
		return fmt.Errorf("%s: no array with frames in %s: %s", dir, words.Count(len(f.unread), "file"), f.unread[0])
	case kinds != "":
		return fmt.Errorf("%s: %w: it has %s", dir, ErrNone, kinds)
	}
	return fmt.Errorf("%s: %w", dir, ErrNone)
}

// largest returns the files of one shape that hold most bytes, and notes on the others.
func largest(files []file) (chosen []file, notes []string) {
	var groups [][]file
	for _, f := range files {
		at := slices.IndexFunc(groups, func(g []file) bool {
			return same(g[0].shape, f.shape) && slices.Equal(g[0].members, f.members) && filepath.Ext(g[0].path) == filepath.Ext(f.path)
		})
		if at < 0 {
			groups = append(groups, nil)
			at = len(groups) - 1
		}
		groups[at] = append(groups[at], f)
	}
	size := func(g []file) (n int64) {
		for _, f := range g {
			n += f.bytes
		}
		return n
	}
	slices.SortStableFunc(groups, func(a, b []file) int { return int(min(max(size(b)-size(a), -1), 1)) })
	for _, g := range groups[1:] {
		notes = append(notes, fmt.Sprintf("left out: %s of another shape, as %s with %v", words.Count(len(g), "file"), g[0].path, g[0].shape))
	}
	return groups[0], notes
}

// lay finds a layout for the files, and opens it as npy_load would.
func lay(ctx context.Context, dir string, files []file, notes []string) (*Set, error) {
	slices.SortFunc(files, func(a, b file) int { return natural(a.path, b.path) })
	s := &Set{Dir: dir, DType: files[0].dtype, Notes: notes}
	paths := make([]string, len(files))
	for i, f := range files {
		s.Bytes += f.bytes
		paths[i] = f.path
	}
	if files[0].trajectories > 0 {
		return s, s.byTrajectory(ctx, files)
	}
	reason := s.byPattern(ctx, files, paths)
	if reason == nil {
		return s, nil
	}
	if ctx.Err() != nil || errors.Is(reason, errIncomplete) {
		return nil, reason
	}
	if err := s.byList(ctx, files[0], paths); err != nil {
		return nil, reason
	}
	if len(files) > 1 {
		s.Notes = append(s.Notes, fmt.Sprintf("each file is taken to be a simulation of its own, numbered in the order of names: %v", reason))
	}
	return s, nil
}

var errIncomplete = errors.New("a field is missing")

// byPattern lays the files out by a pattern.
func (s *Set) byPattern(ctx context.Context, files []file, paths []string) error {
	first := files[0]
	n, because, ok := nameWords(paths)
	if n.lack != "" {
		return fmt.Errorf("%w: %s", errIncomplete, n.lack)
	}
	if !ok {
		return fmt.Errorf("the names of files have nothing in common that could be numbers of simulations and frames, or names of fields: %s", some(paths))
	}
	r, ok := read(first.shape, n.fields != nil || first.byField(), len(n.free) > 0)
	if !ok {
		return fmt.Errorf("%s has the shape %v: want frames, H, W and fields", first.path, first.shape)
	}
	r.frames = r.frames || r.single(files) && !n.ofSeeds()
	role, ok := n.roles(r.frames)
	if !ok {
		return n.noRoles(r.frames)
	}
	pattern, ok := n.pattern(role)
	if !ok {
		return fmt.Errorf("names of files have { } * or ?, which a pattern cannot have: %s", some(paths))
	}
	s.Layout = dataset.Layout{Root: s.Dir, Pattern: pattern}
	if err := s.open(ctx, first, r, n.fields); err != nil {
		return err
	}
	s.Notes = append(s.Notes, because...)
	return nil
}

// noRoles says why the numbers in the names cannot be those of simulations and frames.
func (n *naming) noRoles(frames bool) error {
	if len(n.free) == 0 {
		return errors.New("the name of the file has no number that varies")
	}
	var texts []string
	for _, i := range n.free {
		texts = append(texts, strconv.Quote(n.before[i]+n.paths[0].numbers[i]))
	}
	what := "one, of the simulation, since each file has many frames"
	if frames {
		what = "at most two, of the simulation and of the frame"
	}
	return fmt.Errorf("%d numbers vary in the names of files (%s): want %s", len(n.free), strings.Join(texts, ", "), what)
}

// byList takes each file for a simulation.
func (s *Set) byList(ctx context.Context, first file, paths []string) error {
	r, ok := read(first.shape, first.byField(), false)
	if !ok || r.frames && len(paths) > 1 {
		return fmt.Errorf("%s: each file holds one frame", some(paths))
	}
	s.Layout = dataset.Layout{}
	for _, path := range paths {
		s.Layout.Files = append(s.Layout.Files, filepath.Join(s.Dir, path))
	}
	return s.open(ctx, first, r, nil)
}

// open opens every seed, as npy_load does.
func (s *Set) open(ctx context.Context, first file, r reading, fields []string) error {
	s.name(first, r, fields)
	if err := dataset.CheckNames(s.Form.Names); err != nil {
		return err
	}
	s.Layout.Fields = s.Form.Names
	found, err := s.Layout.Find()
	if err != nil {
		return err
	}
	s.Seeds = nil
	run := dataset.Run{Fields: s.Form.Names}
	for _, number := range slices.Sorted(maps.Keys(found)) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		files := found[number]
		if r.frames && files.Snapshots == nil { // the only frame
			files = dataset.Files{Snapshots: map[int]dataset.Files{0: files}}
		}
		files.Form = s.Form
		if err := s.Layout.CheckFields(number, files); err != nil {
			return err
		}
		if len(s.Seeds) == 0 {
			if err := s.domain(files, &run); err != nil {
				return err
			}
		}
		numbers, err := run.Measure(&dataset.Seed{Files: files})
		if err != nil {
			return err
		}
		s.Seeds = append(s.Seeds, Seed{Seed: number, Frames: numbers, Path: files.Paths()[0], Files: files})
	}
	s.H, s.W = run.H, run.W
	if r.because != "" {
		s.Notes = append(s.Notes, r.because)
	}
	return nil
}

// name sets the form of the arrays, with the fields' names.
func (s *Set) name(first file, r reading, fields []string) {
	s.Form, s.Named = dataset.Form{Axes: r.axes}, true
	switch {
	case fields != nil:
		s.Form.Names = fields
	case first.byField():
		s.Form.Names = slices.Clone(first.members)
	default:
		s.Named = false
		for i := range r.fields {
			s.Form.Names = append(s.Form.Names, fmt.Sprintf("field%d", i))
		}
		if len(first.members) == 1 {
			s.Form.Array = first.members[0]
		}
	}
}

// some names the first of paths.
func some(paths []string) string {
	if len(paths) > 3 {
		return strings.Join(paths[:3], ", ") + ", ..."
	}
	return strings.Join(paths, ", ")
}

// natural compares paths by their texts and, where these are the same, by the numbers in
// them: snap_9 is before snap_10.
func natural(a, b string) int {
	x, y := apart(a), apart(b)
	if d := strings.Compare(x.form, y.form); d != 0 {
		return d
	}
	for i := range x.numbers {
		m, n := strings.TrimLeft(x.numbers[i], "0"), strings.TrimLeft(y.numbers[i], "0")
		if d := len(m) - len(n); d != 0 {
			return d
		}
		if d := strings.Compare(m, n); d != 0 {
			return d
		}
	}
	return strings.Compare(a, b)
}
