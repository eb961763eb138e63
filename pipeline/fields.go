package pipeline

import (
	"fmt"
	"reflect"
)

// field is an exported field of a config struct and its tags.
type field struct {
	key, flag, doc string
	isPath         bool
	resume         string // "free": a run may go on with another value; "bits": with other round-off
	index          int
}

func fieldsOf(t reflect.Type) []field {
	var fs []field
	for i := range t.NumField() {
		if !t.Field(i).IsExported() {
			continue
		}
		tag := t.Field(i).Tag
		fs = append(fs, field{key: tag.Get("yaml"), flag: tag.Get("flag"), doc: tag.Get("doc"), isPath: tag.Get("path") != "", resume: tag.Get("resume"), index: i})
	}
	return fs
}

// eachKey calls do for every key of a config, those of nested structs as a.b.
func eachKey(config reflect.Value, prefix string, do func(key string, f field, x reflect.Value)) {
	for _, f := range fieldsOf(config.Type()) {
		x := config.Field(f.index)
		if x.Kind() == reflect.Pointer {
			if x.IsNil() {
				x = reflect.New(x.Type().Elem())
			}
			x = x.Elem()
		}
		if x.Kind() == reflect.Struct {
			eachKey(x, prefix+f.key+".", do)
			continue
		}
		do(prefix+f.key, f, x)
	}
}

// checkConfig says what keeps a config from being read: it is no pointer to a
// struct, or a field lacks tags, shares its key or is of a kind that YAML is not
// decoded into.
func checkConfig(config any) error {
	t := reflect.TypeOf(config)
	if !isStructPointer(t) {
		return fmt.Errorf("config is %s: want a pointer to a struct", t)
	}
	return checkFields(t.Elem())
}

func checkFields(t reflect.Type) error {
	seen := map[string]bool{}
	for _, f := range fieldsOf(t) {
		x := t.Field(f.index)
		switch {
		case f.key == "" || f.doc == "":
			return fmt.Errorf("field %s needs yaml and doc tags", x.Name)
		case seen[f.key]:
			return fmt.Errorf("field %s has the key %q of another", x.Name, f.key)
		case f.isPath && textOf(x.Type).Kind() != reflect.String:
			return fmt.Errorf("field %s is a %s: a path is a string or a []string", x.Name, x.Type)
		case !decodable(x.Type):
			return fmt.Errorf("field %s is a %s, which is not decoded", x.Name, x.Type)
		}
		seen[f.key] = true
		if isStructPointer(x.Type) || x.Type.Kind() == reflect.Struct {
			if err := checkFields(structOf(x.Type)); err != nil {
				return fmt.Errorf("%s: %w", x.Name, err)
			}
		}
	}
	return nil
}

func isStructPointer(t reflect.Type) bool {
	return t.Kind() == reflect.Pointer && t.Elem().Kind() == reflect.Struct
}

func structOf(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Pointer {
		return t.Elem()
	}
	return t
}

func textOf(t reflect.Type) reflect.Type {
	if t.Kind() == reflect.Slice {
		return t.Elem()
	}
	return t
}

// decodable reports whether decode fills fields of that type.
func decodable(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Bool, reflect.Int, reflect.Uint64, reflect.Float64, reflect.String, reflect.Struct:
		return true
	case reflect.Pointer:
		return isStructPointer(t)
	case reflect.Slice:
		return t == reflect.TypeFor[[]string]() || t == reflect.TypeFor[[]int]() || t == reflect.TypeFor[[]float64]()
	default:
		return t == reflect.TypeFor[map[string][]int]()
	}
}
