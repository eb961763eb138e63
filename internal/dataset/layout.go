package dataset

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"fmsr/internal/glob"
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

// Files are the files that hold one seed's frames: one file (F,H,W,C), or one file
// (F,H,W) for each field.
type Files struct {
	Path   string
	Fields []string // a path for each field, in the fields' order; nil if Path holds them all
	Array  string   // the array's name in an npz file; empty: its only one
	Axes   string   // the order of the axes of each array, as letters; empty: Axes
}

// Paths returns every file.
func (f Files) Paths() []string {
	if f.Fields != nil {
		return f.Fields
	}
	return []string{f.Path}
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
		found := map[int]Files{}
		for i, path := range l.Files {
			found[i] = Files{Path: path}
		}
		return found, nil
	case l.Root == "": // checked here, because shipped specs leave root to the flag
		return nil, fmt.Errorf("root is not set: give the folder that holds %s by --data-root", l)
	case l.Pattern != "":
		return l.findPattern()
	default:
		return l.findFolders()
	}
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
	files, err := glob.In(l.Root, p.glob)
	if err != nil {
		return nil, fmt.Errorf("pattern %s: %w", l.Pattern, err)
	}
	found := map[int]Files{}
	for _, path := range files {
		name, err := filepath.Rel(l.Root, path)
		if err != nil {
			return nil, err
		}
		seed, field, ok := p.Match(name)
		if !ok {
			continue
		}
		f := found[seed]
		place := &f.Path
		if p.perField {
			if f.Fields == nil {
				f.Fields = make([]string, len(l.Fields))
			}
			place = &f.Fields[field]
		}
		if *place != "" {
			return nil, fmt.Errorf("pattern %s: both %s and %s are seed %d", l.Pattern, *place, path, seed)
		}
		*place = path
		found[seed] = f
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("root %s has no file of the pattern %s: it holds %s", l.Root, l.Pattern, listFolder(l.Root))
	}
	return found, nil
}

// CheckFields returns an error if a field of the seed has no file. Seeds that are not
// read may lack files.
func (l Layout) CheckFields(seed int, f Files) error {
	var missing []string
	for i, path := range f.Fields {
		if path == "" {
			missing = append(missing, l.Fields[i])
		}
	}
	if missing != nil {
		return fmt.Errorf("seed %d has no file for %s (pattern %s)", seed, strings.Join(missing, ", "), l)
	}
	return nil
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
