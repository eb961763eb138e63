package pipeline

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"fmsr/internal/testkit/fuzzlimit"
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
	Maybe  *Grid            `yaml:"maybe" doc:"a struct that may be absent"`
	Files  []string         `yaml:"files" path:"file" doc:"paths"`
}

func (c *sampleConfig) Validate(_ *Run, report func(key, format string, args ...any)) {
	if c.Count < 0 {
		report("count", "is %d: want at least 0", c.Count)
	}
	if c.Name == "bad" {
		report("name", "is bad")
		report("scale", "does not go with name %q", c.Name)
	}
	if len(c.Inner.Box) == 1 {
		report("inner.box", "is one number")
	}
}

func init() {
	Register(Declaration{Name: "sample_source", Doc: "For tests.", Link: Link{Source: true, Adds: Planar},
		Config: func() any { return &sampleConfig{Count: 1, Names: []string{"x"}} }})
	Register(Declaration{Name: "sample_change", Doc: "For tests.", Link: Link{Needs: Planar, Adds: Stored, Drops: Planar},
		Config: func() any { return &struct{}{} }})
	Register(Declaration{Name: "sample_after", Doc: "For tests.", Link: Link{Needs: Steps}, Config: func() any { return &struct{}{} }})
	Register(Declaration{Name: "sample_paths", Doc: "For tests.", Link: Link{Needs: Planar}, Config: func() any {
		return &struct {
			File  string   `yaml:"file" path:"file" doc:"a path with a default"`
			Files []string `yaml:"files" path:"file" doc:"paths with defaults"`
		}{"here", []string{"~/a", "/b", ""}}
	}})
	Register(Declaration{Name: "sample_sink", Doc: "For tests.", Link: Link{Needs: Planar}, Config: func() any { return &sampleConfig{} }})
	Register(Declaration{Name: "sample_steps", Doc: "For tests.", Link: Link{Needs: Batched, Adds: Steps}, Config: func() any { return &struct{}{} }})
	Register(Declaration{Name: "sample_batch", Doc: "For tests.", Link: Link{Needs: Planar, Adds: Batched}, Config: func() any { return &struct{}{} }})
}

// source is a flow of a sample_source with those keys.
func source(keys string) string {
	return "version: 1\nflow:\n  - sample_source:\n" + keys
}

func TestDecode(t *testing.T) {
	t.Setenv("HOME", "/home/me")
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
      maybe: {boundary: [open]}
      files: [a, ~/b, /c]
`)), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := &sampleConfig{
		Flag: true, Count: 10000, Scale: 2, Seed: 18, Name: "7", File: "/data", Names: []string{"Bx", "jz"},
		Levels: []int{1, 3, 4, 5, 9}, Box: []float64{1, 0.25}, Split: map[string][]int{"train": {0, 1, 2}, "val": {7}},
		Inner: Grid{Box: []float64{1, 2}}, Maybe: &Grid{Boundary: []string{"open"}}, Files: []string{"/specs/a", "/home/me/b", "/c"},
	}
	if diff := cmp.Diff(want, spec.Flow[0].Config); diff != "" {
		t.Errorf("decoded differently (-want +got):\n%s", diff)
	}
}

// TestDecodeAbsent: what is not said keeps its default, a byte order mark is no
// part of a key.
func TestDecodeAbsent(t *testing.T) {
	spec, err := Parse("s.yaml", []byte("\ufeff"+source("      maybe:\n      split:\n      inner:\n")), nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&sampleConfig{Count: 1, Names: []string{"x"}}, spec.Flow[0].Config); diff != "" {
		t.Errorf("decoded differently (-want +got):\n%s", diff)
	}
}

func TestDiagnostics(t *testing.T) {
	for name, c := range map[string]struct {
		yaml string
		want []string
	}{
		"unknown key":  {source("      cuont: 3\n"), []string{`s.yaml:4:7: flow[0].sample_source.cuont: unknown key (did you mean "count"?)`}},
		"far from any": {source("      zzzzzzzzz: 3\n"), []string{`s.yaml:4:7: flow[0].sample_source.zzzzzzzzz: unknown key`}},
		"wrong types": {source("      count: 1.5\n      flag: 1\n      scale: [1]\n      name: {a: 1}\n      levels: {a: 1}\n      split: 3\n      inner: no\n"), []string{
			`s.yaml:4:14: flow[0].sample_source.count: wants a whole number, got 1.5`,
			`s.yaml:5:13: flow[0].sample_source.flag: wants true or false, got 1`,
			`s.yaml:6:14: flow[0].sample_source.scale: wants a number, got a list`,
			`s.yaml:7:14: flow[0].sample_source.name: wants text, got a map`,
			`s.yaml:8:16: flow[0].sample_source.levels: wants a list, got a map`,
			`s.yaml:9:14: flow[0].sample_source.split: wants names with lists, got 3`,
			`s.yaml:10:14: flow[0].sample_source.inner: wants keys and values, got "no"`,
		}},
		"infinite": {source("      scale: .inf\n"), []string{`s.yaml:4:14: flow[0].sample_source.scale: wants a number, got +Inf`}},
		"invalid":  {source("      count: -1\n"), []string{`s.yaml:4:14: flow[0].sample_source.count: is -1: want at least 0`}},
		"twice":    {source("      count: 1\n      count: 2\n"), []string{`s.yaml:5:7: mapping key "count" already defined at [4:7]`}},
		"anchor":   {source("      name: &a x\n"), []string{`s.yaml:4:13: anchor is not used in specs`}},
		"no such":  {"version: 1\nflow:\n  - sample_sorce:\n", []string{`s.yaml:3:5: flow[0].sample_sorce: no such stage (did you mean "sample_source"?)`}},
		"validated though a key is unknown": {source("      count: -1\n      cuont: 3\n"), []string{
			`s.yaml:4:14: flow[0].sample_source.count: is -1: want at least 0`,
			`s.yaml:5:7: flow[0].sample_source.cuont: unknown key (did you mean "count"?)`}},
		"not validated where wrong": {source("      name: bad\n      scale: x\n"), []string{
			`s.yaml:4:13: flow[0].sample_source.name: is bad`,
			`s.yaml:5:14: flow[0].sample_source.scale: wants a number, got "x"`}},
		"validated key that is absent": {source("      name: bad\n"), []string{
			`s.yaml:3:5: flow[0].sample_source.scale: does not go with name "bad"`,
			`s.yaml:4:13: flow[0].sample_source.name: is bad`}},
		"validated nested key": {source("      inner:\n        box: [1]\n"), []string{
			`s.yaml:5:14: flow[0].sample_source.inner.box: is one number`}},
		"nothing after a key": {source("      count:\n      names:\n      split:\n      inner:\n      maybe:\n"), []string{
			`s.yaml:4:13: flow[0].sample_source.count: wants a whole number, got nothing`,
			`s.yaml:5:13: flow[0].sample_source.names: wants a list, got nothing`}},
		"in a list": {source("      levels: [1, x, 3-1]\n      split: {a: [y]}\n"), []string{
			`s.yaml:4:19: flow[0].sample_source.levels[1]: wants a whole number, got "x"`,
			`s.yaml:4:22: flow[0].sample_source.levels[2]: wants a whole number, got "3-1"`,
			`s.yaml:5:19: flow[0].sample_source.split.a[0]: wants a whole number, got "y"`}},
		"in a pointer": {source("      maybe: {bix: 3}\n"), []string{`s.yaml:4:15: flow[0].sample_source.maybe.bix: unknown key (did you mean "box"?)`}},
		"negative seed": {source("      seed: -1\n"), []string{
			`s.yaml:4:13: flow[0].sample_source.seed: wants a whole number from 0 to 18446744073709551615, got -1`}},
		"keys and links at once": {"version: 1\nflow:\n  - sample_source: {cuont: 2}\n  - sample_steps:\n", []string{
			`s.yaml:3:21: flow[0].sample_source.cuont: unknown key (did you mean "count"?)`,
			`s.yaml:4:5: flow[1].sample_steps: needs batched frames: put sample_batch above it`}},
		"run": {"version: 1\nrun: {name: .., device: tpu, threads: -1, max_steps: -1, checkpoint_every: 0, grid: {box: [0, 1], boundary: [wall, open]}}\nflow: [sample_source]\n", []string{
			`s.yaml:2:13: run.name: is "..": want a name that can be a folder's`,
			`s.yaml:2:25: run.device: device "tpu": want auto, cpu, cuda or cuda:INDEX`,
			`s.yaml:2:39: run.threads: is -1: want at least 0`,
			`s.yaml:2:54: run.max_steps: is -1: want at least 0`,
			`s.yaml:2:76: run.checkpoint_every: is 0: want at least 1`,
			`s.yaml:2:91: run.grid.box: is [0 1]: want the height and the width, more than 0`,
			`s.yaml:2:109: run.grid.boundary: is [wall open]: want periodic or open for y and for x`}},
		"run is no map": {"version: 1\nrun: 7\nflow: [sample_source]\n", []string{`s.yaml:2:6: run: wants keys and values, got 7`}},
		"top": {"vesion: 1\nflow: [sample_source]\n", []string{
			`s.yaml:1:1: vesion: unknown key (did you mean "version"?)`, `s.yaml:1:1: version: is missing: want version: 1`}},
		"version 2":  {"version: 2\nflow: [sample_source]\n", []string{`s.yaml:1:10: version: is 2: want 1`}},
		"no flow":    {"version: 1\n", []string{`s.yaml:1:1: flow: is missing: list the stages`}},
		"empty flow": {"version: 1\nflow: []\n", []string{`s.yaml:2:1: flow: is empty: list the stages`}},
		"two stages in one": {"version: 1\nflow:\n  - {sample_source: , sample_sink: }\n  - 7\n", []string{
			`s.yaml:3:6: flow[0]: wants one stage and its keys, got a map`, `s.yaml:4:5: flow[1]: wants one stage and its keys, got 7`}},
		"syntax":     {"version: 1\nflow:\n  - sample_source: {count: 1\n", []string{`s.yaml:3:20: could not find flow mapping end token '}'`}},
		"documents":  {"version: 1\n---\n7\n", []string{`s.yaml:3:1: a second YAML document: a spec is one`}},
		"merge":      {source("      <<: {count: 1}\n"), []string{`s.yaml:4:7: merge keys are not used in specs`}},
		"alias":      {source("      name: *a\n"), []string{`s.yaml:4:13: alias is not used in specs`}},
		"tag":        {source("      name: !!str 7\n"), []string{`s.yaml:4:13: tag is not used in specs`}},
		"empty":      {"# nothing\n", []string{`s.yaml: the spec is empty: want version, run and flow`}},
		"not a spec": {"- a\n- b\n", []string{`s.yaml:1:1: the spec is a list: want version, run and flow`}},
		"no version": {"flow:\n  - sample_source:\n", []string{`s.yaml:1:1: version: is missing: want version: 1`}},
	} {
		t.Run(name, func(t *testing.T) { wantDiagnostics(t, c.yaml, nil, c.want...) })
	}
}

// wantDiagnostics parses a spec as s.yaml and wants exactly these lines.
func wantDiagnostics(t *testing.T, yaml string, overrides []Override, want ...string) {
	t.Helper()
	got := ""
	if _, err := Parse("s.yaml", []byte(yaml), overrides); err != nil {
		got = err.Error()
	}
	if diff := cmp.Diff(strings.Join(want, "\n"), got); diff != "" {
		t.Errorf("diagnostics differ (-want +got):\n%s", diff)
	}
}

// FuzzParse: any text gives a spec or an error, never a panic, and a spec that
// is parsed can be written and parsed again.
func FuzzParse(f *testing.F) {
	f.Add(source("      {count: 1, names: [a, b], split: {train: 0-3}}\n"))
	f.Add("version: 1\nrun: {grid: {box: [1, 2]}}\nflow: [a: {}, b]\n")
	f.Add("a: &x [*x]")
	f.Add("<<: {a: 1}")
	f.Add(source("      levels: [" + strings.Repeat("0-9999,", 20) + "]\n"))
	f.Add("version: 1\nrun: {units: [a=a,a=a,b]}\nflow: [" + strings.Repeat("a,", 200) + "]\n")
	f.Add(strings.Repeat("a:\nb:\n", 50) + "[,")
	f.Fuzz(func(t *testing.T, text string) {
		fuzzlimit.Run(t, len(text), func() { parseTwice(t, text) })
	})
}

func parseTwice(t *testing.T, text string) {
	spec, err := Parse("f.yaml", []byte(text), []Override{{"sample_source.count", "3", "--set"}})
	if (spec == nil) != (err != nil) {
		t.Errorf("spec %v, error %v", spec, err)
	}
	if err != nil {
		_ = err.Error() // all lines of it
	}
	if spec == nil || !utf8.ValidString(text) {
		return
	}
	if _, err := Parse("f.yaml", spec.YAML(), nil); err != nil {
		t.Errorf("the resolved spec: %v\n%s", err, spec.YAML())
	}
}
