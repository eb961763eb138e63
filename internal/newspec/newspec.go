// Package newspec writes the spec of a first training run for frames that were found:
//
//	guess.Set, or an export --OfSet, OfExport--> Data: a source's keys
//	inspect.Report ------------------------------> Choices: fields, edges, box
//	                                               |  New
//	                                               v
//	                                 Spec, with sizes --Text--> commented YAML
package newspec

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"time"
	"unicode/utf8"

	"fmsr.example/fmsr/internal/dataset"
	"fmsr.example/fmsr/internal/dataset/exportset"
	"fmsr.example/fmsr/internal/dataset/guess"
	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/inspect"
	"fmsr.example/fmsr/internal/store/atomicfile"
	"fmsr.example/fmsr/internal/terminal"
	"fmsr.example/fmsr/internal/words"
)

// Data is a source of frames, as a spec names it.
type Data struct {
	Dir    string   // where it is
	Stage  string   // the source's stage
	Lines  []string // its keys, as YAML
	Paired bool     // the frames come with x_lo
	Fields []string
	Named  bool // whether the fields' names are known
	H, W   int
	Domain *field.Domain        // what the files say of it; nil: nothing
	Splits map[int]frames.Split // of the seeds, where the files say it; nil: they do not
	Seeds  []Frames             // ascending; nil: the set says itself how it is split
	Train  int                  // training frames, where the set says it
	Found  []string             // what is there, for the comment
}

// Frames is the number of frames of a simulation.
type Frames struct{ Seed, Frames int }

// OfSet returns the source of npy and npz files, or of AthenaK's. Paths in it start at the
// folder of the spec, unless that is empty: then they are absolute.
func OfSet(s *guess.Set, folder string) (Data, error) {
	d := Data{Dir: s.Dir, Stage: "npy_load", Fields: s.Form.Names, Named: s.Named, H: s.H, W: s.W, Domain: s.Domain, Splits: s.Splits}
	for _, seed := range s.Seeds {
		d.Seeds = append(d.Seeds, Frames{seed.Seed, len(seed.Frames)})
	}
	d.Found = []string{
		fmt.Sprintf("frames   %d of %d x %d cells, %s; %s", s.Frames(), s.H, s.W, words.Count(len(s.Form.Names), "field"), atomicfile.Size(s.Bytes)),
		"runs     " + inspect.SeedsOf(s),
		"layout   " + s.Where(),
	}
	if s.Runs == nil && (s.DType != guess.HDF5 || s.Form.Array != "") {
		d.Found = append(d.Found, "arrays   "+s.Arrays())
	}
	for _, note := range s.Notes {
		d.Found = append(d.Found, "decided: "+note)
	}
	return d, d.source(s, folder)
}

// source adds the keys that say where the files are, and how arrays are stored.
func (d *Data) source(s *guess.Set, folder string) error {
	root, pattern, listed, key := s.Dir, s.Layout.Pattern, s.Layout.Files, "files"
	if s.Runs != nil {
		d.Stage, root, pattern, listed, key = "athena_load", s.Runs.Root, s.Runs.Pattern, s.Runs.Folders, "runs"
	}
	for _, name := range slices.Concat([]string{s.Dir, pattern}, listed, s.Form.Names) {
		if !utf8.ValidString(name) || strings.Contains(name, "${") {
			return fmt.Errorf("%q: a spec cannot name it: want UTF-8 without ${: rename it", name)
		}
	}
	if listed == nil {
		d.Lines = append(d.Lines, "root: "+quote(below(root, folder)))
	}
	if pattern != "" {
		d.Lines = append(d.Lines, "pattern: "+quote(pattern))
	}
	if listed != nil {
		d.Lines = append(d.Lines, key+":   # as seeds 0, 1, ...")
	}
	for _, path := range listed {
		d.Lines = append(d.Lines, "  - "+quote(below(path, folder)))
	}
	if s.Form.Array != "" {
		d.Lines = append(d.Lines, "array: "+quote(s.Form.Array)+"   # of the arrays in each file")
	}
	if s.Form.Axes != "" {
		d.Lines = append(d.Lines, "axes: "+s.Form.Axes)
	}
	return nil
}

// below returns a path that starts at a folder, or an absolute one.
func below(path, folder string) string {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	if folder == "" || filepath.IsAbs(path) {
		return absolute
	}
	relative, err := filepath.Rel(folder, absolute)
	if err != nil {
		return absolute
	}
	if strings.HasPrefix(relative, "~") {
		return "./" + relative
	}
	return relative
}

// OfExport returns the source of an exported set.
func OfExport(dir, folder string, m exportset.Manifest) (Data, error) {
	d := Data{Dir: dir, Stage: "arrow_load", Fields: m.ChannelNames, Named: true, H: m.H, W: m.W, Paired: m.Factor > 0}
	d.Lines = []string{"input: " + quote(below(dir, folder))}
	all := 0
	for _, f := range m.Files {
		all += f.Rows
		if f.Split == frames.Train.String() {
			d.Train += f.Rows
		}
	}
	d.Found = []string{
		fmt.Sprintf("export   %s of %d x %d cells, %s, %s; %d for training", words.Count(all, "frame"), m.H, m.W, words.Count(len(m.ChannelNames), "field"), words.Count(len(m.Files), "file"), d.Train),
	}
	switch {
	case m.Format != "arrow":
		return d, fmt.Errorf("%s: the set has %s files: want arrow (export with --format arrow)", dir, m.Format)
	case m.Normalized:
		return d, fmt.Errorf("%s: the set is normalized: export it without normalize", dir)
	case !utf8.ValidString(dir) || strings.Contains(dir, "${"):
		return d, fmt.Errorf("%q: a spec cannot name it: want UTF-8 without ${: rename it", dir)
	}
	return d, nil
}

// Choices are what the files do not say.
type Choices struct {
	Names        []string // of the fields, in the order of the files
	Boundary     [2]string
	BoundaryNote string
	Box          []float64
	Left         map[string]string // fields that are not trained on, and why
}

// Spec is what a spec says. Text writes it.
type Spec struct {
	Data
	Choices
	Odd        []string
	Name       string
	Overfit    bool
	Split      string
	SplitNote  string
	Batch      int
	Width      int
	TotalSteps int
	Device     string // on which steps were timed; empty: they were not
	Precision  string // of a step
	Widths     []string
	Timed      bool
	TimeNote   string

	train, val int // frames
}

// Steps of a first run, where they are not timed, and the width of its network.
const (
	firstSteps = 2000
	firstWidth = 32
	firstBatch = 4
)

// ErrFew is the error of data that a network cannot learn from.
var ErrFew = errors.New("one frame: training needs several")

// New decides on a split and on sizes.
func New(d Data, c Choices, odd []string) (*Spec, error) {
	s := &Spec{Data: d, Choices: c, Odd: odd, Width: firstWidth, TotalSteps: firstSteps}
	if d.H%2 != 0 || d.W%2 != 0 {
		return nil, fmt.Errorf("%s: grid %d x %d: pooling by 2 needs even numbers of cells", d.Dir, d.H, d.W)
	}
	if len(c.Names) == len(c.Left) {
		return nil, fmt.Errorf("%s: no field can be trained on: %s", d.Dir, s.ChannelNote())
	}
	s.Name = filepath.Base(d.Dir)
	if absolute, err := filepath.Abs(d.Dir); err == nil {
		s.Name = filepath.Base(absolute)
	}
	if dataset.CheckName(s.Name) != nil {
		s.Name = "first"
	}
	if err := s.split(); err != nil {
		return nil, err
	}
	s.Batch = min(firstBatch, s.train)
	if d.Stage != "arrow_load" {
		s.name()
	}
	return s, nil
}

// Take chooses the number of steps for steps of that time: the most of a few numbers that
// take two hours, or the least one.
func (s *Spec) Take(step time.Duration) {
	for _, n := range []int{20000, 10000, 5000, 2000, 1000, 500} {
		s.TotalSteps = n
		if time.Duration(n)*step <= 2*time.Hour {
			return
		}
	}
}

// name adds the key fields.
func (s *Spec) name() {
	comment := "   # as files or arrays are named"
	if !s.Named {
		comment = "   # FILL IN the names, in the order of the arrays' fields: density, velx, Bx, ..."
	}
	if !slices.Equal(s.Fields, s.Names) {
		comment = ""
	}
	s.Lines = append(s.Lines, "fields: "+list(s.Names)+comment)
}

// Channels are the fields to train on.
func (s *Spec) Channels() string {
	var names []string
	for _, name := range s.Names {
		if s.Left[name] == "" {
			names = append(names, name)
		}
	}
	if len(names) == len(s.Names) && !s.Named && slices.Equal(s.Fields, s.Names) {
		return "all" // so that names are filled in at one place
	}
	return list(names)
}

// Trained counts the fields to train on.
func (s *Spec) Trained() int { return len(s.Names) - len(s.Left) }

// ChannelNote says which fields are left out.
func (s *Spec) ChannelNote() string {
	var texts []string
	for _, name := range s.Names {
		if why := s.Left[name]; why != "" {
			texts = append(texts, "without "+name+": "+why)
		}
	}
	return strings.Join(texts, "; ")
}

// Boxed reports whether the files say the domain's box.
func (d Data) Boxed() bool { return d.Domain != nil && d.Domain.Box[0] > 0 }

// Bounded reports whether the files say the domain's boundaries.
func (d Data) Bounded() bool { return d.Domain != nil && d.Domain.Bounded }

// Warmup, LogEvery and EvalFrames are keys of the same names.
func (s *Spec) Warmup() int     { return s.TotalSteps / 50 }
func (s *Spec) LogEvery() int   { return s.TotalSteps / 10 }
func (s *Spec) EvalFrames() int { return max(1, min(8, s.val)) }

//go:embed spec.yaml.tmpl
var text string

var tmpl = template.Must(template.New("spec").Funcs(template.FuncMap{"quote": quote, "line": terminal.Line}).Parse(text))

// Text returns the spec as YAML.
func (s *Spec) Text() ([]byte, error) {
	s.Timed = s.Device != ""
	var b bytes.Buffer
	err := tmpl.Execute(&b, s)
	return b.Bytes(), err
}

var plain = regexp.MustCompile(`^[A-Za-z_./][A-Za-z0-9_./-]*$`)

// notText is read by YAML as something else than text.
var notText = []string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}

// quote writes a text so that YAML reads it back as that text.
func quote(text string) string {
	if plain.MatchString(text) && !slices.Contains(notText, strings.ToLower(text)) && strings.Trim(text, ".") != "" && !regexp.MustCompile(`^\.(inf|nan)$`).MatchString(strings.ToLower(text)) {
		return text
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(text) // of a string
	return strings.TrimSuffix(b.String(), "\n")
}

func list(names []string) string {
	texts := make([]string, len(names))
	for i, name := range names {
		texts[i] = quote(name)
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

// SetNames names the fields, by a list with commas or blanks between the names.
func (c *Choices) SetNames(answer string) error {
	names := strings.FieldsFunc(answer, func(r rune) bool { return r == ',' || r == ' ' })
	if len(names) != len(c.Names) {
		return fmt.Errorf("%d names, want %d", len(names), len(c.Names))
	}
	if err := dataset.CheckNames(names); err != nil {
		return err
	}
	left := map[string]string{}
	for i, old := range c.Names {
		if why := c.Left[old]; why != "" {
			left[names[i]] = why
		}
	}
	c.Names, c.Left = names, left
	return nil
}
