package dataset

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"fmsr.example/fmsr/internal/format/hdf5"
	"fmsr.example/fmsr/internal/glob"
)

// Layout is the place of the files of seeds. The first field that is set decides:
//
//	Files     the files themselves, as seeds 0, 1, ...
//	Pattern   files below Root, see Pattern
//	Set       ROOT/SET/seed_NNNN/npy/*.npy or *.npz, one in each folder
type Layout struct {
	Root, Set, Pattern string
	Files              []string
	Fields             []string // names that {field} in Pattern stands for
}

// Files are the files that hold one seed's frames: one file (F,H,W,C), one file (F,H,W) for
// each field, or such files for each frame. AthenaK's are those of a frame, which are joined.
type Files struct {
	Path       string
	Fields     []string      // a path for each field, in the fields' order; nil if Path holds them all
	Snapshots  map[int]Files // the files of each frame, by its number; nil if the files hold them all
	Joined     []string      // AthenaK's files of a frame; nil: these are npy or npz files
	View       *View         // what is read of AthenaK's files
	Trajectory int           // of an HDF5 file, from 1 on; 0: its only one
	OneFrame   bool          // Path may be one frame (H,W,C) of few channels
	Form
}

// Form is how arrays are stored in files.
type Form struct {
	Array string   // the array's name in an npz file; empty: its only one, or an array for each of Names
	Axes  string   // the order of the axes of each array, as letters; empty: Axes
	Names []string // of the fields
}

// Paths returns every file, in the order of the frames and of the fields.
func (f Files) Paths() (paths []string) {
	switch {
	case f.Snapshots != nil:
		for _, number := range f.numbers() {
			paths = append(paths, f.Snapshots[number].Paths()...)
		}
		return paths
	case f.Joined != nil:
		return f.Joined
	case f.Fields != nil:
		return f.Fields
	}
	return []string{f.Path}
}

// numbers returns the numbers of the frames that have files of their own.
func (f Files) numbers() []int { return slices.Sorted(maps.Keys(f.Snapshots)) }

// put notes a file. It returns the file that was there already, if there is one.
func (f *Files) put(path string, at Place, fields int) (other string) {
	if at.Frame >= 0 {
		if f.Snapshots == nil {
			f.Snapshots = map[int]Files{}
		}
		one := f.Snapshots[at.Frame]
		other = one.put(path, Place{Frame: -1, Field: at.Field}, fields)
		f.Snapshots[at.Frame] = one
		return other
	}
	into := &f.Path
	if at.Field >= 0 {
		if f.Fields == nil {
			f.Fields = make([]string, fields)
		}
		into = &f.Fields[at.Field]
	}
	other, *into = *into, path
	return other
}

// String names the place, for messages.
func (l Layout) String() string {
	switch {
	case len(l.Files) > 0:
		return "files"
	case l.Pattern != "":
		return filepath.Join(l.Root, l.Pattern)
	default:
		return filepath.Join(l.Root, l.Set)
	}
}

// Find returns the files of each seed that is there.
func (l Layout) Find() (map[int]Files, error) {
	switch {
	case len(l.Files) > 0:
		return l.list()
	case l.Root == "": // checked here, because shipped specs leave root to the flag
		return nil, fmt.Errorf("root is not set: give the folder that holds %s by --data-root", l)
	case l.Pattern != "":
		return l.findPattern()
	default:
		return l.findFolders()
	}
}

// list returns the files in their order, as seeds 0, 1, ... Each trajectory of an HDF5 file
// is one.
func (l Layout) list() (map[int]Files, error) {
	found := map[int]Files{}
	for _, path := range l.Files {
		if !hdf5.Is(path) {
			found[len(found)] = Files{Path: path}
			continue
		}
		_, n, err := hdf5.About(path)
		if err != nil {
			return nil, err
		}
		for i := range max(n, 1) {
			found[len(found)] = Files{Path: path, Trajectory: i + 1}
		}
	}
	return found, nil
}

var seedFolder = regexp.MustCompile(`^seed_(\d+)$`)

// findFolders looks for seed_NNNN/npy/*.npy, or *.npz.
func (l Layout) findFolders() (map[int]Files, error) {
	folder := filepath.Join(l.Root, l.Set)
	if err := l.checkRoot(); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("root %s has no folder %s: it holds %s", l.Root, l.Set, listFolder(l.Root))
	}
	if err != nil {
		return nil, err
	}
	found := map[int]Files{}
	for _, e := range entries {
		m := seedFolder.FindStringSubmatch(e.Name())
		if m == nil {
			continue
		}
		seed, err := strconv.Atoi(m[1])
		if err != nil {
			return nil, fmt.Errorf("%s: seed %s: %w", folder, m[1], err)
		}
		npy := filepath.Join(folder, e.Name(), "npy")
		files, err := glob.In(npy, "*.np[yz]")
		if err != nil {
			return nil, err
		}
		if len(files) != 1 {
			return nil, fmt.Errorf("%s: %d npy or npz files, want one", npy, len(files))
		}
		if other, ok := found[seed]; ok {
			return nil, fmt.Errorf("seed %d is there twice: %s and %s", seed, other.Path, files[0])
		}
		found[seed] = Files{Path: files[0]}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s: no folder seed_NNNN there", folder)
	}
	return found, nil
}

func (l Layout) checkRoot() error {
	switch info, err := os.Stat(l.Root); {
	case err != nil:
		return fmt.Errorf("root %s: no such folder", l.Root)
	case !info.IsDir():
		return fmt.Errorf("root %s: it is a file, want a folder", l.Root)
	}
	return nil
}

// findPattern looks for the files below Root that match Pattern.
func (l Layout) findPattern() (map[int]Files, error) {
	if err := l.checkRoot(); err != nil {
		return nil, err
	}
	p, err := ParsePattern(l.Pattern, l.Fields)
	if err != nil {
		return nil, err
	}
	if err := l.checkFolders(p); err != nil {
		return nil, fmt.Errorf("pattern %s: %w", l.Pattern, err)
	}
	files, err := glob.In(l.Root, p.glob)
	if err != nil {
		return nil, fmt.Errorf("pattern %s: %w", l.Pattern, err)
	}
	names := make([]string, len(files))
	for i, path := range files {
		if names[i], err = filepath.Rel(l.Root, path); err != nil {
			return nil, err
		}
	}
	p.Learn(names)
	found := map[int]Files{}
	for i, path := range files {
		at, ok := p.Match(names[i])
		if !ok {
			continue
		}
		if at.Seed == math.MaxInt {
			return nil, fmt.Errorf("pattern %s: the seed of %s: want less than %d", l.Pattern, path, math.MaxInt)
		}
		if at.Frame > math.MaxInt32 {
			return nil, fmt.Errorf("pattern %s: %s is frame %d: want at most %d", l.Pattern, path, at.Frame, math.MaxInt32)
		}
		f := found[at.Seed]
		if other := f.put(path, at, len(l.Fields)); other != "" {
			name, err := l.nameOf(f, at)
			if err != nil {
				return nil, err
			}
			return nil, fmt.Errorf("pattern %s: both %s and %s are %s", l.Pattern, other, path, name)
		}
		found[at.Seed] = f
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("root %s has no file of the pattern %s: it holds %s", l.Root, l.Pattern, listFolder(l.Root))
	}
	return found, nil
}

// checkFolders returns an error if a folder of a seed, a frame or a field cannot be read. Its
// files would be missing unnoticed.
func (l Layout) checkFolders(p *Pattern) error {
	folders, err := p.folders()
	if err != nil {
		return err
	}
	for _, p := range folders {
		paths, err := glob.In(l.Root, p.glob)
		if err != nil {
			return err
		}
		for _, path := range paths {
			name, err := filepath.Rel(l.Root, path)
			if err != nil {
				return err
			}
			if _, ok := p.Match(name); !ok {
				continue
			}
			if info, err := os.Stat(path); err == nil && !info.IsDir() {
				continue
			}
			folder, err := os.Open(path)
			if err != nil {
				return err
			}
			folder.Close()
		}
	}
	return nil
}

// CheckFields returns an error if a field of the seed has no file. Seeds that are not
// read may lack files.
func (l Layout) CheckFields(seed int, f Files) error {
	if f.Snapshots == nil {
		return l.checkFields(f, Place{Seed: seed, Frame: -1})
	}
	for _, number := range f.numbers() {
		if err := l.checkFields(f.Snapshots[number], Place{Seed: seed, Frame: number}); err != nil {
			return err
		}
	}
	return nil
}

func (l Layout) checkFields(f Files, at Place) error {
	var missing []string
	for i, path := range f.Fields {
		if path == "" {
			missing = append(missing, l.Fields[i])
		}
	}
	if missing == nil {
		return nil
	}
	name, err := l.nameOf(f, at)
	if err != nil {
		return err
	}
	return fmt.Errorf("%s has no file for %s (pattern %s)", name, strings.Join(missing, ", "), l)
}

// nameOf names the place of files for messages: by the seed if the pattern has it, otherwise
// by the simulation's folder or file.
func (l Layout) nameOf(f Files, at Place) (string, error) {
	if strings.Contains(l.Pattern, "{seed}") {
		return at.String(), nil
	}
	p, err := ParsePattern(l.Pattern, l.Fields)
	if err != nil {
		return "", err
	}
	path, err := p.simulation(l.Root, f)
	if err == nil && at.Frame >= 0 {
		path = fmt.Sprintf("%s, frame %d", path, at.Frame)
	}
	return path, err
}

// listFolder names a folder's first entries, for messages.
func listFolder(path string) string {
	entries, err := os.ReadDir(path)
	if err != nil || len(entries) == 0 {
		return "nothing"
	}
	var names []string
	for _, e := range entries {
		if len(names) == 8 {
			names = append(names, "...")
			break
		}
		names = append(names, e.Name())
	}
	return strings.Join(names, ", ")
}
