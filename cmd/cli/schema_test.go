package cli

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"fmsr.example/fmsr/pipeline"
	"fmsr.example/fmsr/specs"
)

// TestSchemaIsCurrent: specs/schema.json is what the declarations give.
func TestSchemaIsCurrent(t *testing.T) {
	shipped, err := os.ReadFile("../../specs/schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(shipped, pipeline.Schema()) {
		t.Error("specs/schema.json is not what the stages declare: bin/fmsr schema > specs/schema.json")
	}
}

// validator returns a function that says where a spec breaks the schema, or nothing.
func validator(t *testing.T) func(name, src string) error {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(pipeline.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("schema.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return func(name, src string) error {
		t.Helper()
		var tree any
		if err := yaml.Unmarshal([]byte(src), &tree); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		text, err := json.Marshal(tree)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		return schema.Validate(instance)
	}
}

// TestSchemaAcceptsShippedSpecs, as they are and resolved, and each names the schema
// in its first line, where editors look for it.
func TestSchemaAcceptsShippedSpecs(t *testing.T) {
	violation := validator(t)
	entries, err := specs.FS.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		src, err := specs.FS.ReadFile(e.Name())
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(src, []byte("# yaml-language-server: $schema=schema.json\n")) {
			t.Errorf("%s does not point to its schema", e.Name())
		}
		spec, err := pipeline.Parse(e.Name(), src, nil)
		if err != nil || len(spec.Warnings) > 0 {
			t.Errorf("%s: %v, warnings %v", e.Name(), err, spec.Warnings)
			continue
		}
		for name, src := range map[string][]byte{e.Name(): src, e.Name() + ", resolved": spec.YAML()} {
			if err := violation(name, string(src)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// TestSchemaAgreesWithParse: of each mistake, an editor that knows the schema and fmsr
// itself complain; of other ways to write the same, neither does.
func TestSchemaAgreesWithParse(t *testing.T) {
	violation := validator(t)
	spec := func(lines string) string { // of a whole spec, the section run, or one stage
		switch word, _, _ := strings.Cut(lines, ":"); word {
		case "version", "flow":
			return lines
		case "run":
			return "version: 1\n" + lines + "\nflow: [npy_load]\n"
		}
		return "version: 1\nrun: {overfit: false}\nflow:\n  - " + lines + "\n"
	}
	for name, lines := range map[string]string{
		"no version":                 "flow: [npy_load]",
		"a version of the future":    "version: 2\nflow: [npy_load]",
		"no flow":                    "version: 1",
		"an empty flow":              "version: 1\nflow: []",
		"a flow that is a map":       "version: 1\nflow: {npy_load: {}}",
		"an unknown section":         "version: 1\nruns: {}\nflow: [npy_load]",
		"an unknown key of run":      "run: {sede: 1}",
		"a negative seed":            "run: {seed: -1}",
		"a seed beyond 64 bits":      "run: {seed: 18446744073709551616}",
		"a fraction of a checkpoint": "run: {keep: 1.5}",
		"no checkpoints":             "run: {keep: 0}",
		"threads as text":            "run: {threads: all}",
		"an unknown boundary":        "run: {grid: {boundary: [periodic, wall]}}",
		"an unknown boundary, alone": "run: {grid: {boundary: wall}}",
		"a box without extent":       "run: {grid: {box: [0, 1]}}",
		"a box in words":             "run: {grid: {box: '1, wide'}}",
		"an unknown signal":          "run: {signal: KILL}",
		"an unknown stage":           "bath:",
		"two stages in one item":     "{ema: {}, batch: {}}",
		"a stage that is a list":     "batch: [4]",
		"a stage that is a number":   "batch: 7",
		"an unknown key":             "batch: {sise: 1}",
		"too small":                  "batch: {size: 0}",
		"text for a number":          "batch: {size: x}",
		"a map for a number":         "batch: {size: {n: 4}}",
		"a list for a number":        "batch: {size: [4]}",
		"not more than 0":            "train: {lr: 0}",
		"not below 1":                "ema: {decay: 1}",
		"beyond the largest":         "train: {members: 5}",
		"text for a switch":          "train: {use_bf16: 'yes'}",
		"a word of none":             "train: {padding: periodc}",
		"an item of none":            "train: {symmetries: [shift, turn]}",
		"an item of none in text":    "train: {symmetries: 'shift, turn'}",
		"a weight of nothing":        "train: {channel_weights: {Bx: 0}}",
		"a list of lists":            "train: {odd: {Bx: [[flip_b]]}}",
		"a grid that is too small":   "synth: {grid: [2, 8]}",
		"an unknown split":           "npy_load: {splits: [dev]}",
		"an unknown split, alone":    "npy_load: {splits: dev}",
		"a seed in words":            "npy_load: {seeds: [x]}",
		"seeds in words, in text":    "npy_load: {seeds: '0-3, x'}",
		"a map of maps":              "npy_load: {split: {train: {a: 1}}}",
		"a share beyond all":         "npy_load: {split_time: {train: 1.5}}",
		"an unknown share":           "npy_load: {split_time: {dev: 0.5}}",
	} {
		if violation(name, spec(lines)) == nil {
			t.Errorf("%s: the schema accepts %s", name, lines)
		}
		if _, err := pipeline.Parse("s.yaml", []byte(spec(lines)), nil); err == nil {
			t.Errorf("%s: Parse accepts %s", name, lines)
		}
	}
	for _, lines := range []string{
		"npy_load", "npy_load:", "npy_load: {seeds: [0-3, 7], fields: [1, Bx], split: {train: 0-2, val: [7]}}",
		"npy_load: {seeds: 0-3, fields: 'a, b', splits: 'train, val'}", "npy_load: {seeds: 7}", "npy_load: {seeds: ' 0-3,7 '}", "npy_load: {seeds: ''}",
		"run: {overfit: false, grid: {box: '1, 2.5e0', boundary: 'periodic, open'}}",
	} {
		if err := violation(lines, spec(lines)); err != nil {
			t.Errorf("%s: %v", lines, err)
		}
		if _, err := pipeline.Parse("s.yaml", []byte(spec(lines)), nil); err != nil {
			t.Errorf("%s: %v", lines, err)
		}
	}
}
