package spec

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
)

// Schema returns the JSON Schema (draft 7) of specs whose run section and stages
// have these configs, which hold the defaults. Docs[i] describes stages[i].
func Schema(run any, stages []Item, docs []string) []byte {
	var names []any
	items := map[string]any{}
	for i, s := range stages {
		names = append(names, s.Name)
		keys := schemaOf(reflect.ValueOf(s.Config).Elem())
		keys["description"] = docs[i]
		items[s.Name] = keys
	}
	top := map[string]any{
		"$schema": "http://json-schema.org/draft-07/schema#",
		"title":   "fmsr spec",
		"type":    "object",
		"properties": map[string]any{
			"version": map[string]any{"const": 1},
			"run":     schemaOf(reflect.ValueOf(run).Elem()),
			"flow": map[string]any{"type": "array", "minItems": 1, "maxItems": mostStages, "items": map[string]any{"anyOf": []any{
				map[string]any{"enum": names},
				map[string]any{"type": "object", "properties": items, "additionalProperties": false, "minProperties": 1, "maxProperties": 1},
			}}},
		},
		"required":             []string{"version", "flow"},
		"additionalProperties": false,
	}
	out, err := json.MarshalIndent(top, "", " ")
	if err != nil {
		panic(fmt.Sprintf("spec: a default cannot be written as JSON: %v", err)) // configs are plain structs
	}
	return append(out, '\n')
}

// schemaOf describes a config: a map of its keys, or nothing for all defaults.
func schemaOf(config reflect.Value) map[string]any {
	keys := map[string]any{}
	for _, f := range fieldsOf(config.Type()) {
		keys[f.Key] = schemaOfField(f, config.FieldByIndex(f.index))
	}
	return map[string]any{"type": []string{"object", "null"}, "properties": keys, "additionalProperties": false}
}

func schemaOfField(f Field, x reflect.Value) (s map[string]any) {
	defer func() { s["description"] = f.Doc() }()
	switch x.Kind() {
	case reflect.Struct:
		return schemaOf(x)
	case reflect.Pointer:
		return schemaOf(reflect.New(x.Type().Elem()).Elem())
	case reflect.Map:
		each := schemaOfScalar(x.Type().Elem().Kind(), f.rule)
		if x.Type().Elem().Kind() == reflect.Slice {
			each = schemaOfList(x.Type().Elem(), f.rule)
		}
		return map[string]any{"type": []string{"object", "null"}, "additionalProperties": each}
	case reflect.Slice:
		s = schemaOfList(x.Type(), f.rule)
	default:
		s = schemaOfScalar(x.Kind(), f.rule)
	}
	if !x.IsZero() {
		s["default"] = x.Interface()
	}
	return s
}

// schemaOfList describes the values that decodeList accepts: a list, or one text or
// number.
func schemaOfList(t reflect.Type, r rule) map[string]any {
	item := schemaOfScalar(t.Elem().Kind(), r)
	alone := map[string]any{"type": []string{"string", "number"}} // items between commas
	switch t.Elem().Kind() {
	case reflect.String:
		item["type"] = []string{"string", "number", "boolean"} // a field may be called 1
		alone["type"] = []string{"string", "number", "boolean"}
		if len(r.oneof) > 0 {
			alone["type"], alone["pattern"] = "string", between("("+strings.Join(r.oneof, "|")+")")
		}
	case reflect.Int:
		item = map[string]any{"anyOf": []any{item, map[string]any{"type": "string", "pattern": "^[0-9]+-[0-9]+$"}}}
		alone["pattern"] = between("[+-]?[0-9]+(-[0-9]+)?")
	case reflect.Float64:
		alone["pattern"] = between("[+-]?([0-9]+\\.?[0-9]*|\\.[0-9]+)([eE][+-]?[0-9]+)?")
	}
	return map[string]any{"anyOf": []any{map[string]any{"type": "array", "items": item}, alone}}
}

// between returns the pattern of a text that has items between commas, or none.
func between(item string) string {
	return `^\s*$|^\s*` + item + `\s*(,\s*` + item + `\s*)*$`
}

func schemaOfScalar(kind reflect.Kind, r rule) map[string]any {
	s := map[string]any{}
	switch kind {
	case reflect.Bool:
		s["type"] = "boolean"
	case reflect.Int:
		s["type"] = "integer"
	case reflect.Uint64:
		s["type"], s["minimum"], s["maximum"] = "integer", 0, uint64(math.MaxUint64)
	case reflect.Float64:
		s["type"] = "number"
	case reflect.String:
		s["type"] = "string"
	}
	if len(r.oneof) > 0 {
		s["enum"] = r.oneof
	}
	for _, end := range []struct {
		*bound
		closed, open string
	}{{r.low, "minimum", "exclusiveMinimum"}, {r.high, "maximum", "exclusiveMaximum"}} {
		switch {
		case end.bound == nil:
		case end.bound.open:
			s[end.open] = end.value
		default:
			s[end.closed] = end.value
		}
	}
	return s
}
