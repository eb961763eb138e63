package guess

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"fmsr.example/fmsr/internal/dataset"
)

// hole stands for digits in the text of a path.
const hole = "\x00"

// A path is taken apart into texts and the numbers between them:
//
//	run_12/B1.npy    "run_" 12 "/B" 1 ".npy"    form "run_\x00/B\x00.npy"
type parts struct {
	path    string
	form    string
	numbers []string
	field   string // what is named in place of a field
}

var digits = regexp.MustCompile(`\d+`)

func apart(path string) parts {
	return parts{path: path, form: digits.ReplaceAllString(path, hole), numbers: digits.FindAllString(path, -1)}
}

// naming is how paths name seeds, frames and fields.
type naming struct {
	paths  []parts
	fields []string     // in place of the field, as they are named; nil: paths name none
	holes  []int        // for each number of a path, which one it equals; -1: it is the same in all paths, and belongs to the text
	free   []int        // the numbers that vary on their own
	lack   string       // a file that names fields as another does, but not all of them; empty: there is none
	before []string     // the text before each number
	made   map[int]bool // the numbers that stand for names or dates, see worded
}

// name finds out what varies among the paths. ok is false if they have no common form.
func name(paths []string) (n naming, ok bool) {
	for _, p := range paths {
		n.paths = append(n.paths, apart(p))
	}
	forms := map[string]bool{}
	for _, p := range n.paths {
		forms[p.form] = true
	}
	if len(forms) == 1 {
		n.vectors()
	} else if !n.nameFields() {
		return n, false
	}
	n.nameNumbers()
	return n, true
}

// boundary ends a word of a path.
func boundary(c byte) bool { return strings.IndexByte("/_-. "+hole, c) >= 0 }

// nameFields finds the part in which the forms differ: the name of a field.
func (n *naming) nameFields() bool {
	head, tail := n.paths[0].form, n.paths[0].form
	for _, p := range n.paths {
		for !strings.HasPrefix(p.form, head) {
			head = head[:len(head)-1]
		}
		for !strings.HasSuffix(p.form, tail) {
			tail = tail[1:]
		}
	}
	for head != "" && !boundary(head[len(head)-1]) {
		head = head[:len(head)-1]
	}
	for tail != "" && !boundary(tail[0]) {
		tail = tail[1:]
	}
	if n.components(head, tail) {
		head = head[:1+strings.LastIndexAny(strings.TrimRight(head, "_-. "), "/"+hole)]
	}
	return n.cut(head, tail)
}

// axesNames are the names of a vector's components.
var axesNames = []string{"x", "y", "z", "1", "2", "3", "r", "phi", "theta"}

// components reports whether all that differs is the component of a vector, so that the
// word before it belongs to the name.
func (n *naming) components(head, tail string) bool {
	if head == "" || !strings.Contains("_-.", head[len(head)-1:]) {
		return false
	}
	return !slices.ContainsFunc(n.paths, func(p parts) bool {
		if len(p.form) < len(head)+len(tail) {
			return true
		}
		return !slices.Contains(axesNames, strings.ToLower(p.form[len(head):len(p.form)-len(tail)]))
	})
}

// cut takes what is between head and tail for the name of a field. Numbers in it are part
// of the name. It returns false, and changes nothing, unless each field is there for the same
// numbers.
func (n *naming) cut(head, tail string) bool {
	before, after := strings.Count(head, hole), strings.Count(tail, hole)
	var cut naming
	for _, p := range n.paths {
		if len(p.form) <= len(head)+len(tail) || len(p.numbers) < before+after {
			return false
		}
		p.field = p.form[len(head) : len(p.form)-len(tail)]
		for _, d := range p.numbers[before : len(p.numbers)-after] {
			p.field = strings.Replace(p.field, hole, d, 1)
		}
		if strings.Contains(p.field, "/") {
			return false
		}
		p.numbers = append(slices.Clone(p.numbers[:before]), p.numbers[len(p.numbers)-after:]...)
		p.form = head + "{field}" + tail
		if !slices.Contains(cut.fields, p.field) {
			cut.fields = append(cut.fields, p.field)
		}
		cut.paths = append(cut.paths, p)
	}
	if len(cut.fields) > mostFields {
		return false
	}
	if n.lack = cut.lacks(); n.lack != "" || len(cut.fields)*cut.tuples() != len(cut.paths) {
		return false
	}
	slices.SortFunc(cut.fields, func(a, b string) int { return cmp.Or(dataset.UsualOrder(a, b), strings.Compare(a, b)) })
	*n = cut
	return true
}

// mostFields bounds the names that are taken for fields' names.
const mostFields = 64

// tuples counts the different numbers of paths.
func (n *naming) tuples() int {
	seen := map[string]bool{}
	for _, p := range n.paths {
		seen[strings.Join(p.numbers, hole)] = true
	}
	return len(seen)
}

// lacks says which file is missing, if there are several fields for the same numbers, but
// not the same ones for all.
func (n *naming) lacks() string {
	by := map[string][]parts{}
	several := false
	for _, p := range n.paths {
		key := strings.Join(p.numbers, hole)
		by[key] = append(by[key], p)
		several = several || len(by[key]) > 1
	}
	for _, p := range n.paths {
		there := by[strings.Join(p.numbers, hole)]
		for _, name := range n.fields {
			if several && !slices.ContainsFunc(there, func(p parts) bool { return p.field == name }) {
				return fmt.Sprintf("beside %s there is no file for %s, which other files name", p.path, name)
			}
		}
	}
	return ""
}

// vector finds a number that is a vector's component: the 2 of B2.
var vector = regexp.MustCompile(`(?i)(?:^|[/_. -])((?:b|bcc|v|u|vel|mom|j|mag)_?)` + hole + `(?:[/_. -]|$)`)

// vectors takes the numbers 1, 2, 3 behind the name of a vector for components, if there are
// such.
func (n *naming) vectors() {
	form := n.paths[0].form
	for _, at := range vector.FindAllStringSubmatchIndex(form, -1) {
		i := strings.Count(form[:at[3]], hole)
		var seen []string
		for _, p := range n.paths {
			if d := p.numbers[i]; !slices.Contains(seen, d) {
				seen = append(seen, d)
			}
		}
		slices.Sort(seen)
		if s := strings.Join(seen, ""); s == "123" || s == "12" {
			n.cut(form[:at[2]], form[at[3]+len(hole):])
			return
		}
	}
}

// nameNumbers finds the numbers that vary, and those among them that follow from others.
func (n *naming) nameNumbers() {
	first := n.paths[0]
	texts := strings.Split(first.form, hole)
	n.before = texts[:len(texts)-1]
	n.holes = make([]int, len(first.numbers))
	for i := range first.numbers {
		switch j := n.same(i); {
		case !slices.ContainsFunc(n.paths, func(p parts) bool { return p.numbers[i] != first.numbers[i] }):
			n.holes[i] = -1
		case j < i:
			n.holes[i] = j
		default:
			n.holes[i] = i
			n.free = append(n.free, i)
		}
	}
}

// same returns the first number that number i follows from, and that follows from it; i: none.
func (n *naming) same(i int) int {
	for j := range i {
		there, back := map[string]string{}, map[string]string{}
		if n.holes[j] == j && !slices.ContainsFunc(n.paths, func(p parts) bool {
			a, b := p.numbers[i], p.numbers[j]
			ok := (there[a] == "" || there[a] == b) && (back[b] == "" || back[b] == a)
			there[a], back[b] = b, a
			return !ok
		}) {
			return j
		}
	}
	return i
}

// pattern returns the pattern of the paths, in which each free number has its role: "{seed}"
// or "{frame}". ok is false if a pattern cannot say it.
func (n *naming) pattern(role map[int]string) (pattern string, ok bool) {
	first := n.paths[0]
	var b strings.Builder
	for i, text := range strings.Split(first.form, hole) {
		if strings.ContainsAny(strings.ReplaceAll(text, "{field}", ""), "{}*?") {
			return "", false
		}
		b.WriteString(text)
		if i == len(n.holes) {
			break
		}
		switch j := n.holes[i]; {
		case j < 0:
			b.WriteString(first.numbers[i])
		case n.made[j] && j == i:
			b.WriteString(map[string]string{"{seed}": "{run}", "{frame}": "{time}"}[role[j]])
		case j == i || !n.made[j] && n.equal(i, j):
			b.WriteString(role[j])
		default: // follows from it, such as a time from a frame's number
			b.WriteString("*")
		}
	}
	return strings.ReplaceAll(b.String(), star, "*"), true
}

// equal reports whether two numbers are the same in all paths, but for zeros before them.
func (n *naming) equal(i, j int) bool {
	return !slices.ContainsFunc(n.paths, func(p parts) bool {
		a, errA := strconv.Atoi(p.numbers[i])
		b, errB := strconv.Atoi(p.numbers[j])
		return errA != nil || errB != nil || a != b
	})
}

// Words before a number that say what it counts.
var (
	seedWord  = regexp.MustCompile(`(?i)(seed|run|sim|case|real|member|sample|traj)[a-z]*[_. -]*$`)
	frameWord = regexp.MustCompile(`(?i)(frame|snap|step|time|cycle|dump|output|out|plt|iter|(^|[/_. -])t)[a-z]*[_. =-]*$`)
)

// ofSeeds reports whether the only number that varies is called one of simulations.
func (n *naming) ofSeeds() bool {
	return len(n.free) == 1 && seedWord.MatchString(n.before[n.free[0]])
}

// roles says what the free numbers count. frames: each file holds one frame.
func (n *naming) roles(frames bool) (role map[int]string, ok bool) {
	switch {
	case len(n.free) == 0 && n.fields != nil:
		return nil, true
	case len(n.free) == 1 && !frames:
		return map[int]string{n.free[0]: "{seed}"}, true
	case len(n.free) == 1:
		return map[int]string{n.free[0]: "{frame}"}, true
	case len(n.free) == 2 && frames:
		seed, frame := n.free[0], n.free[1]
		if frameWord.MatchString(n.before[seed]) && !frameWord.MatchString(n.before[frame]) || seedWord.MatchString(n.before[frame]) && !seedWord.MatchString(n.before[seed]) {
			seed, frame = frame, seed
		}
		return map[int]string{seed: "{seed}", frame: "{frame}"}, true
	}
	return nil, false
}
