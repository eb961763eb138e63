package stages

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// layout says where the files of seeds lie: listed, by a pattern below root, or
// in ROOT/SET/seed_NNNN/npy.
type layout struct {
	root, set, pattern string
	files, fields      []string
}

// seedFiles is where a seed's frames lie: one file (F,H,W,C), or one (F,H,W) for
// each field.
type seedFiles struct {
	path   string
	fields []string // in the fields' order, "" for one that is missing
	array  string   // its name, in an npz file
}

// paths is every file.
func (s seedFiles) paths() []string {
	if s.fields != nil {
		return s.fields
	}
	return []string{s.path}
}

// String names the place, for messages.
func (l layout) String() string {
	switch {
	case len(l.files) > 0:
		return "files"
	case l.pattern != "":
		return filepath.Join(l.root, l.pattern)
	default:
		return filepath.Join(l.root, l.set)
	}
}

// find maps the seeds that are there to their files.
func (l layout) find() (map[int]seedFiles, error) {
	switch {
	case len(l.files) > 0:
		found := map[int]seedFiles{}
		for i, path := range l.files {
			found[i] = seedFiles{path: path}
		}
		return found, nil
	case l.root == "": // not Validate's: shipped specs leave it to the flag
		return nil, fmt.Errorf("root is not set: give the folder that holds %s by --data-root", l)
	case l.pattern != "":
		return l.findPattern()
	default:
		return l.findFolders()
	}
}

var seedFolder = regexp.MustCompile(`^seed_(\d+)$`)

// findFolders looks for seed_NNNN/npy/*.npy, or *.npz.
func (l layout) findFolders() (map[int]seedFiles, error) {
	folder := filepath.Join(l.root, l.set)
	if err := l.checkRoot(); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("root %s has no folder %s: it holds %s", l.root, l.set, listFolder(l.root))
	}
	if err != nil {
		return nil, err
	}
	found := map[int]seedFiles{}
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
		files, err := fs.Glob(os.DirFS(npy), "*.np[yz]")
		if err != nil {
			return nil, err
		}
		if len(files) != 1 {
			return nil, fmt.Errorf("%s: %d npy or npz files, want one", npy, len(files))
		}
		if other, ok := found[seed]; ok {
			return nil, fmt.Errorf("seed %d is there twice: %s and %s", seed, other.path, filepath.Join(npy, files[0]))
		}
		found[seed] = seedFiles{path: filepath.Join(npy, files[0])}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s: no folder seed_NNNN there", folder)
	}
	return found, nil
}

func (l layout) checkRoot() error {
	switch info, err := os.Stat(l.root); {
	case err != nil:
		return fmt.Errorf("root %s: no such folder", l.root)
	case !info.IsDir():
		return fmt.Errorf("root %s: it is a file, want a folder", l.root)
	}
	return nil
}

// findPattern looks for the files that the pattern names, below root.
func (l layout) findPattern() (map[int]seedFiles, error) {
	if err := l.checkRoot(); err != nil {
		return nil, err
	}
	p, err := parsePattern(l.pattern, l.fields)
	if err != nil {
		return nil, err
	}
	files, err := fs.Glob(os.DirFS(l.root), p.glob)
	if err != nil {
		return nil, fmt.Errorf("pattern %s: %w", l.pattern, err)
	}
	found := map[int]seedFiles{}
	for _, name := range files {
		seed, field, ok := p.match(name)
		if !ok {
			continue
		}
		s, path := found[seed], filepath.Join(l.root, name)
		place := &s.path
		if p.perField {
			if s.fields == nil {
				s.fields = make([]string, len(l.fields))
			}
			place = &s.fields[field]
		}
		if *place != "" {
			return nil, fmt.Errorf("pattern %s: both %s and %s are seed %d", l.pattern, *place, path, seed)
		}
		*place = path
		found[seed] = s
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("root %s has no file of the pattern %s: it holds %s", l.root, l.pattern, listFolder(l.root))
	}
	return found, nil
}

// checkFields errs when fields of a seed have no file.
func (l layout) checkFields(seed int, s seedFiles) error {
	var missing []string
	for i, path := range s.fields {
		if path == "" {
			missing = append(missing, l.fields[i])
		}
	}
	if missing != nil {
		return fmt.Errorf("seed %d has no file for %s (pattern %s)", seed, strings.Join(missing, ", "), l)
	}
	return nil
}

// pattern is a path with {seed}, {field}, * and ?, ready for matching.
type pattern struct {
	glob     string
	perField bool
	regexp   *regexp.Regexp
	groups   []bool // of the regexp: whether it is a field's and no seed's
	fields   []string
}

var placeholder = regexp.MustCompile(`\{[^{}]*\}|[*?]`)

func parsePattern(text string, fields []string) (*pattern, error) {
	rest := filepath.Clean(text)
	switch {
	case !filepath.IsLocal(text):
		return nil, fmt.Errorf("is %q: want a path below root", text)
	case !strings.HasSuffix(text, ".npy") && !strings.HasSuffix(text, ".npz"):
		return nil, fmt.Errorf("is %q: want .npy or .npz at its end", text)
	case !strings.Contains(rest, "{seed}"):
		return nil, fmt.Errorf("is %q: want {seed} where the seed's digits stand", text)
	case strings.ContainsAny(placeholder.ReplaceAllString(text, ""), `{}[]\`):
		return nil, fmt.Errorf("is %q: want a path with {seed}, {field}, * and ?", text)
	}
	var names []string
	for _, f := range fields {
		names = append(names, regexp.QuoteMeta(f))
	}
	// the names that begin as another does must be tried first
	slices.SortFunc(names, func(a, b string) int { return len(b) - len(a) })
	p := &pattern{glob: placeholder.ReplaceAllString(rest, "*"), fields: fields}
	var expr strings.Builder
	for rest != "" {
		at := placeholder.FindStringIndex(rest)
		if at == nil {
			at = []int{len(rest), len(rest)}
		}
		expr.WriteString(regexp.QuoteMeta(rest[:at[0]]))
		switch what := rest[at[0]:at[1]]; what {
		case "{seed}":
			expr.WriteString(`(\d+)`)
			p.groups = append(p.groups, false)
		case "{field}":
			expr.WriteString("(" + strings.Join(names, "|") + ")")
			p.groups, p.perField = append(p.groups, true), true
		case "*":
			expr.WriteString("[^/]*")
		case "?":
			expr.WriteString("[^/]")
		case "":
		default:
			return nil, fmt.Errorf("is %q: want {seed} or {field}, not %s", text, what)
		}
		rest = rest[at[1]:]
	}
	var err error
	p.regexp, err = regexp.Compile("^" + expr.String() + "$")
	return p, err
}

// match is the seed and the field's index that a path below root stands for.
func (p *pattern) match(path string) (seed, field int, ok bool) {
	m := p.regexp.FindStringSubmatch(path)
	if m == nil {
		return 0, 0, false
	}
	seed, field = -1, -1
	for i, isField := range p.groups {
		at, value := &seed, 0
		if isField {
			at, value = &field, slices.Index(p.fields, m[i+1])
		} else {
			n, err := strconv.Atoi(m[i+1])
			if err != nil {
				return 0, 0, false
			}
			value = n
		}
		if *at >= 0 && *at != value {
			return 0, 0, false
		}
		*at = value
	}
	return seed, field, true
}

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
