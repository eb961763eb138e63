package spec

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
)

// Write returns a spec with every key written out. Reading it gives the same
// configs again.
func Write(run any, flow []Item) []byte {
	return write(run, flow, func(Field) bool { return true })
}

// WriteLasting is Write without the keys that a resumed run may change freely.
func WriteLasting(run any, flow []Item) []byte {
	return write(run, flow, func(f Field) bool { return f.Resume != "free" })
}

func write(run any, flow []Item, keep func(Field) bool) []byte {
	items := make([]yaml.MapSlice, len(flow))
	for i, n := range flow {
		items[i] = yaml.MapSlice{{Key: n.Name, Value: ordered(reflect.ValueOf(n.Config).Elem(), keep)}}
	}
	out, err := yaml.MarshalWithOptions(yaml.MapSlice{
		{Key: "version", Value: 1},
		{Key: "run", Value: ordered(reflect.ValueOf(run).Elem(), keep)},
		{Key: "flow", Value: items},
	}, yaml.IndentSequence(true))
	if err != nil {
		panic(fmt.Sprintf("spec: a config cannot be written: %v", err)) // configs are plain structs
	}
	return out
}

// Item is a name and its config, a pointer to a struct: an item of a flow, or the
// owner of flags.
type Item struct {
	Name   string
	Config any
}

// ordered returns the keys to keep of a config as a map, in the order of its fields.
func ordered(config reflect.Value, keep func(Field) bool) yaml.MapSlice {
	m := yaml.MapSlice{}
	for _, f := range fieldsOf(config.Type()) {
		x := config.FieldByIndex(f.index)
		if x.Kind() == reflect.Pointer && x.IsNil() || !keep(f) { // absent stays absent
			continue
		}
		m = append(m, yaml.MapItem{Key: f.Key, Value: written(x, f, keep)})
	}
	return m
}

// written returns a key's value as YAML has it.
func written(x reflect.Value, f Field, keep func(Field) bool) any {
	text := func(x reflect.Value) quoted {
		if f.isPath {
			return quoted(literal(x.String()))
		}
		return quoted(x.String())
	}
	switch x.Kind() {
	case reflect.Struct:
		return ordered(x, keep)
	case reflect.Pointer:
		return ordered(x.Elem(), keep)
	case reflect.String:
		return text(x)
	case reflect.Slice:
		if x.Type().Elem().Kind() == reflect.String {
			texts := make([]quoted, x.Len())
			for i := range texts {
				texts[i] = text(x.Index(i))
			}
			return texts
		}
	}
	return x.Interface()
}

// quoted is text that YAML reads back as text. A plain 1e3 would be a number, and a
// plain null nothing.
type quoted string

// MarshalYAML is called by the YAML encoder.
func (q quoted) MarshalYAML() ([]byte, error) {
	text := string(q)
	v, bad := parseYAML([]byte(text))
	if bad == nil && v != nil && v.scalar == text && !strings.ContainsAny(text[:1], "+-.0123456789") { // 0x10 is a number to others
		return []byte(text), nil
	}
	return []byte(strconv.Quote(text)), nil
}
