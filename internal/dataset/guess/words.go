package guess

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"fmsr.example/fmsr/internal/dataset"
)

// star stands for a part of a path that follows from another part: the pattern has * there.
const star = "\x01"

// date finds a date in a file's name, with or without a time of day: 2025-03-28T0800.
var date = regexp.MustCompile(`(?:19|20)\d\d[-_.]?(?:0[1-9]|1[0-2])[-_.]?(?:0[1-9]|[12]\d|3[01])(?:[T_ -]?\d\d[:.hH_-]?\d\d(?:[:.mM_-]?\d\d(?:\.\d+)?)?Z?)?`)

// worded is paths in which names or dates are replaced by numbers in their order, so that
// they can be read as others are.
type worded struct {
	paths   []string
	at      []string // each path's number in place of its name or date
	before  []int    // how many numbers are before it
	because string
}

// dated replaces the date in each file's name. Folders above it that repeat a part of the
// date, as 2025/03, are taken for any.
func dated(paths []string) (w worded, ok bool) {
	dates := make([]string, len(paths))
	for i, path := range paths {
		dates[i] = date.FindString(path[strings.LastIndex(path, "/")+1:])
		if dates[i] == "" || strings.Count(path, "/") != strings.Count(paths[0], "/") {
			return w, false
		}
	}
	order := inOrder(dates)
	if len(order) == 1 {
		return w, false
	}
	repeats := make([]bool, strings.Count(paths[0], "/"))
	for k := range repeats {
		repeats[k] = true
		for i, path := range paths {
			repeats[k] = repeats[k] && partOf(strings.Split(path, "/")[k], dates[i])
		}
	}
	for i, path := range paths {
		parts := strings.Split(path, "/")
		for k := range repeats {
			if repeats[k] {
				parts[k] = star
			}
		}
		last := len(parts) - 1
		at := strconv.Itoa(slices.Index(order, dates[i]))
		head, tail, _ := strings.Cut(parts[last], dates[i])
		folders := strings.Join(append(parts[:last:last], head), "/")
		w.add(folders, at, tail)
	}
	w.because = fmt.Sprintf("frames are numbered 0, 1, ... in the order of the dates in the names of files, from %s to %s", order[0], order[len(order)-1])
	return w, true
}

// partOf reports whether a folder's name is nothing but a part of a date.
func partOf(name, date string) bool {
	only := strings.NewReplacer("-", "", "_", "", ".", "", ":", "")
	name = only.Replace(name)
	return len(name) >= 2 && digits.FindString(name) == name && strings.Contains(only.Replace(date), name)
}

// folders replaces the names of the folders of one level, if they hold files of the same
// names: these folders are simulations.
func folders(paths []string) (w worded, ok bool) {
	for k := range strings.Count(paths[0], "/") {
		names, below := make([]string, len(paths)), map[string]map[string]bool{}
		for i, path := range paths {
			parts := strings.Split(path, "/")
			if len(parts) != strings.Count(paths[0], "/")+1 {
				return w, false
			}
			names[i] = parts[k]
			rest := apart(strings.Join(slices.Delete(parts, k, k+1), "/")).form
			if below[names[i]] == nil {
				below[names[i]] = map[string]bool{}
			}
			below[names[i]][rest] = true
		}
		order := inOrder(names)
		if len(order) < 2 || slices.ContainsFunc(order, func(name string) bool { return !sameKeys(below[name], below[order[0]]) }) {
			continue
		}
		if slices.ContainsFunc(order, func(name string) bool { return dataset.IsUsual(name) }) {
			continue // a folder a field
		}
		for i, path := range paths {
			parts := strings.Split(path, "/")
			head, tail := strings.Join(append(parts[:k:k], ""), "/"), "/"+strings.Join(parts[k+1:], "/")
			w.add(head, strconv.Itoa(slices.Index(order, names[i])), tail)
		}
		w.because = "simulations are numbered 0, 1, ... in the order of the names of their folders: " + some(order)
		return w, true
	}
	return w, false
}

func (w *worded) add(head, at, tail string) {
	w.paths = append(w.paths, head+at+tail)
	w.at = append(w.at, at)
	w.before = append(w.before, len(digits.FindAllString(head, -1)))
}

// inOrder returns the different texts, in the order in which npy_load numbers them.
func inOrder(texts []string) []string {
	texts = slices.Clone(texts)
	slices.SortFunc(texts, dataset.InOrder)
	return slices.Compact(texts)
}

func sameKeys(a, b map[string]bool) bool {
	if len(a) != len(b) {
		return false
	}
	for key := range a {
		if !b[key] {
			return false
		}
	}
	return true
}

// nameWords is name for paths in which folders or dates may stand for numbers.
func nameWords(paths []string) (n naming, because []string, ok bool) {
	given := paths
	var all []worded
	if w, ok := dated(paths); ok {
		all, paths = append(all, w), w.paths
	}
	n, ok = name(paths)
	if !ok || n.unknownFolders() {
		if w, found := folders(paths); found {
			if m, named := name(w.paths); named {
				all, n, ok = append(all, w), m, true
			}
		}
	}
	for _, w := range all {
		if !ok || !n.make(w) {
			n, ok = name(given)
			return n, nil, ok
		}
		because = append(because, w.because)
	}
	return n, because, ok
}

// unknownFolders reports whether folders were taken for fields, none of which has the usual
// name of a field.
func (n *naming) unknownFolders() bool {
	return n.fields != nil && strings.Contains(n.paths[0].form, "{field}/") &&
		!slices.ContainsFunc(n.fields, func(field string) bool { return dataset.IsUsual(field) })
}

// make notes which number of the paths stands for a word. It returns false if it is no number
// of its own.
func (n *naming) make(w worded) bool {
	for i, number := range n.paths[0].numbers {
		if n.holes[i] == i && number == w.at[0] && i <= w.before[0] && !slices.ContainsFunc(n.paths, func(p parts) bool { return w.at[slices.Index(w.paths, p.path)] != p.numbers[i] }) {
			if n.made == nil {
				n.made = map[int]bool{}
			}
			n.made[i] = true
			return true
		}
	}
	return false
}
