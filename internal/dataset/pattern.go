package dataset

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"fmsr/internal/glob"
)

// Pattern is a path below a root that names a seed and, if each field has its own
// file, a field:
//
//	run_{seed}/fields.npy     {seed}: digits, the same number in several places
//	{seed}_{field}.npy        {field}: the name of a field
//	*/s?{seed}.npz            * and ?: any text within a name, but for a dot at its start
//	x[1]/{seed}.npy           other characters are themselves
type Pattern struct {
	glob     string
	perField bool
	regexp   *regexp.Regexp
	groups   []bool // for each group of the regexp: true for a field, false for a seed
	fields   []string
}

var placeholder = regexp.MustCompile(`\{[^{}]*\}|[*?]`)

// ParsePattern reads a pattern. fields are the names that {field} stands for.
func ParsePattern(text string, fields []string) (*Pattern, error) {
	rest := filepath.Clean(text)
	switch {
	case !filepath.IsLocal(text):
		return nil, fmt.Errorf("is %q: want a path below root", text)
	case !strings.HasSuffix(text, ".npy") && !strings.HasSuffix(text, ".npz"):
		return nil, fmt.Errorf("is %q: want .npy or .npz at its end", text)
	case !strings.Contains(rest, "{seed}"):
		return nil, fmt.Errorf("is %q: want {seed} in place of the seed's digits", text)
	case strings.ContainsAny(placeholder.ReplaceAllString(text, ""), "{}"):
		return nil, fmt.Errorf("is %q: want a path with {seed}, {field}, * and ?", text)
	}
	var names []string
	for _, f := range fields {
		names = append(names, regexp.QuoteMeta(f))
	}
	// longest first: a name that begins with another name must be tried before it
	slices.SortFunc(names, func(a, b string) int { return len(b) - len(a) })
	p := &Pattern{fields: fields}
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
	p.glob = pattern.String()
	var err error
	p.regexp, err = regexp.Compile("^" + expr.String() + "$")
	return p, err
}

// Match returns the seed and the index of the field that a path below the root
// names. The field is -1 if the pattern has no {field}; ok is false if the path does
// not match.
func (p *Pattern) Match(path string) (seed, field int, ok bool) {
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
