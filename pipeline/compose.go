package pipeline

import (
	"fmt"
	"reflect"

	"fmsr.example/fmsr/pipeline/spec"
)

// Part is a stage of a flow that is made in code.
type Part struct {
	decl   Declared
	config any
	err    error
}

// With returns the stage whose config is a C. Edit changes the defaults; nil leaves
// them as they are.
func With[C any](edit func(*C)) Part {
	for _, d := range Declarations() {
		if c, ok := d.Config().(*C); ok {
			if edit != nil {
				edit(c)
			}
			return Part{decl: d, config: c}
		}
	}
	return Part{err: fmt.Errorf("no registered stage has a config of type %s", reflect.TypeFor[C]())}
}

// Given returns a source that is made in code and has no name in specs. It sends elements with
// these traits. A training that starts from it cannot be resumed, since its spec.yaml cannot be
// read. A cache below it relies on the Identity of its Meta, which has to change with the values.
func Given(gives Traits, s Source) Part {
	none := func() any { return &struct{}{} }
	return Part{config: none(), decl: Declared{
		Name: "given", Link: Link{Adds: gives}, Source: true, Config: none, New: func(any) Stage { return s },
	}}
}

// Compose returns a spec that is made in code instead of YAML. Edit changes the
// defaults of the run section; nil leaves them. The error is spec.Diagnostics, all
// problems at once, as from Parse. Options.Receive takes what the last stage sends.
func Compose(edit func(*Run), parts ...Part) (*Spec, error) {
	s := &Spec{File: "flow in code", Run: defaultRun()}
	s.Run.Name = "run"
	if edit != nil {
		edit(&s.Run)
	}
	doc := spec.New(s.File)
	run := doc.Decode(doc.Run, &s.Run)
	validate(run, &s.Run, &s.Run)
	settle(&s.Run)
	for i, p := range parts {
		if p.err != nil {
			doc.Report(spec.Place{}, fmt.Sprintf("flow[%d]", i), "%v", p.err)
			continue
		}
		section := doc.Decode(doc.Part(flowPath(i, p.decl.Name)), p.config)
		validate(section, p.config, &s.Run)
		s.Flow = append(s.Flow, Node{Name: p.decl.Name, Decl: p.decl, Config: p.config, section: section})
	}
	switch {
	case len(parts) == 0:
		doc.Report(spec.Place{}, "flow", "is empty: list the stages")
	case !doc.Diagnostics().Failed():
		link(doc, &s.Run, s.Flow)
	}
	return s.checked(doc, run)
}
