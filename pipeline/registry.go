package pipeline

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"fmsr.example/fmsr/pipeline/spec"
)

// Declaration is what a stage's file registers. Parsing, lint, list, describe, the
// flags of `fmsr run`, the schema and the wiring of neighbours all read it.
type Declaration[C any] struct {
	Name string
	// Doc starts with a one-line summary, which `fmsr list` shows. `fmsr describe` shows
	// all of it, the marble picture included.
	Doc  string
	Link Link
	// Revision is raised when the stage makes other frames than before of the same input and
	// config: caches and statistics of the frames before are then not used.
	Revision int
	// Default is the config with its defaults. The tags of its fields say what the
	// keys are and which values they can have (package spec). The config may
	// implement Validator, Adviser and FlowAdviser.
	Default C
	// New makes the stage from a config of its own. It takes no files, memory or threads:
	// Open does.
	New func(config *C) Stage
}

// Declared is a declaration in the registry, without the type of its config.
type Declared struct {
	Name, Doc string
	Link      Link
	Revision  int
	Source    bool                   // the stage starts a flow: it is a Source and no Store
	Store     bool                   // the stage is a Store
	Config    func() any             // pointer to a new config that holds the defaults
	New       func(config any) Stage // config as Config returns it
}

// registry holds the stages by name. Only Register changes it, from init functions.
var registry = map[string]Declared{}

// Register adds a stage to the registry. It panics on a programming error: the name is
// taken, the config cannot be read from a spec, the stage is neither a Source nor a
// Processor, or it has a method of an optional interface but does not implement that
// interface.
func Register[C any](d Declaration[C]) {
	if _, ok := registry[d.Name]; ok {
		panic("pipeline: stage " + d.Name + " registered twice")
	}
	config := func() any { return spec.Copy(d.Default) }
	if err := spec.Check(config()); err != nil {
		panic(fmt.Sprintf("pipeline: stage %s: %v", d.Name, err))
	}
	stage := d.New(spec.Copy(d.Default))
	if err := checkStage(stage); err != nil {
		panic(fmt.Sprintf("pipeline: stage %s: %v", d.Name, err))
	}
	_, isStore := stage.(Store)
	_, isSource := stage.(Source)
	registry[d.Name] = Declared{
		Name: d.Name, Doc: d.Doc, Link: d.Link, Revision: d.Revision, Source: isSource && !isStore, Store: isStore,
		Config: config, New: func(config any) Stage { return d.New(config.(*C)) },
	}
}

// optional lists the interfaces that a stage may implement.
var optional = []reflect.Type{
	reflect.TypeFor[Source](), reflect.TypeFor[Processor](), reflect.TypeFor[Store](), reflect.TypeFor[Flusher](),
	reflect.TypeFor[Fitter](), reflect.TypeFor[Fuser](), reflect.TypeFor[FitFuser](), reflect.TypeFor[Picker](),
	reflect.TypeFor[Keeper](), reflect.TypeFor[Starter](), reflect.TypeFor[Resumer](), reflect.TypeFor[Stepper](),
}

// checkStage returns an error if a stage is neither a Source nor a Processor. It also
// returns one if a method has the name of an optional interface's method, but the stage
// does not implement that interface: the pipeline would never call the method.
func checkStage(s Stage) error {
	t := reflect.TypeOf(s)
	if t == nil {
		return errors.New("the constructor New returns nothing")
	}
	for _, o := range optional {
		for i := range o.NumMethod() {
			want := o.Method(i)
			have := reflect.ValueOf(s).MethodByName(want.Name)
			if !have.IsValid() || !owns(o, want.Name) || t.Implements(o) {
				continue
			}
			return fmt.Errorf("%s has a method %s and does not implement %s: it is a %s, want all of the interface, and a %s",
				t, want.Name, o, have.Type(), want.Type)
		}
	}
	_, isSource := s.(Source)
	_, isProcessor := s.(Processor)
	if !isSource && !isProcessor {
		return fmt.Errorf("%s is neither a Source nor a Processor", t)
	}
	return nil
}

// owns reports whether no other optional interface that o includes has the method.
func owns(o reflect.Type, method string) bool {
	return !slices.ContainsFunc(append(optional, reflect.TypeFor[Stage]()), func(other reflect.Type) bool {
		_, has := other.MethodByName(method)
		return other != o && o.Implements(other) && has
	})
}

// Lookup finds a stage by name.
func Lookup(name string) (Declared, bool) {
	d, ok := registry[name]
	return d, ok
}

// Declarations returns all stages, by name.
func Declarations() []Declared {
	var ds []Declared
	for _, d := range registry {
		ds = append(ds, d)
	}
	slices.SortFunc(ds, func(a, b Declared) int { return strings.Compare(a.Name, b.Name) })
	return ds
}
