package spec

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Severity tells whether a spec can run.
type Severity int

// An Error keeps a spec from running. A Warning marks something legal that was probably
// not meant.
const (
	Error Severity = iota
	Warning
)

// Diagnostic is one problem of a spec, with its place.
type Diagnostic struct {
	Severity  Severity
	File      string
	Line, Col int    // from 1; 0: the problem has no place in the file
	Flag      string // the flag that brought the value, instead of a place
	Path      string // "flow[3].pool_upsample.factor"
	Summary   string // the problem: "is 0"
	Detail    string // the remedy: "want at least 1"; may be empty
	// Suggestion is the known name that an unknown name was probably meant to be.
	Suggestion string
}

// below returns the key that the problem is about if --set gave a map that has it.
func (d Diagnostic) below() string {
	set, ok := strings.CutPrefix(d.Flag, "--set ")
	if !ok {
		return ""
	}
	key, _, _ := strings.Cut(set, "=")
	if i := strings.Index(d.Path, key+"."); key != "" && i >= 0 {
		return d.Path[i:]
	}
	return ""
}

// String returns a line for a person:
//
//	specs/full.yaml:14:7: flow[3].pool_upsample.facter: unknown key (did you mean "factor"?)
//	specs/full.yaml:20:5: warning: flow[7].eval: gets no averaged steps: put ema above it
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
	if d.Severity == Warning {
		parts = append(parts, "warning")
	}
	if d.Flag == "" && d.Path != "" {
		parts = append(parts, d.Path)
	} else if below := d.below(); below != "" {
		parts = append(parts, below)
	}
	parts = append(parts, d.Summary)
	if d.Detail != "" {
		parts = append(parts, d.Detail)
	}
	line := strings.Join(parts, ": ")
	if d.Suggestion != "" {
		line += fmt.Sprintf(" (did you mean %q?)", d.Suggestion)
	}
	return line
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

// Failed reports whether any of them is an error.
func (ds Diagnostics) Failed() bool {
	return slices.ContainsFunc(ds, func(d Diagnostic) bool { return d.Severity == Error })
}

// sort puts problems with a place in the file first, in order, and then problems of
// flags.
func (ds Diagnostics) sort() {
	slices.SortStableFunc(ds, func(a, b Diagnostic) int {
		return cmp.Or(strings.Compare(a.Flag, b.Flag), a.Line-b.Line, a.Col-b.Col)
	})
}

// Nearest returns the name that was probably meant, or an empty string. At least half
// of its letters must be right, since all short names are close to each other.
func Nearest(name string, names []string) string {
	best, distance := "", max(2, len(name)/3)+1
	for _, n := range names {
		if d := editDistance(name, n); d < distance && 2*d <= max(len(name), len(n)) {
			best, distance = n, d
		}
	}
	return best
}

// editDistance is Levenshtein's distance, in which two letters that have changed places count
// as one edit too.
func editDistance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			change := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			rows[i][j] = min(change, rows[i-1][j]+1, rows[i][j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
