package pipeline

import (
	"fmt"
	"reflect"

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
func ordered(v reflect.Value) yaml.MapSlice {
	m := yaml.MapSlice{}
	for _, f := range fieldsOf(v.Type()) {
		x := v.Field(f.index)
		if x.Kind() == reflect.Struct {
			m = append(m, yaml.MapItem{Key: f.key, Value: ordered(x)})
			continue
		}
		m = append(m, yaml.MapItem{Key: f.key, Value: x.Interface()})
	}
	return m
}
