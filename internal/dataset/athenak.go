package dataset

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"fmsr.example/fmsr/internal/format/athenak"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/glob"
)

// Runs is the place of AthenaK's run folders: a seed each. The first field that is set
// decides:
//
//	Folders   the folders themselves, as seeds 0, 1, ...
//	Root      Root itself, as seed 0, if it is a run's folder; or the folders below it that
//	          match Pattern, whose {seed} is the seed
//
// A run's folder holds bin/*.bin, and bin/rank_*/*.bin of runs with a file a rank, or the
// same without bin.
type Runs struct {
	Root, Pattern string
	Folders       []string
}

// View is what is read of AthenaK's files.
type View struct {
	Variables []string // AthenaK's name of each field
	Outputs   []string // ids of the files, as mhd_w_bcc; nil: those that have one of the variables
	Slice     athenak.Slice
}

// AthenaNames are the names that fields have in place of AthenaK's, as VARIABLE=NAME.
var AthenaNames = []string{"dens=density", "bcc1=Bx", "bcc2=By", "bcc3=Bz"}

// Variables returns AthenaK's name of each field, where rename lists other names.
func Variables(fields, rename []string) (variables []string) {
	for _, field := range fields {
		for _, text := range rename {
			if from, to, _ := strings.Cut(text, "="); to == field {
				field = from
				break
			}
		}
		variables = append(variables, field)
	}
	return variables
}

// runFields returns the names of all variables in a run's outputs, in their usual order.
func runFields(folder string) (fields []string, err error) {
	outputs, err := outputsOf(folder)
	if err != nil {
		return nil, err
	}
	for _, id := range slices.Sorted(maps.Keys(outputs)) {
		names, err := outputs[id].variables()
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			for _, text := range AthenaNames {
				if from, to, _ := strings.Cut(text, "="); from == name {
					name = to
				}
			}
			fields = append(fields, name)
		}
	}
	slices.SortStableFunc(fields, UsualOrder)
	return fields, CheckNames(fields)
}

// String names the place, for messages.
func (r Runs) String() string {
	if len(r.Folders) > 0 {
		return "runs"
	}
	return filepath.Join(r.Root, r.Pattern)
}

// Find returns the folder of each seed that is there.
func (r Runs) Find() (map[int]string, error) {
	found := map[int]string{}
	if len(r.Folders) > 0 {
		for i, folder := range r.Folders {
			found[i] = folder
		}
		return found, nil
	}
	if r.Root == "" { // checked here, because a spec may leave root to the flag
		return nil, fmt.Errorf("root is not set: give AthenaK's run folder, or the folder that holds %s, by --data-root", r.Pattern)
	}
	layout := Layout{Root: r.Root, Pattern: r.Pattern}
	if err := layout.checkRoot(); err != nil {
		return nil, err
	}
	if IsRun(r.Root) {
		return map[int]string{0: r.Root}, nil
	}
	p, err := ParseFolder(r.Pattern)
	if err != nil {
		return nil, fmt.Errorf("pattern %w", err)
	}
	paths, err := glob.In(r.Root, p.glob)
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		name, err := filepath.Rel(r.Root, path)
		if err != nil {
			return nil, err
		}
		at, ok := p.Match(name)
		if !ok || !IsRun(path) {
			continue
		}
		if other, ok := found[at.Seed]; ok {
			return nil, fmt.Errorf("pattern %s: both %s and %s are seed %d", r.Pattern, other, path, at.Seed)
		}
		found[at.Seed] = path
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("root %s has no run of AthenaK (bin/*.bin) in a folder of the pattern %s: it holds %s", r.Root, r.Pattern, listFolder(r.Root))
	}
	return found, nil
}

// IsRun reports whether a folder holds AthenaK's .bin files as a run leaves them. A folder
// that cannot be read counts as one, so that reading it says why.
func IsRun(folder string) bool {
	names, err := binFiles(folder)
	return len(names) > 0 || errors.Is(err, fs.ErrPermission)
}

// binFiles returns the .bin files of a run.
func binFiles(folder string) (paths []string, err error) {
	if info, err := os.Stat(filepath.Join(folder, "bin")); err == nil && info.IsDir() {
		folder = filepath.Join(folder, "bin")
	}
	for _, pattern := range []string{"*.bin", "rank_*/*.bin"} {
		more, err := glob.In(folder, pattern)
		if err != nil {
			return nil, err
		}
		paths = append(paths, more...)
	}
	return paths, nil
}

// binName is BASENAME.ID.NUMBER.bin.
var binName = regexp.MustCompile(`^(.+)\.([^.]+)\.(\d+)\.bin$`)

// output is the files of one id: those of each frame.
type output map[int][]string

// outputsOf returns the outputs in a run's folder, by id.
func outputsOf(folder string) (map[string]output, error) {
	paths, err := binFiles(folder)
	if err != nil {
		return nil, err
	}
	all, bases := map[string]output{}, map[string]string{}
	for _, path := range paths {
		m := binName.FindStringSubmatch(filepath.Base(path))
		if m == nil {
			continue
		}
		number, err := strconv.ParseInt(m[3], 10, 32)
		if err != nil {
			return nil, fmt.Errorf("%s: the number of its frame: %w", path, err)
		}
		if all[m[2]] == nil {
			all[m[2]] = output{}
		}
		bases[m[1]] = path
		all[m[2]][int(number)] = append(all[m[2]][int(number)], path)
	}
	if len(bases) > 1 {
		two := slices.Sorted(maps.Values(bases))
		return nil, fmt.Errorf("%s holds the files of several runs, as %s and %s: give each run its own folder", folder, two[0], two[1])
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s: no file bin/NAME.ID.NUMBER.bin there, as AthenaK writes them: it holds %s", folder, listFolder(folder))
	}
	return all, nil
}

// RunFiles returns the files of a run's frames: of the wanted numbers, or of all if there
// are none.
func RunFiles(folder string, v View, wanted []int) (Files, error) {
	outputs, err := outputsOf(folder)
	if err != nil {
		return Files{}, err
	}
	ids, err := v.ids(folder, outputs)
	if err != nil {
		return Files{}, err
	}
	numbers := map[int]bool{}
	for _, id := range ids {
		for number := range outputs[id] {
			numbers[number] = len(wanted) == 0 || slices.Contains(wanted, number)
		}
	}
	f := Files{Path: folder, Snapshots: map[int]Files{}, View: &v}
	for number, chosen := range numbers {
		if !chosen {
			continue
		}
		var paths []string
		for _, id := range ids {
			more := outputs[id][number]
			if more == nil {
				return f, fmt.Errorf("%s: frame %d has no file of %s, but one of the other outputs (%s): list the frames to read in frames", folder, number, id, strings.Join(ids, ", "))
			}
			paths = append(paths, more...)
		}
		f.Snapshots[number] = Files{Path: folder, Joined: paths}
	}
	if len(f.Snapshots) == 0 {
		return f, fmt.Errorf("%s: none of the frames %v is there", folder, wanted)
	}
	return f, nil
}

// ids returns the outputs that have variables of the view, sorted. It reads the header of
// one file of each.
func (v View) ids(folder string, outputs map[string]output) (ids []string, err error) {
	for _, id := range v.Outputs {
		if outputs[id] == nil {
			return nil, fmt.Errorf("%s: no files of the output %s: it has %s", folder, id, strings.Join(slices.Sorted(maps.Keys(outputs)), ", "))
		}
	}
	var there []string
	for _, id := range slices.Sorted(maps.Keys(outputs)) {
		if len(v.Outputs) > 0 && !slices.Contains(v.Outputs, id) {
			continue
		}
		names, err := outputs[id].variables()
		if err != nil {
			return nil, err
		}
		there = append(there, names...)
		if slices.ContainsFunc(names, func(name string) bool { return slices.Contains(v.Variables, name) }) {
			ids = append(ids, id)
		}
	}
	for _, name := range v.Variables {
		if !slices.Contains(there, name) {
			return nil, fmt.Errorf("%s: no output has the variable %s: its files have %s (name those to read in fields and rename)", folder, name, strings.Join(there, ", "))
		}
	}
	return ids, nil
}

// variables returns those of an output's first file.
func (o output) variables() ([]string, error) {
	first := slices.Min(slices.Collect(maps.Keys(o)))
	f, err := athenak.Open(o[first][0])
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Variables, nil
}

// join opens AthenaK's files of one frame.
func (a *Arrays) join(f Files) error {
	var err error
	if a.joined, err = athenak.Join(f.Joined, f.View.Slice); err != nil {
		return err
	}
	if err := a.joined.Check(f.View.Variables); err != nil {
		return err
	}
	for _, file := range a.joined.Files {
		a.seen = append(a.seen, seen{file.Path, file.Stamp()})
	}
	a.of, a.F, a.H, a.W, a.C = f, 1, a.joined.H, a.joined.W, len(f.View.Variables)
	a.Domain, a.moments = a.joined.Grid.Domain(), []frames.Moment{a.joined.Moment}
	a.plane = make([]float32, a.H*a.W)
	return nil
}
