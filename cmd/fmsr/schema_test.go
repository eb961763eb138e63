package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"testing"

	"github.com/goccy/go-yaml"

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

// TestSchemaFitsSpecs: the schema and the parser accept the shipped specs, as they
// are and resolved, and refuse the same faults.
func TestSchemaFitsSpecs(t *testing.T) {
	var schema any
	if err := json.Unmarshal(pipeline.Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	check := func(name string, src []byte) string {
		t.Helper()
		var tree any
		if err := yaml.Unmarshal(src, &tree); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		text, err := json.Marshal(tree)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := json.Unmarshal(text, &tree); err != nil {
			t.Fatal(err)
		}
		return violation(schema, tree)
	}
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
			if fault := check(name, src); fault != "" {
				t.Errorf("%s: %s", name, fault)
			}
		}
	}
	for _, stage := range []string{
		"batch: {size: 0}", "batch: {sise: 1}", "batch: {size: x}", "batch: 7", "bath:", "train: {padding: periodc}", "train: {lr: 0}", "ema: {decay: 1}",
		"synth: {grid: [2, 8]}", "npy_load: {splits: [dev]}", "npy_load: {seeds: [x]}", "npy_load: {split: {train: {a: 1}}}",
	} {
		src := []byte("version: 1\nflow:\n  - " + stage + "\n")
		if check(stage, src) == "" {
			t.Errorf("the schema accepts %s", stage)
		}
		if _, err := pipeline.Parse("s.yaml", src, nil); err == nil {
			t.Errorf("Parse accepts %s", stage)
		}
	}
	for _, stage := range []string{"npy_load", "npy_load:", "npy_load: {seeds: [0-3, 7], fields: [1, Bx], split: {train: 0-2, val: [7]}}", "npy_load: {seeds: 0-3, fields: 'a, b'}"} {
		src := []byte("version: 1\nrun: {overfit: false}\nflow:\n  - " + stage + "\n")
		if fault := check(stage, src); fault != "" {
			t.Errorf("%s: %s", stage, fault)
		}
		if _, err := pipeline.Parse("s.yaml", src, nil); err != nil {
			t.Errorf("%s: %v", stage, err)
		}
	}
}

// violation says where x breaks a schema of the keywords that spec.Schema uses, or
// is empty.
func violation(schema, x any) string {
	s, ok := schema.(map[string]any)
	if !ok { // says nothing
		return ""
	}
	if options, ok := s["anyOf"].([]any); ok && !slices.ContainsFunc(options, func(o any) bool { return violation(o, x) == "" }) {
		return fmt.Sprintf("%v fits none of the alternatives", x)
	}
	if options, ok := s["enum"].([]any); ok && !slices.Contains(options, x) {
		return fmt.Sprintf("%v is none of %v", x, options)
	}
	if want, ok := s["const"]; ok && x != want {
		return fmt.Sprintf("%v is not %v", x, want)
	}
	if types, ok := s["type"]; ok && !slices.ContainsFunc(list(types), func(name any) bool { return isOf(name.(string), x) }) {
		return fmt.Sprintf("%v is no %v", x, types)
	}
	switch x := x.(type) {
	case string:
		if pattern, ok := s["pattern"].(string); ok && !regexp.MustCompile(pattern).MatchString(x) {
			return fmt.Sprintf("%q does not match %s", x, pattern)
		}
	case float64:
		for keyword, breaks := range map[string]func(bound float64) bool{
			"minimum": func(b float64) bool { return x < b }, "exclusiveMinimum": func(b float64) bool { return x <= b },
			"maximum": func(b float64) bool { return x > b }, "exclusiveMaximum": func(b float64) bool { return x >= b },
		} {
			if bound, ok := s[keyword].(float64); ok && breaks(bound) {
				return fmt.Sprintf("%v breaks %s %v", x, keyword, bound)
			}
		}
	case []any:
		for _, item := range x {
			if fault := violation(s["items"], item); fault != "" {
				return fault
			}
		}
	case map[string]any:
		properties, _ := s["properties"].(map[string]any)
		for key, value := range x {
			property, ok := properties[key]
			if !ok {
				property = s["additionalProperties"]
			}
			if property == false {
				return "unknown key " + key
			}
			if fault := violation(property, value); fault != "" {
				return key + ": " + fault
			}
		}
	}
	return ""
}

// list is a list, or a list of the one value.
func list(x any) []any {
	if items, ok := x.([]any); ok {
		return items
	}
	return []any{x}
}

// isOf reports whether a JSON value is of a schema's type.
func isOf(name string, x any) bool {
	switch x := x.(type) {
	case nil:
		return name == "null"
	case bool:
		return name == "boolean"
	case string:
		return name == "string"
	case float64:
		return name == "number" || name == "integer" && x == math.Trunc(x)
	case []any:
		return name == "array"
	default:
		return name == "object"
	}
}
