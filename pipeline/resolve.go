package pipeline

import (
	"fmt"
	"reflect"
	"strconv"

	"github.com/goccy/go-yaml"
)

// YAML is the spec with every key written out, which runs again to the same result.
func (s *Spec) YAML() []byte {
	flow := make([]yaml.MapSlice, len(s.Flow))
	for i, n := range s.Flow {
		flow[i] = yaml.MapSlice{{Key: n.Name, Value: ordered(reflect.ValueOf(n.Config).Elem())}}
	}
	out, err := yaml.MarshalWithOptions(yaml.MapSlice{
		{Key: "version", Value: 1},
		{Key: "run", Value: ordered(reflect.ValueOf(&s.Run).Elem())},
		{Key: "flow", Value: flow},
	}, yaml.IndentSequence(true))
	if err != nil {
		panic(fmt.Sprintf("pipeline: a config cannot be written: %v", err)) // configs are plain structs
	}
	return out
}

// ordered is a config as a map in the order of its fields.
func ordered(config reflect.Value) yaml.MapSlice {
	m := yaml.MapSlice{}
	for _, f := range fieldsOf(config.Type()) {
		x := config.Field(f.index)
		if x.Kind() == reflect.Pointer && x.IsNil() {
			continue // what is not written stays nil
		}
		m = append(m, yaml.MapItem{Key: f.key, Value: written(x)})
	}
	return m
}

func written(x reflect.Value) any {
	switch x.Kind() {
	case reflect.Struct:
		return ordered(x)
	case reflect.Pointer:
		return ordered(x.Elem())
	case reflect.String:
		return quoted(x.String())
	case reflect.Slice:
		if x.Type().Elem().Kind() == reflect.String {
			texts := make([]quoted, x.Len())
			for i := range texts {
				texts[i] = quoted(x.Index(i).String())
			}
			return texts
		}
	}
	return x.Interface()
}

// quoted is text that stays text when it is read again: a plain 1e3 would be a
// number, and a plain null nothing.
type quoted string

// MarshalYAML is called by the YAML encoder.
func (q quoted) MarshalYAML() ([]byte, error) {
	text := string(q)
	v, bad := parseYAML([]byte(text))
	if bad == nil && v != nil && v.scalar == text {
		return []byte(text), nil
	}
	return []byte(strconv.Quote(text)), nil
}
