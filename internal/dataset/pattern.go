package dataset

import (
	"cmp"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"fmsr.example/fmsr/internal/format/hdf5"
	"fmsr.example/fmsr/internal/glob"
)

// Pattern is a path below a root that names a seed, a frame if each has its own file, and a
// field if each has its own file:
//
//	run_{seed}/fields.npy     {seed}: digits, the same number in several places
//	{seed}/snap_{frame}.npy   {frame}: digits, as those of {seed}
//	{seed}_{field}.npy        {field}: the name of a field
//	{run}/snap_{time}.npy     {run}: the name of a seed, {time}: that of a frame, any text within a
//	                          name: they are numbered 0, 1, ... in their order, see InOrder
//	*/s?{seed}.npz            * and ?: any text within a name, but for a dot at its start
//	x[1]/{seed}.npy           other characters are themselves
type Pattern struct {
	text   string
	glob   string
	regexp *regexp.Regexp
	groups []string // for each group of the regexp: its placeholder
	fields []string
	words  map[string]texts // of {run} and {time}
}

// Place is what a file holds: -1 stands for all frames, and for all fields.
type Place struct{ Seed, Frame, Field int }

// String names the place for messages: "seed 3", or "seed 3, frame 7".
func (p Place) String() string {
	if p.Frame < 0 {
		return fmt.Sprintf("seed %d", p.Seed)
	}
	return fmt.Sprintf("seed %d, frame %d", p.Seed, p.Frame)
}

var placeholder = regexp.MustCompile(`\{[^{}]*\}|[*?]`)

// twoNumbers finds numbers without anything between them.
var twoNumbers = regexp.MustCompile(`\{(seed|frame|run|time)\}\{(seed|frame|run|time)\}`)

// ParsePattern reads a pattern. fields are the names that {field} stands for; without them it
// stands for any.
func ParsePattern(text string, fields []string) (*Pattern, error) {
	rest := filepath.Clean(text)
	switch {
	case !filepath.IsLocal(text):
		return nil, fmt.Errorf("is %q: want a path below root", text)
	case !slices.Contains(append([]string{".npy", ".npz"}, hdf5.Endings...), filepath.Ext(text)):
		return nil, fmt.Errorf("is %q: want .npy or .npz at its end, or one of HDF5's: %s", text, strings.Join(hdf5.Endings, ", "))
	case !slices.ContainsFunc([]string{"{seed}", "{frame}", "{field}", "{run}", "{time}"}, func(s string) bool { return strings.Contains(rest, s) }):
		return nil, fmt.Errorf("is %q: want {seed} in place of the seed's digits, {frame} of the frame's, or {field} of the field's name", text)
	case strings.Contains(rest, "{seed}") && strings.Contains(rest, "{run}"):
		return nil, fmt.Errorf("is %q: want {seed} for a simulation's number, or {run} for its name, not both", text)
	case strings.Contains(rest, "{frame}") && strings.Contains(rest, "{time}"):
		return nil, fmt.Errorf("is %q: want {frame} for a frame's number, or {time} for any text that orders frames, not both", text)
	case twoNumbers.MatchString(text):
		return nil, fmt.Errorf("is %q: want a text between %s, to tell where the one ends", text, strings.Replace(twoNumbers.FindString(text), "}{", "} and {", 1))
	case strings.ContainsAny(placeholder.ReplaceAllString(text, ""), "{}"):
		return nil, fmt.Errorf("is %q: want a path with {seed} or {run}, {frame} or {time}, {field}, * and ?", text)
	}
	return parse(rest, fields)
}

// ParseFolder reads the pattern of a seed's folder.
func ParseFolder(text string) (*Pattern, error) {
	switch {
	case !filepath.IsLocal(text):
		return nil, fmt.Errorf("is %q: want a path below root", text)
	case !strings.Contains(text, "{seed}") || slices.ContainsFunc([]string{"{run}", "{frame}", "{time}", "{field}"}, func(s string) bool { return strings.Contains(text, s) }):
		return nil, fmt.Errorf("is %q: want {seed} in place of the seed's digits, and none of {run}, {frame}, {time} and {field}", text)
	}
	return parse(filepath.Clean(text), nil)
}

// parse reads a pattern, which may be that of a folder.
func parse(text string, fields []string) (*Pattern, error) {
	rest := text
	var names []string
	for _, f := range fields {
		names = append(names, regexp.QuoteMeta(f))
	}
	// longest first: a name that begins with another name must be tried before it
	slices.SortFunc(names, func(a, b string) int { return len(b) - len(a) })
	p := &Pattern{text: text, fields: fields, words: map[string]texts{"{run}": {}, "{time}": {}}}
	var expr, pattern strings.Builder
	for rest != "" {
		at := placeholder.FindStringIndex(rest)
		if at == nil {
			at = []int{len(rest), len(rest)}
		}
		expr.WriteString(regexp.QuoteMeta(rest[:at[0]]))
		pattern.WriteString(glob.Quote(rest[:at[0]]))
		if at[1] > at[0] {
			pattern.WriteString("*")
		}
		switch what := rest[at[0]:at[1]]; what {
		case "{seed}", "{frame}":
			expr.WriteString(`(\d+)`)
			p.groups = append(p.groups, what)
		case "{field}":
			expr.WriteString("(" + cmp.Or(strings.Join(names, "|"), "[^/]+?") + ")")
			p.groups = append(p.groups, what)
		case "{run}", "{time}":
			expr.WriteString("([^/]+?)")
			p.groups = append(p.groups, what)
		case "*":
			expr.WriteString("[^/]*?") // as little as it can: not the first digits of a number, or letters of a name, behind it
		case "?":
			expr.WriteString("[^/]")
		case "":
		default:
			return nil, fmt.Errorf("is %q: want {seed}, {run}, {frame}, {time} or {field}, not %s", text, what)
		}
		rest = rest[at[1]:]
	}
	p.glob = pattern.String()
	var err error
	p.regexp, err = regexp.Compile("^" + expr.String() + "$")
	return p, err
}

// folders returns the patterns of the folders above the files in which a number or a field
// is named.
func (p *Pattern) folders() (all []*Pattern, err error) {
	for text := filepath.Dir(p.text); strings.Contains(text, "{"); text = filepath.Dir(text) {
		above, err := parse(text, p.fields)
		if err != nil {
			return nil, err
		}
		all = append(all, above)
	}
	return all, nil
}

// Learn numbers the runs and times that paths name, in their order. Match knows these alone.
func (p *Pattern) Learn(paths []string) {
	for _, path := range paths {
		for i, text := range p.regexp.FindStringSubmatch(path) {
			if i > 0 && p.words[p.groups[i-1]] != nil {
				p.words[p.groups[i-1]][text] = 0
			}
		}
	}
	for _, texts := range p.words {
		texts.number()
	}
}

// Match returns what a path below the root holds. Without {seed} that is seed 0. ok is
// false if the path does not match.
func (p *Pattern) Match(path string) (at Place, ok bool) {
	at = Place{-1, -1, -1}
	m := p.regexp.FindStringSubmatch(path)
	if m == nil {
		return at, false
	}
	for i, what := range p.groups {
		into, value := &at.Seed, 0
		switch what {
		case "{field}":
			into, value = &at.Field, slices.Index(p.fields, m[i+1])
		case "{run}":
			value = p.words[what][m[i+1]]
		case "{time}":
			into, value = &at.Frame, p.words[what][m[i+1]]
		case "{frame}":
			into = &at.Frame
			fallthrough
		default:
			value, _ = strconv.Atoi(m[i+1]) // digits; the largest int, if they are too many
		}
		if *into >= 0 && *into != value {
			return at, false
		}
		*into = value
	}
	at.Seed = max(0, at.Seed)
	return at, true
}
