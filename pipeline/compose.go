package pipeline

import (
	"fmt"
	"reflect"
)

// Part is a stage of a flow that is made in code.
type Part struct {
	decl   Declaration
	config any
	err    error
}

// With is the stage whose config is a C, with its defaults as edit changes them
// (nil: as they are).
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

// Compose is a spec made in code instead of YAML: its run section, as edit
// changes the defaults, and its flow. The error is Diagnostics: all problems at
// once, as Parse reports them. Options.Receive takes what comes out at the end.
func Compose(edit func(*Run), parts ...Part) (*Spec, error) {
	spec := &Spec{File: "flow in code", Run: defaultRun()}
	if edit != nil {
		edit(&spec.Run)
	}
	d := &decoder{file: spec.File}
	settle(&spec.Run)
	d.validate("run", &spec.Run, &spec.Run)
	for i, p := range parts {
		path := fmt.Sprintf("flow[%d]", i)
		if p.err != nil {
			d.report(place{}, path, "%v", p.err)
			continue
		}
		defaultPaths(reflect.ValueOf(p.config).Elem())
		d.validate(path+"."+p.decl.Name, p.config, &spec.Run)
		spec.Flow = append(spec.Flow, Node{Name: p.decl.Name, Decl: p.decl, Config: p.config})
	}
	switch {
	case len(parts) == 0:
		d.report(place{}, "flow", "is empty: list the stages")
	case len(d.diags) == 0:
		d.link(spec.Flow)
	}
	if len(d.diags) > 0 {
		return nil, d.diags
	}
	return spec, nil
}

func (d *decoder) validate(path string, config any, run *Run) {
	if v, ok := config.(Validator); ok {
		v.Validate(run, func(key, format string, args ...any) { d.report(place{}, path+"."+key, format, args...) })
	}
}
