package spec

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"fmsr.example/fmsr/internal/testkit/fuzzlimit"
)

// sampleConfig has a field of every kind that configs have.
type sampleConfig struct {
	Flag   bool                `yaml:"flag" flag:"sample-flag" doc:"a switch"`
	Count  int                 `yaml:"count" min:"0" flag:"sample-count" doc:"a whole number"`
	Scale  float64             `yaml:"scale" doc:"a number"`
	Seed   uint64              `yaml:"seed" doc:"a seed"`
	Name   string              `yaml:"name" doc:"text"`
	File   string              `yaml:"file" path:"file" doc:"a path"`
	Names  []string            `yaml:"names" doc:"a list of names"`
	Levels []int               `yaml:"levels" doc:"a list of whole numbers"`
	Box    []float64           `yaml:"box" doc:"a list of numbers"`
	Split  map[string][]int    `yaml:"split" doc:"lists by name"`
	Odd    map[string][]string `yaml:"odd" doc:"lists of names by name"`
	Weight map[string]float64  `yaml:"weight" doc:"numbers by name"`
	Inner  grid                `yaml:"inner" doc:"a struct"`
	Maybe  *grid               `yaml:"maybe" doc:"a struct that may be absent"`
	Files  []string            `yaml:"files" path:"file" doc:"paths"`
}

// grid is a config in a config.
type grid struct {
	Box      []float64 `yaml:"box" doc:"two numbers"`
	Boundary []string  `yaml:"boundary" doc:"two names"`
}

// validate reports as a caller of this package would.
func (c *sampleConfig) validate(report func(key, format string, args ...any)) {
	if c.Name == "bad" {
		report("name", "is bad")
		report("scale", "does not go with name %q", c.Name)
	}
	if len(c.Inner.Box) == 1 {
		report("inner.box", "is one number")
	}
}

// sampleRun is the run section of these tests.
type sampleRun struct {
	Name            string `yaml:"name" doc:"a name"`
	Seed            uint64 `yaml:"seed" flag:"seed" doc:"a seed"`
	Overfit         bool   `yaml:"overfit" flag:"overfit" doc:"a switch"`
	CheckpointEvery int    `yaml:"checkpoint_every" min:"1" doc:"a whole number"`
}

// samplePaths has defaults that are paths.
type samplePaths struct {
	File  string   `yaml:"file" path:"file" doc:"a path with a default"`
	Files []string `yaml:"files" path:"file" doc:"paths with defaults"`
}

// sampleConfigs makes the configs of these tests by the names of their items.
var sampleConfigs = map[string]func() any{
	"sample_source": func() any { return &sampleConfig{Count: 1, Names: []string{"x"}} },
	"sample_sink":   func() any { return &sampleConfig{} },
	"sample_paths":  func() any { return &samplePaths{"here", []string{"~/a", "/b", ""}} },
	"sample_rules": func() any {
		return &sampleRules{Boundary: "open", Axes: []string{"y"}, sampleInline: sampleInline{Steps: 9, Start: 0.5}}
	},
}

// sampleSpec is what the tests decode a document into.
type sampleSpec struct {
	Run  sampleRun
	Flow []Item
}

// parse decodes a document as package pipeline does, with these tests' configs.
func parse(file string, src []byte, overrides []Override) (*sampleSpec, error) {
	doc := Read(file, src, overrides)
	s := &sampleSpec{Run: sampleRun{Name: "run", CheckpointEvery: 1}}
	if doc.Run != nil {
		doc.Decode(doc.Run, &s.Run)
	}
	for _, part := range doc.Flow {
		if part == nil {
			continue
		}
		config, ok := sampleConfigs[part.Name]
		if !ok {
			doc.Unknown(part.Place, part.Path, "no such stage", part.Name, slices.Sorted(maps.Keys(sampleConfigs)))
			continue
		}
		item := Item{part.Name, config()}
		section := doc.Decode(part, item.Config)
		if c, ok := item.Config.(*sampleConfig); ok {
			c.validate(section.Report)
		}
		s.Flow = append(s.Flow, item)
	}
	if diags := doc.Diagnostics(); diags.Failed() {
		return nil, diags
	}
	return s, nil
}

// source is a flow of a sample_source with those keys.
func source(keys string) string {
	return "version: 1\nflow:\n  - sample_source:\n" + keys
}

func TestDecode(t *testing.T) {
	t.Setenv("HOME", "/home/me")
	spec, err := parse("/specs/a.yaml", []byte(source(`
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
      odd: {Bx: [x, y], "1e3": x, By: []}
      weight: {Bx: 2, 007: 1e-1}
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
		Odd: map[string][]string{"Bx": {"x", "y"}, "1e3": {"x"}, "By": {}}, Weight: map[string]float64{"Bx": 2, "007": 0.1},
		Inner: grid{Box: []float64{1, 2}}, Maybe: &grid{Boundary: []string{"open"}}, Files: []string{"/specs/a", "/home/me/b", "/c"},
	}
	if diff := cmp.Diff(want, spec.Flow[0].Config); diff != "" {
		t.Errorf("decoded differently (-want +got):\n%s", diff)
	}
}

// TestDecimal: numbers are decimal wherever they are written, and names stay as they are
// written.
func TestDecimal(t *testing.T) {
	keys := source(`
      count: 0100
      scale: 0100.5
      seed: 010
      names: [0x10, 1e3, 007, 1_000, True, 0100.50]
      levels: [0007, 0008, 0009, 0010, 0011-0012]
      box: [010, -010, 1e1, .5]
      split: {train: 0010, val: "0011,0012"}
`)
	flag := func(path, value string) Override {
		return Override{Path: "sample_source." + path, Value: value, Flag: "--f"}
	}
	want := &sampleConfig{
		Count: 100, Scale: 100.5, Seed: 10, Names: []string{"0x10", "1e3", "007", "1_000", "True", "0100.50"},
		Levels: []int{7, 8, 9, 10, 11, 12}, Box: []float64{10, -10, 10, 0.5},
		Split: map[string][]int{"train": {10}, "val": {11, 12}},
	}
	for how, c := range map[string]struct {
		yaml      string
		overrides []Override
	}{
		"spec": {keys, nil},
		"flags": {source("      count: 1\n"), []Override{
			flag("count", "0100"), flag("scale", "0100.5"), flag("seed", "010"), flag("names", "0x10,1e3,007,1_000,True,0100.50"),
			flag("levels", "0007,0008,0009,0010-0012"), flag("box", "[010, -010, 1e1, .5]"),
			flag("split.train", "0010"), flag("split.val", "0011-0012"),
		}},
	} {
		spec, err := parse("s.yaml", []byte(c.yaml), c.overrides)
		if err != nil {
			t.Fatalf("%s: %v", how, err)
		}
		if diff := cmp.Diff(want, spec.Flow[0].Config); diff != "" {
			t.Errorf("%s decoded differently (-want +got):\n%s", how, diff)
		}
	}
	for _, number := range []string{"0x10", "0o17", "0b11", "1_000"} {
		wantDiagnostics(t, source("      count: "+number+"\n      levels: [2, "+number+"]\n"), []Override{flag("split.a", number)},
			`s.yaml:4:14: flow[0].sample_source.count: wants a whole number, got "`+number+`": write it in decimal digits`,
			`s.yaml:5:19: flow[0].sample_source.levels[1]: wants a whole number, got "`+number+`": write it in decimal digits`,
			`--f: wants a whole number, got "`+number+`": write it in decimal digits`)
	}
}

// TestDecodeAbsent: an absent key keeps its default, a byte order mark is no part of a
// key.
func TestDecodeAbsent(t *testing.T) {
	spec, err := parse("s.yaml", []byte("\ufeff"+source("      maybe:\n      split:\n      inner:\n")), nil)
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
		"wrong types": {source("      count: 1.5\n      flag: 1\n      scale: [1]\n      name: {a: 1}\n      levels: {a: 1}\n      split: 3\n      inner: no\n      weight: {a: x, b: [1]}\n      odd: [a]\n"), []string{
			`s.yaml:4:14: flow[0].sample_source.count: wants a whole number, got 1.5`,
			`s.yaml:5:13: flow[0].sample_source.flag: wants true or false, got 1`,
			`s.yaml:6:14: flow[0].sample_source.scale: wants a number, got a list`,
			`s.yaml:7:14: flow[0].sample_source.name: wants text, got a map`,
			`s.yaml:8:16: flow[0].sample_source.levels: wants a list, got a map`,
			`s.yaml:9:14: flow[0].sample_source.split: wants names with lists, got 3`,
			`s.yaml:10:14: flow[0].sample_source.inner: wants keys and values, got "no"`,
			`s.yaml:11:19: flow[0].sample_source.weight.a: wants a number, got "x"`,
			`s.yaml:11:25: flow[0].sample_source.weight.b: wants a number, got a list`,
			`s.yaml:12:12: flow[0].sample_source.odd: wants names with lists, got a list`,
		}},
		"infinite": {source("      scale: .inf\n"), []string{`s.yaml:4:14: flow[0].sample_source.scale: wants a number, got .inf`}},
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
		"empty":      {"# nothing\n", []string{`s.yaml:1:1: the spec is empty: want version, run and flow`}},
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
	if _, err := parse("s.yaml", []byte(yaml), overrides); err != nil {
		got = err.Error()
	}
	if diff := cmp.Diff(strings.Join(want, "\n"), got); diff != "" {
		t.Errorf("diagnostics differ (-want +got):\n%s", diff)
	}
}

// FuzzRead: any text gives a spec or an error, never a panic, and a spec that is
// read can be written and read again.
func FuzzRead(f *testing.F) {
	f.Add(source("      {count: 1, names: [a, b], split: {train: 0-3}}\n"))
	f.Add("a: &x [*x]")
	f.Add("<<: {a: 1}")
	f.Add(strings.Repeat("a:\nb:\n", 50) + "[,")
	f.Fuzz(func(t *testing.T, text string) {
		fuzzlimit.Run(t, len(text), func() {
			spec, err := parse("f.yaml", []byte(text), []Override{{"sample_source.count", "3", "--set"}})
			if err != nil || !utf8.ValidString(text) {
				return
			}
			again := Write(&spec.Run, spec.Flow)
			if _, err := parse("f.yaml", again, nil); err != nil {
				t.Errorf("written: %v\n%s", err, again)
			}
		})
	})
}
