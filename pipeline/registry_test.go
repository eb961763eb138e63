package pipeline

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestRegisterPanics(t *testing.T) {
	for name, c := range map[string]struct {
		stage  string
		config any
		want   string
	}{
		"twice":     {"sample_sink", &struct{}{}, "stage sample_sink registered twice"},
		"no struct": {"bad", 3, "config is int: want a pointer to a struct"},
		"untagged": {"bad", &struct {
			A int `doc:"a"`
		}{}, "field A needs yaml and doc tags"},
		"undocumented": {"bad", &struct {
			A int `yaml:"a"`
		}{}, "field A needs yaml and doc tags"},
		"nested": {"bad", &struct {
			A struct{ B int } `yaml:"a" doc:"a"`
		}{}, "A: field B needs yaml and doc tags"},
		"key twice": {"bad", &struct {
			A int `yaml:"a" doc:"a"`
			B int `yaml:"a" doc:"b"`
		}{}, `field B has the key "a" of another`},
		"kind": {"bad", &struct {
			A map[string]int `yaml:"a" doc:"a"`
		}{}, "field A is a map[string]int, which is not decoded"},
		"path": {"bad", &struct {
			A int `yaml:"a" path:"file" doc:"a"`
		}{}, "field A is a int: a path is a string or a []string"},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, c.want) {
					t.Errorf("panic %q, want %q", got, c.want)
				}
			}()
			Register(Declaration{Name: c.stage, Config: func() any { return c.config }})
		})
	}
	if _, ok := Lookup("bad"); ok {
		t.Error("a refused stage is registered")
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
