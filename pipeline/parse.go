package pipeline

import (
	"fmt"

	"fmsr.example/fmsr/pipeline/spec"
)

// Override is a value from outside a spec's file: a flag's, or a --set's.
type Override = spec.Override

// Diagnostics are the problems of a spec.
type Diagnostics = spec.Diagnostics

// ExpandPath replaces ~ and ${NAME} in a path, as in specs. See spec.Expand.
func ExpandPath(path string) (string, error) { return spec.Expand(path) }

// Nearest returns the name that was probably meant by an unknown one, or an empty string. See
// spec.Nearest.
func Nearest(name string, known []string) string { return spec.Nearest(name, known) }

// Spec is a flow with its configs, ready to run.
type Spec struct {
	File     string
	Run      Run
	Flow     []Node
	Warnings spec.Diagnostics // legal, but probably not meant
}

// Node is a stage of a flow.
type Node struct {
	Name   string
	Decl   Declared
	Config any    // pointer to the stage's config
	Traits Traits // of the elements that it sends
	at     spec.Place

	section *spec.Section // Config's keys and their places
}

// Parse reads a spec and applies overrides. The error is spec.Diagnostics, all
// problems at once.
func Parse(file string, src []byte, overrides []Override) (*Spec, error) {
	doc := spec.Read(file, src, overrides)
	s := &Spec{File: file, Run: defaultRun()}
	if doc.Run == nil {
		return nil, doc.Diagnostics()
	}
	run := doc.Decode(doc.Run, &s.Run)
	s.Run.name(file)
	validate(run, &s.Run, &s.Run)
	settle(&s.Run)
	known := true // a stage below an unknown one cannot be linked
	for _, part := range doc.Flow {
		if part == nil {
			known = false
			continue
		}
		decl, ok := Lookup(part.Name)
		if !ok {
			doc.Unknown(part.Place, part.Path, "no such stage", part.Name, namesOf(func(Declared) bool { return true }))
			known = false
			continue
		}
		n := Node{Name: part.Name, Decl: decl, Config: decl.Config(), at: part.Place}
		n.section = doc.Decode(part, n.Config)
		if b, ok := n.Config.(Bounded); ok && run.Written("grid.boundary") && !run.Failed() {
			b.SetBoundary(s.Run.Domain(1, 1).Wraps(), n.section.Written)
		}
		validate(n.section, n.Config, &s.Run)
		if known {
			s.Flow = append(s.Flow, n)
		}
	}
	link(doc, &s.Run, s.Flow)
	return s.checked(doc, run)
}

// checked returns the spec with its warnings, or all problems if one is an error.
func (s *Spec) checked(doc *spec.Document, run *spec.Section) (*Spec, error) {
	if !doc.Diagnostics().Failed() {
		s.adviseRun(run.Warn)
		advise(s.Flow)
	}
	s.Warnings = doc.Diagnostics()
	if s.Warnings.Failed() {
		return nil, s.Warnings
	}
	return s, nil
}

// adviseRun warns of keys of the run that do nothing in its flow.
func (s *Spec) adviseRun(warn func(key, summary, detail string)) {
	if s.Run.OnSignal != "exit" && !s.Resumable() {
		warn("on_signal", fmt.Sprintf("is %s, but does nothing: a run of this flow cannot be resumed", s.Run.OnSignal), "")
	}
}

// validate lets a config report problems that its fields' tags cannot express. If it
// has none, the config can warn of unwise values.
func validate(s *spec.Section, config any, run *Run) {
	if v, ok := config.(Validator); ok {
		v.Validate(run, s.Report)
	}
	if a, ok := config.(Adviser); ok && !s.Failed() {
		a.Advise(run, s.Warn)
	}
}

// YAML returns the spec with every key written out. Running it gives the same result.
func (s *Spec) YAML() []byte {
	return spec.Write(&s.Run, s.items(func(Node) bool { return true }))
}

// Lasting returns, as YAML, what a resumed run must have in common with this one: the
// stages that change what others see, without the keys that may change freely.
func (s *Spec) Lasting() []byte {
	return spec.WriteLasting(&s.Run, s.items(func(n Node) bool { return !n.Decl.Link.Bystander }))
}

func (s *Spec) items(keep func(Node) bool) []spec.Item {
	var items []spec.Item
	for _, n := range s.Flow {
		if keep(n) {
			items = append(items, spec.Item{Name: n.Name, Config: n.Config})
		}
	}
	return items
}
