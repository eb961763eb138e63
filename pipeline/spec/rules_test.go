package spec

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sampleRules has a field for each kind of rule, and an embedded struct.
type sampleRules struct {
	Boundary string              `yaml:"boundary" oneof:"periodic|open|wall" flag:"boundary" doc:"of both axes"`
	Axes     []string            `yaml:"axes" oneof:"x|y" doc:"of the grid"`
	Decay    float64             `yaml:"decay" min:"0" below:"1" doc:"a share"`
	Box      []float64           `yaml:"box" above:"0" doc:"sides"`
	Sizes    []int               `yaml:"sizes" min:"2" max:"8" doc:"whole numbers"`
	Odd      map[string][]string `yaml:"odd" oneof:"x|y" doc:"lists by name"`
	Weight   map[string]float64  `yaml:"weight" above:"0" doc:"numbers by name"`
	sampleInline
	Maybe *struct {
		N int `yaml:"n" min:"1" doc:"a whole number"`
	} `yaml:"maybe" doc:"may be absent"`
}

// sampleInline is shared by several configs.
type sampleInline struct {
	Steps int     `yaml:"steps" min:"1" flag:"steps" doc:"a whole number"`
	Start float64 `yaml:"start" max:"1" doc:"a number"`
}

// rules is a flow of a sample_rules with those keys.
func rules(keys string) string { return "version: 1\nflow:\n  - sample_rules: {" + keys + "}\n" }

func TestRules(t *testing.T) {
	for keys, want := range map[string][]string{
		"boundary: wall, axes: [x, y], decay: 0, box: [1e-9], sizes: [2, 8], steps: 1, start: 1": nil,
		"boundary: perodic": {`s.yaml:3:30: flow[0].sample_rules.boundary: is "perodic": want periodic, open or wall (did you mean "periodic"?)`},
		"boundary: free":    {`s.yaml:3:30: flow[0].sample_rules.boundary: is "free": want periodic, open or wall`},
		"axes: [y, z]":      {`s.yaml:3:30: flow[0].sample_rules.axes[1]: is "z": want x or y`},
		`axes: "y, z"`:      {`s.yaml:3:26: flow[0].sample_rules.axes[1]: is "z": want x or y`},
		"decay: 1":          {`s.yaml:3:27: flow[0].sample_rules.decay: is 1: want at least 0 and less than 1`},
		"box: [1, 0]":       {`s.yaml:3:29: flow[0].sample_rules.box[1]: is 0: want more than 0`},
		"sizes: [4, 1, 9]":  {`s.yaml:3:31: flow[0].sample_rules.sizes[1]: is 1: want 2 to 8`, `s.yaml:3:34: flow[0].sample_rules.sizes[2]: is 9: want 2 to 8`},
		"sizes: [3-4, 1]":   {`s.yaml:3:27: flow[0].sample_rules.sizes[2]: is 1: want 2 to 8`},
		"odd: {a: [x, z]}, weight: {b: 0, a: -1}": {`s.yaml:3:33: flow[0].sample_rules.odd.a[1]: is "z": want x or y`,
			`s.yaml:3:50: flow[0].sample_rules.weight.b: is 0: want more than 0`, `s.yaml:3:56: flow[0].sample_rules.weight.a: is -1: want more than 0`},
		"steps: 0, start: 2": {`s.yaml:3:27: flow[0].sample_rules.steps: is 0: want at least 1`,
			`s.yaml:3:37: flow[0].sample_rules.start: is 2: want at most 1`},
		"stps: 2":       {`s.yaml:3:20: flow[0].sample_rules.stps: unknown key (did you mean "steps"?)`},
		"maybe: {n: 0}": {`s.yaml:3:31: flow[0].sample_rules.maybe.n: is 0: want at least 1`},
		"decay: x":      {`s.yaml:3:27: flow[0].sample_rules.decay: wants a number, got "x"`},
	} {
		wantDiagnostics(t, rules(keys), nil, want...)
	}
}

// TestRulesOfCode: NaN and Inf, which no file holds, break every bound.
func TestRulesOfCode(t *testing.T) {
	for _, x := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		doc := New("code")
		doc.Decode(doc.Part("c"), &sampleRules{Boundary: "open", Decay: x, sampleInline: sampleInline{Steps: 1, Start: x}})
		if diags := doc.Diagnostics(); len(diags) != 2 {
			t.Errorf("%g: %v", x, diags)
		}
	}
}

// TestInline: an embedded struct's keys are written, flagged and described among
// the others.
func TestInline(t *testing.T) {
	spec, err := parse("s.yaml", []byte(rules("steps: 4")), []Override{{"sample_rules.start", "0.25", "--set"}})
	if err != nil {
		t.Fatal(err)
	}
	if c := spec.Flow[0].Config.(*sampleRules); c.Steps != 4 || c.Start != 0.25 {
		t.Errorf("decoded %+v", c)
	}
	if text := string(Write(&spec.Run, spec.Flow)); !strings.Contains(text, "\n      steps: 4\n      start: 0.25\n") {
		t.Errorf("written as\n%s", text)
	}
	var keys []string
	EachKey(spec.Flow[0].Config, func(key string, f Field, _ reflect.Value) { keys = append(keys, key+": "+f.Doc()) })
	if diff := cmp.Diff([]string{
		"boundary: of both axes (periodic, open or wall)", "axes: of the grid (x or y)", "decay: a share (at least 0 and less than 1)",
		"box: sides (more than 0)", "sizes: whole numbers (2 to 8)",
		"odd: lists by name (x or y)", "weight: numbers by name (more than 0)", "steps: a whole number (at least 1)", "start: a number (at most 1)",
		"maybe.n: a whole number (at least 1)",
	}, keys); diff != "" {
		t.Errorf("keys differ (-want +got):\n%s", diff)
	}
}

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct {
		config any
		want   string
	}{
		"no struct": {3, "config is int: want a pointer to a struct"},
		"untagged": {&struct {
			A int `doc:"a"`
		}{}, "field A needs yaml and doc tags"},
		"undocumented": {&struct {
			A int `yaml:"a"`
		}{}, "field A needs yaml and doc tags"},
		"nested": {&struct {
			A struct{ B int } `yaml:"a" doc:"a"`
		}{}, "A: field B needs yaml and doc tags"},
		"key twice": {&struct {
			A int `yaml:"a" doc:"a"`
			B int `yaml:"a" doc:"b"`
		}{}, `field B has the key "a" of another field`},
		"key of an embedded struct": {&struct {
			A int `yaml:"steps" doc:"a"`
			sampleInline
		}{}, `sampleInline: field Steps has the key "steps" of another field`},
		"kind": {&struct {
			A map[string]int `yaml:"a" doc:"a"`
		}{}, "field A is a map[string]int, which is not decoded"},
		"path": {&struct {
			A int `yaml:"a" path:"file" doc:"a"`
		}{}, "field A is a int: a path is a string or a []string"},
		"oneof": {&struct {
			A int `yaml:"a" oneof:"1|2" doc:"a"`
		}{}, "field A: oneof is for text, and this is a int"},
		"min": {&struct {
			A []string `yaml:"a" min:"1" doc:"a"`
		}{}, "field A: min is for numbers, and this is a []string"},
		"bound": {&struct {
			A int `yaml:"a" min:"one" doc:"a"`
		}{}, `field A: min:"one": want a number, and one bound a side`},
		"two bounds": {&struct {
			A int `yaml:"a" min:"1" above:"0" doc:"a"`
		}{}, `field A: above:"0": want a number, and one bound a side`},
	} {
		if err := Check(c.config); err == nil || err.Error() != c.want {
			t.Errorf("%s: error %v, want %s", name, err, c.want)
		}
	}
	if err := Check(&sampleRules{}); err != nil {
		t.Error(err)
	}
}

// TestCopy: nothing that is changed in a copy changes the original.
func TestCopy(t *testing.T) {
	a := sampleConfig{Names: []string{"x"}, Split: map[string][]int{"train": {1}}, Inner: grid{Box: []float64{1}}, Maybe: &grid{Boundary: []string{"open"}}}
	b := Copy(a)
	if diff := cmp.Diff(a, *b); diff != "" {
		t.Errorf("the copy differs (-want +got):\n%s", diff)
	}
	b.Names[0], b.Split["train"][0], b.Inner.Box[0], b.Maybe.Boundary[0] = "y", 2, 2, "wall"
	if a.Names[0] != "x" || a.Split["train"][0] != 1 || a.Inner.Box[0] != 1 || a.Maybe.Boundary[0] != "open" {
		t.Errorf("the original is now %+v", a)
	}
}

// TestSchema: the schema says of each field what its tags and kind say.
func TestSchema(t *testing.T) {
	text := Schema(&sampleRun{CheckpointEvery: 1000}, []Item{{"sample_rules", sampleConfigs["sample_rules"]()}, {"sample_source", sampleConfigs["sample_source"]()}}, []string{"Does this.", "Does that."})
	var schema any
	if err := json.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	at := func(path ...string) any {
		x := schema
		for _, key := range append([]string{"properties"}, path...) {
			x = x.(map[string]any)[key]
		}
		return x
	}
	stages := func(name string) map[string]any {
		return at("flow", "items").(map[string]any)["anyOf"].([]any)[1].(map[string]any)["properties"].(map[string]any)[name].(map[string]any)["properties"].(map[string]any)
	}
	every := at("run", "properties", "checkpoint_every")
	if diff := cmp.Diff(map[string]any{"type": "integer", "minimum": 1., "default": 1000., "description": "a whole number (at least 1)"}, every); diff != "" {
		t.Errorf("run.checkpoint_every differs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]any{"type": "string", "enum": []any{"periodic", "open", "wall"}, "default": "open", "description": "of both axes (periodic, open or wall)"}, stages("sample_rules")["boundary"]); diff != "" {
		t.Errorf("boundary differs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]any{"type": "number", "minimum": 0., "exclusiveMaximum": 1., "description": "a share (at least 0 and less than 1)"}, stages("sample_rules")["decay"]); diff != "" {
		t.Errorf("decay differs (-want +got):\n%s", diff)
	}
	if stages("sample_rules")["steps"] == nil || stages("sample_source")["split"] == nil {
		t.Errorf("keys are missing in\n%s", text)
	}
}
