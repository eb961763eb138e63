package pipeline

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// sampleConfig has a field of every kind that configs have.
type sampleConfig struct {
	Flag   bool             `yaml:"flag" flag:"sample-flag" doc:"a switch"`
	Count  int              `yaml:"count" flag:"sample-count" doc:"a whole number"`
	Scale  float64          `yaml:"scale" doc:"a number"`
	Seed   uint64           `yaml:"seed" doc:"a seed"`
	Name   string           `yaml:"name" doc:"text"`
	File   string           `yaml:"file" path:"file" doc:"a path"`
	Names  []string         `yaml:"names" doc:"a list of names"`
	Levels []int            `yaml:"levels" doc:"a list of whole numbers"`
	Box    []float64        `yaml:"box" doc:"a list of numbers"`
	Split  map[string][]int `yaml:"split" doc:"lists by name"`
	Inner  Grid             `yaml:"inner" doc:"a struct"`
}

func (c *sampleConfig) Validate(_ *Run, report func(key, format string, args ...any)) {
	if c.Count < 0 {
		report("count", "is %d: want at least 0", c.Count)
	}
}

func init() {
	Register(Declaration{Name: "sample_source", Doc: "For tests.", Link: Link{Source: true, Adds: Planar},
		Config: func() any { return &sampleConfig{Count: 1, Names: []string{"x"}} }})
	Register(Declaration{Name: "sample_sink", Doc: "For tests.", Link: Link{Needs: Planar}, Config: func() any { return &sampleConfig{} }})
	Register(Declaration{Name: "sample_steps", Doc: "For tests.", Link: Link{Needs: Batched, Adds: Steps}, Config: func() any { return &struct{}{} }})
	Register(Declaration{Name: "sample_batch", Doc: "For tests.", Link: Link{Needs: Planar, Adds: Batched}, Config: func() any { return &struct{}{} }})
}

// source is a flow of a sample_source with those keys.
func source(keys string) string {
	return "version: 1\nflow:\n  - sample_source:\n" + keys
}

func TestDecode(t *testing.T) {
	spec, err := Parse("/specs/a.yaml", []byte(source(`
      flag: true
      count: 1e4
      scale: 2
      seed: 18
      name: "7"
      file: ../data
      names: Bx, jz
      levels: [1, 3-5, 9]
      box: [1, 2.5e-1]
      split: {train: 0-2, val: [7]}
      inner: {box: [1, 2]}
`)), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := &sampleConfig{
		Flag: true, Count: 10000, Scale: 2, Seed: 18, Name: "7", File: "/data", Names: []string{"Bx", "jz"},
		Levels: []int{1, 3, 4, 5, 9}, Box: []float64{1, 0.25}, Split: map[string][]int{"train": {0, 1, 2}, "val": {7}},
		Inner: Grid{Box: []float64{1, 2}},
	}
	if diff := cmp.Diff(want, spec.Flow[0].Config); diff != "" {
		t.Errorf("decoded differently (-want +got):\n%s", diff)
	}
}

// TestResolved: the resolved spec parses to the same spec, wherever it lies.
func TestResolved(t *testing.T) {
	spec, err := Parse("/specs/a.yaml", []byte(source("      {levels: 0-3, file: x, split: {val: 1}, scale: 1e-3}\n")), nil)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Parse("/elsewhere/b.yaml", spec.YAML(), nil)
	if err != nil {
		t.Fatalf("%v\n%s", err, spec.YAML())
	}
	empty := cmpopts.EquateEmpty() // nil and [] are the same in YAML
	if diff := cmp.Diff(spec.Flow[0].Config, again.Flow[0].Config, empty); diff != "" {
		t.Errorf("the resolved spec differs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(spec.Run, again.Run, empty); diff != "" {
		t.Errorf("the resolved run differs (-want +got):\n%s", diff)
	}
}

func TestDiagnostics(t *testing.T) {
	for name, c := range map[string]struct {
		yaml      string
		overrides []Override
		want      []string
	}{
		"unknown key":  {source("      cuont: 3\n"), nil, []string{`s.yaml:4:7: flow[0].sample_source.cuont: unknown key (did you mean "count"?)`}},
		"far from any": {source("      zzzzzzzzz: 3\n"), nil, []string{`s.yaml:4:7: flow[0].sample_source.zzzzzzzzz: unknown key`}},
		"wrong types": {source("      count: 1.5\n      flag: 1\n      scale: [1]\n      name: {a: 1}\n      levels: {a: 1}\n      split: 3\n      inner: no\n"), nil, []string{
			`s.yaml:4:14: flow[0].sample_source.count: wants a whole number, got 1.5`,
			`s.yaml:5:13: flow[0].sample_source.flag: wants true or false, got 1`,
			`s.yaml:6:14: flow[0].sample_source.scale: wants a number, got a list`,
			`s.yaml:7:14: flow[0].sample_source.name: wants text, got a map`,
			`s.yaml:8:16: flow[0].sample_source.levels: wants a list, got a map`,
			`s.yaml:9:14: flow[0].sample_source.split: wants names with lists, got 3`,
			`s.yaml:10:14: flow[0].sample_source.inner: wants keys and values, got "no"`,
		}},
		"infinite":    {source("      scale: .inf\n"), nil, []string{`s.yaml:4:14: flow[0].sample_source.scale: wants a number, got +Inf`}},
		"invalid":     {source("      count: -1\n"), nil, []string{`s.yaml:4:14: flow[0].sample_source.count: is -1: want at least 0`}},
		"twice":       {source("      count: 1\n      count: 2\n"), nil, []string{`s.yaml:5:7: mapping key "count" already defined at [4:7]`}},
		"anchor":      {source("      name: &a x\n"), nil, []string{`s.yaml:4:13: anchor is not used in specs`}},
		"no such":     {"version: 1\nflow:\n  - sample_sorce:\n", nil, []string{`s.yaml:3:5: flow[0].sample_sorce: no such stage (did you mean "sample_source"?)`}},
		"source last": {"version: 1\nflow:\n  - sample_source:\n  - sample_source:\n", nil, []string{`s.yaml:4:5: flow[1].sample_source: starts a flow: it can only stand first`}},
		"frames after steps": {"version: 1\nflow:\n  - sample_source:\n  - sample_batch:\n  - sample_steps:\n  - sample_batch:\n", nil, []string{
			`s.yaml:6:5: flow[3].sample_batch: takes frames, but sample_steps above it gives training steps`}},
		"missing trait": {"version: 1\nflow:\n  - sample_source:\n  - sample_steps:\n", nil, []string{
			`s.yaml:4:5: flow[1].sample_steps: needs batched frames: put sample_batch above it`}},
		"set":         {source("      count: 1\n"), []Override{{"sample_source.count", "x", "--set a"}}, []string{`--set a: wants a whole number, got "x"`}},
		"set invalid": {source("      count: 1\n"), []Override{{"0.count", "-4", "--set b"}}, []string{`--set b: is -4: want at least 0`}},
		"set unknown": {source("      count: 1\n"), []Override{{"sampl.count", "1", "--set c"}}, []string{`--set c: the spec has no sampl stage`}},
		"set twice": {"version: 1\nflow:\n  - sample_source:\n  - sample_sink:\n  - sample_sink:\n", []Override{{"sample_sink.count", "1", "--set d"}},
			[]string{`--set d: sample_sink stands in the flow more than once: address it by its index`}},
		"not a spec": {"- a\n- b\n", nil, []string{`s.yaml: the spec is empty: want version, run and flow`}},
		"no version": {"flow:\n  - sample_source:\n", nil, []string{`s.yaml:1:1: version: is missing: want version: 1`}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Parse("s.yaml", []byte(c.yaml), c.overrides)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(strings.Join(c.want, "\n"), got); diff != "" {
				t.Errorf("diagnostics differ (-want +got):\n%s", diff)
			}
		})
	}
}

// TestOverrides: flags reach keys that the spec has and has not, nested ones
// too, and paths in them start at the current folder.
func TestOverrides(t *testing.T) {
	spec, err := Parse("/specs/a.yaml", []byte("version: 1\nflow:\n  - sample_source\n  - sample_sink: {file: here}\n"), []Override{
		{"sample_source.count", "5", "--sample-count"}, {"sample_source.split.val", "[3]", "--set"}, {"run.seed", "9", "--seed"},
		{"1.names", "a,b", "--set"}, {"sample_source.file", "there", "--set"}, {"sample_source.inner.box", "[1,2]", "--set"},
	})
	if err != nil {
		t.Fatal(err)
	}
	cwd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	first, second := spec.Flow[0].Config.(*sampleConfig), spec.Flow[1].Config.(*sampleConfig)
	if first.Count != 5 || first.Split["val"][0] != 3 || spec.Run.Seed != 9 || len(second.Names) != 2 || len(first.Inner.Box) != 2 {
		t.Errorf("overrides went astray: %+v %+v %+v", first, second, spec.Run)
	}
	if first.File != filepath.Join(cwd, "there") || second.File != "/specs/here" {
		t.Errorf("paths %s and %s", first.File, second.File)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(source("      {count: 1, names: [a, b], split: {train: 0-3}}\n"))
	f.Add("version: 1\nrun: {grid: {box: [1, 2]}}\nflow: [a: {}, b]\n")
	f.Add("a: &x [*x]")
	f.Add("<<: {a: 1}")
	f.Fuzz(func(t *testing.T, text string) {
		spec, err := Parse("f.yaml", []byte(text), []Override{{"sample_source.count", "3", "--set"}})
		if (spec == nil) != (err != nil) {
			t.Errorf("spec %v, error %v", spec, err)
		}
	})
}
