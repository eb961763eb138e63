package spec

import (
	"fmt"
	"reflect"
)

// Field is a key of a config: an exported field of the struct, and its tags.
type Field struct {
	Key, Flag string
	Resume    string // "free": a resumed run may have another value; "bits": with other round-off
	doc       string
	isPath    bool
	rule      rule
	index     []int
}

// IsPath reports whether the key's value is a path.
func (f Field) IsPath() bool { return f.isPath }

// Doc returns a description of the key and the values that it can have. It leaves out
// the rule "at least 0", which no reader needs.
func (f Field) Doc() string {
	if text := f.rule.String(); text != "" && text != "at least 0" {
		return f.doc + " (" + text + ")"
	}
	return f.doc
}

// fieldsOf lists a struct's fields in order, those of embedded structs among them.
func fieldsOf(t reflect.Type) []Field {
	var fs []Field
	for i := range t.NumField() {
		x := t.Field(i)
		if isInline(x) {
			for _, f := range fieldsOf(x.Type) {
				f.index = append([]int{i}, f.index...)
				fs = append(fs, f)
			}
			continue
		}
		if !x.IsExported() {
			continue
		}
		rule, _ := ruleOf(x) // checkFields has seen its error
		fs = append(fs, Field{
			Key: x.Tag.Get("yaml"), Flag: x.Tag.Get("flag"), Resume: x.Tag.Get("resume"),
			doc: x.Tag.Get("doc"), isPath: x.Tag.Get("path") != "", rule: rule, index: []int{i},
		})
	}
	return fs
}

// isInline reports whether the keys of an embedded struct are among those of the
// struct around it.
func isInline(x reflect.StructField) bool {
	return x.Anonymous && x.Type.Kind() == reflect.Struct && x.Tag.Get("yaml") == ""
}

// EachKey calls do for every key of a config, a pointer to a struct, with the
// key's value. Keys of nested structs are written a.b.
func EachKey(config any, do func(key string, f Field, x reflect.Value)) {
	eachKey(reflect.ValueOf(config).Elem(), "", true, do)
}

// eachKey leaves out the keys of structs that are absent, unless absent is set.
func eachKey(config reflect.Value, prefix string, absent bool, do func(key string, f Field, x reflect.Value)) {
	for _, f := range fieldsOf(config.Type()) {
		x := config.FieldByIndex(f.index)
		if x.Kind() == reflect.Pointer {
			if x.IsNil() && !absent {
				continue
			}
			if x.IsNil() {
				x = reflect.New(x.Type().Elem())
			}
			x = x.Elem()
		}
		if x.Kind() == reflect.Struct {
			eachKey(x, prefix+f.Key+".", absent, do)
			continue
		}
		do(prefix+f.Key, f, x)
	}
}

// Copy returns a pointer to a copy of a config that shares no list, map or struct
// with it.
func Copy[C any](config C) *C {
	c := new(C)
	copyInto(reflect.ValueOf(c).Elem(), reflect.ValueOf(&config).Elem())
	return c
}

func copyInto(dst, src reflect.Value) {
	dst.Set(src)
	switch src.Kind() {
	case reflect.Struct:
		for i := range src.NumField() {
			if dst.Field(i).CanSet() {
				copyInto(dst.Field(i), src.Field(i))
			}
		}
	case reflect.Pointer:
		if !src.IsNil() {
			dst.Set(reflect.New(src.Type().Elem()))
			copyInto(dst.Elem(), src.Elem())
		}
	case reflect.Slice:
		if !src.IsNil() {
			dst.Set(reflect.AppendSlice(reflect.MakeSlice(src.Type(), 0, src.Len()), src))
		}
	case reflect.Map:
		if !src.IsNil() {
			dst.Set(reflect.MakeMap(src.Type()))
			for _, key := range src.MapKeys() {
				x := reflect.New(src.Type().Elem()).Elem()
				copyInto(x, src.MapIndex(key))
				dst.SetMapIndex(key, x)
			}
		}
	}
}

// Check returns an error if a config cannot be read from a spec: it is no pointer
// to a struct, or a field lacks tags, has another field's key, a kind that is not
// decoded, or a rule that does not fit its kind.
func Check(config any) error {
	t := reflect.TypeOf(config)
	if !isStructPointer(t) {
		return fmt.Errorf("config is %s: want a pointer to a struct", t)
	}
	return checkFields(t.Elem(), map[string]bool{})
}

// checkFields checks a struct's fields; seen holds the keys that are taken.
func checkFields(t reflect.Type, seen map[string]bool) error {
	for i := range t.NumField() {
		x := t.Field(i)
		if isInline(x) {
			if err := checkFields(x.Type, seen); err != nil {
				return fmt.Errorf("%s: %w", x.Name, err)
			}
			continue
		}
		if !x.IsExported() {
			continue
		}
		key := x.Tag.Get("yaml")
		switch {
		case key == "" || x.Tag.Get("doc") == "":
			return fmt.Errorf("field %s needs yaml and doc tags", x.Name)
		case seen[key]:
			return fmt.Errorf("field %s has the key %q of another field", x.Name, key)
		case x.Tag.Get("path") != "" && itemOf(x.Type).Kind() != reflect.String:
			return fmt.Errorf("field %s is a %s: a path is a string or a []string", x.Name, x.Type)
		case !decodable(x.Type):
			return fmt.Errorf("field %s is a %s, which is not decoded", x.Name, x.Type)
		}
		seen[key] = true
		if _, err := ruleOf(x); err != nil {
			return fmt.Errorf("field %s: %w", x.Name, err)
		}
		if isStructPointer(x.Type) || x.Type.Kind() == reflect.Struct {
			if err := checkFields(structOf(x.Type), map[string]bool{}); err != nil {
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

// itemOf returns the type of the values in a list or a map, or the type itself.
func itemOf(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
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
		return t == reflect.TypeFor[map[string][]int]() || t == reflect.TypeFor[map[string][]string]() || t == reflect.TypeFor[map[string]float64]()
	}
}

// KindName names a key's type for a reader.
func KindName(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "bool"
	case reflect.Int, reflect.Uint64:
		return "int"
	case reflect.Float64:
		return "number"
	case reflect.Slice:
		return "list"
	case reflect.Map:
		return "map"
	default:
		return "text"
	}
}
