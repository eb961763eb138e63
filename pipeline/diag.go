package pipeline

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Diagnostic is one problem of a spec, with its place.
type Diagnostic struct {
	File      string
	Line, Col int    // from 1; 0 where the problem has no place in the file
	Flag      string // the flag that brought the value, instead of a place
	Path      string // "flow[3].pool_upsample.factor"
	Message   string
	// Suggestion is the known name that an unknown one was probably meant to be.
	Suggestion string
}

// String is specs/full.yaml:14:7: flow[3].pool_upsample.facter: unknown key (did you mean "factor"?)
func (d Diagnostic) String() string {
	var parts []string
	switch {
	case d.Flag != "":
		parts = append(parts, d.Flag)
	case d.Line > 0:
		parts = append(parts, fmt.Sprintf("%s:%d:%d", d.File, d.Line, d.Col))
	default:
		parts = append(parts, d.File)
	}
	if d.Path != "" && d.Flag == "" {
		parts = append(parts, d.Path)
	}
	message := d.Message
	if d.Suggestion != "" {
		message += fmt.Sprintf(" (did you mean %q?)", d.Suggestion)
	}
	return strings.Join(append(parts, message), ": ")
}

// Diagnostics are all problems of a spec, in the order of their places.
type Diagnostics []Diagnostic

func (ds Diagnostics) Error() string {
	lines := make([]string, len(ds))
	for i, d := range ds {
		lines[i] = d.String()
	}
	return strings.Join(lines, "\n")
}

func (ds Diagnostics) sort() {
	slices.SortStableFunc(ds, func(a, b Diagnostic) int {
		return cmp.Or(strings.Compare(a.Flag, b.Flag), a.Line-b.Line, a.Col-b.Col)
	})
}

// nearest is the one of the names that name was probably meant to be, or empty.
// At least half of it must be right: any two letters are near any other two.
func nearest(name string, names []string) string {
	best, distance := "", max(2, len(name)/3)+1
	for _, n := range names {
		if d := editDistance(name, n); d < distance && 2*d <= max(len(name), len(n)) {
			best, distance = n, d
		}
	}
	return best
}

// editDistance is Levenshtein's.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := diagonal
			if a[i-1] != b[j-1] {
				change++
			}
			diagonal = row[j]
			row[j] = min(change, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
