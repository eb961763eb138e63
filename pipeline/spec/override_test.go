package spec

import (
	"os"
	"path/filepath"
	"testing"
)

func TestOverrideDiagnostics(t *testing.T) {
	one, twice := source("      count: 1\n"), "version: 1\nflow:\n  - sample_source:\n  - sample_sink:\n  - sample_sink:\n"
	for name, c := range map[string]struct {
		yaml, path, value string
		want              []string
	}{
		"wrong type":       {one, "sample_source.count", "x", []string{`--f: wants a whole number, got "x"`}},
		"invalid":          {one, "0.count", "-4", []string{`--f: is -4: want at least 0`}},
		"invalid run":      {one, "run.checkpoint_every", "0", []string{`--f: is 0: want at least 1`}},
		"unknown key":      {one, "sample_source.cuont", "3", []string{`--f: unknown key (did you mean "count"?)`}},
		"unknown run key":  {one, "run.sed", "3", []string{`--f: unknown key (did you mean "seed"?)`}},
		"into a number":    {one, "sample_source.count.x", "3", []string{`--f: wants a whole number, got a map`}},
		"empty key":        {one, "sample_source.", "3", []string{`--f: unknown key`}},
		"no key":           {one, "count", "3", []string{`--f: want STAGE.KEY or run.KEY`}},
		"no such stage":    {one, "sample_sorce.count", "3", []string{`--f: the spec has no sample_sorce stage (did you mean "sample_source"?)`}},
		"none of stages":   {one, "sample_sink.count|sample_steps.count", "3", []string{`--f: the spec has no sample_sink stage`}},
		"one of stages":    {one, "sample_sink.count|sample_source.count", "-1", []string{`--f: is -1: want at least 0`}},
		"index too large":  {one, "1.count", "3", []string{`--f: the flow has no stage 1: they are 0 to 0`}},
		"index negative":   {one, "-1.count", "3", []string{`--f: the flow has no stage -1: they are 0 to 0`}},
		"stage twice":      {twice, "sample_sink.count", "1", []string{`--f: sample_sink appears more than once in the flow: address it by its index`}},
		"stage no map":     {source("      7\n"), "sample_source.count", "3", []string{`s.yaml:4:7: flow[0].sample_source: wants keys and values, got 7`}},
		"run no map":       {"version: 1\nrun: [1]\nflow: [sample_source]\n", "run.seed", "3", []string{`s.yaml:2:6: run: wants keys and values, got a list`}},
		"flow no list":     {"version: 1\nflow: 3\n", "sample_source.count", "3", []string{`s.yaml:2:1: flow: is 3: list the stages`}},
		"beside the files": {source("      flag: 3\n"), "sample_source.count", "x", []string{`s.yaml:4:13: flow[0].sample_source.flag: wants true or false, got 3`, `--f: wants a whole number, got "x"`}},
		"broken YAML":      {one, "sample_source.levels", "[1", []string{`--f: wants a whole number, got "[1"`}},
	} {
		t.Run(name, func(t *testing.T) {
			wantDiagnostics(t, c.yaml, []Override{{Path: c.path, Value: c.value, Flag: "--f"}}, c.want...)
		})
	}
}

// TestOverrideText: a text key takes a flag's text as it is, whatever YAML would
// make of it, unless it is quoted.
func TestOverrideText(t *testing.T) {
	for value, want := range map[string]string{
		"7": "7", "1e3": "1e3", "a #b": "a #b", "*.x": "*.x", "null": "null", "[a]": "[a]", "": "", `"7"`: "7", "'a #b'": "a #b",
	} {
		spec, err := parse("s.yaml", []byte(source("      name: x\n")), []Override{
			{Path: "sample_source.name", Value: value, Flag: "--f"}, {Path: "sample_source.names", Value: "007, 1e3", Flag: "--g"}})
		if err != nil {
			t.Errorf("%q: %v", value, err)
			continue
		}
		c := spec.Flow[0].Config.(*sampleConfig)
		if c.Name != want || len(c.Names) != 2 || c.Names[0] != "007" || c.Names[1] != "1e3" {
			t.Errorf("%q became %q, and the names %q", value, c.Name, c.Names)
		}
	}
}

// TestOverrideReaches: flags reach keys that the spec has and has not, nested ones
// too, and paths in them start at the current folder.
func TestOverrideReaches(t *testing.T) {
	spec, err := parse("/specs/a.yaml", []byte("version: 1\nflow:\n  - sample_source\n  - sample_sink: {file: here}\n"), []Override{
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
