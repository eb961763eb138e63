package pipeline

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"fmsr.example/fmsr/internal/frames"
)

// Stages that Register refuses.
type (
	idle      struct{ sampleStage }
	badFlush  struct{ sampleProcessor }
	badFitter struct{ sampleProcessor }
	badPicker struct{ sampleProcessor }
)

func (badFlush) Flush() ([]Element, error)                            { return nil, nil }
func (badFitter) Fit(context.Context, Element) (enough bool, _ error) { return true, nil }
func (badPicker) Pick(func(frames.Part) bool)                         {}

func TestRegisterPanics(t *testing.T) {
	untagged := struct {
		A int `doc:"a"`
	}{}
	processor := func(*none) Stage { return sampleProcessor{} }
	for name, c := range map[string]struct {
		register func()
		want     string
	}{
		"twice": {func() { Register(Declaration[none]{Name: "sample_sink", New: processor}) }, "stage sample_sink registered twice"},
		"config": {func() {
			Register(Declaration[struct {
				A int `doc:"a"`
			}]{Name: "bad", Default: untagged})
		}, "stage bad: field A needs yaml and doc tags"},
		"no struct": {func() { Register(Declaration[int]{Name: "bad"}) }, "stage bad: config is *int: want a pointer to a struct"},
		"no stage":  {func() { Register(Declaration[none]{Name: "bad", New: func(*none) Stage { return nil }}) }, "stage bad: the constructor New returns nothing"},
		"idle": {func() { Register(Declaration[none]{Name: "bad", New: func(*none) Stage { return idle{} }}) },
			"stage bad: pipeline.idle is neither a Source nor a Processor"},
		"wrong signature": {func() { Register(Declaration[none]{Name: "bad", New: func(*none) Stage { return badFlush{} }}) },
			"stage bad: pipeline.badFlush has a method Flush and does not implement pipeline.Flusher: it is a func() ([]pipeline.Element, error), want all of the interface, and a func(context.Context) ([]pipeline.Element, error)"},
		"half an interface": {func() { Register(Declaration[none]{Name: "bad", New: func(*none) Stage { return badFitter{} }}) },
			"pipeline.badFitter has a method Fit and does not implement pipeline.Fitter"},
		"no source to pick from": {func() { Register(Declaration[none]{Name: "bad", New: func(*none) Stage { return badPicker{} }}) },
			"pipeline.badPicker has a method Pick and does not implement pipeline.Picker"},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, c.want) {
					t.Errorf("panic %q, want %q", got, c.want)
				}
			}()
			c.register()
		})
	}
	if _, ok := Lookup("bad"); ok {
		t.Error("a refused stage is registered")
	}
}

// TestDerived: whether a stage starts a flow and whether it stores follows from
// its type.
func TestDerived(t *testing.T) {
	for name, want := range map[string][2]bool{"sample_source": {true, false}, "sample_store": {false, true}, "sample_sink": {false, false}} {
		d, _ := Lookup(name)
		if got := [2]bool{d.Source, d.Store}; got != want {
			t.Errorf("%s is a source, a store: %v, want %v", name, got, want)
		}
	}
}

func TestDeclarations(t *testing.T) {
	var names []string
	for _, d := range Declarations() {
		names = append(names, d.Name)
	}
	if !slices.IsSorted(names) || !slices.Contains(names, "sample_sink") {
		t.Errorf("declarations %v", names)
	}
}

// TestDefaultsAreCopies: what one config changes, the next does not see.
func TestDefaultsAreCopies(t *testing.T) {
	d, _ := Lookup("sample_source")
	d.Config().(*sampleConfig).Names[0] = "changed"
	if names := d.Config().(*sampleConfig).Names; names[0] != "x" {
		t.Errorf("defaults %v", names)
	}
}
