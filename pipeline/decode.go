package pipeline

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
)

// decoder turns a tree into typed structs, collecting every problem. It, the
// resolved spec and the flags are where fmsr uses reflection.
type decoder struct {
	file   string
	folder string // that relative paths in the spec start at
	diags  Diagnostics
}

func (d *decoder) report(at place, path, format string, args ...any) {
	d.diags = append(d.diags, Diagnostic{File: d.file, Line: at.line, Col: at.col, Flag: at.flag, Path: path, Message: fmt.Sprintf(format, args...)})
}

// field is an exported field of a config struct and its tags.
type field struct {
	key, flag, doc string
	isPath         bool
	index          int
}

func fieldsOf(t reflect.Type) []field {
	var fs []field
	for i := range t.NumField() {
		tag := t.Field(i).Tag
		fs = append(fs, field{key: tag.Get("yaml"), flag: tag.Get("flag"), doc: tag.Get("doc"), isPath: tag.Get("path") != "", index: i})
	}
	return fs
}

// checkTags says which field of a config lacks a yaml or doc tag.
func checkTags(config any) error {
	t := reflect.TypeOf(config)
	if t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct {
		return fmt.Errorf("config is %s: want a pointer to a struct", t)
	}
	for _, f := range fieldsOf(t.Elem()) {
		if f.key == "" || f.doc == "" {
			return fmt.Errorf("field %s needs yaml and doc tags", t.Elem().Field(f.index).Name)
		}
	}
	return nil
}

// decodeStruct fills the struct that dst is from a map; an absent value leaves it be.
func (d *decoder) decodeStruct(v *value, path string, dst reflect.Value) {
	if v == nil || !v.isMap && !v.isList && v.scalar == nil {
		return
	}
	if !v.isMap {
		d.report(v.place, path, "wants keys and values, got %s", v.what())
		return
	}
	fields := fieldsOf(dst.Type())
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.key
	}
	for _, e := range v.entries {
		at := path + "." + e.key
		known := false
		for _, f := range fields {
			if f.key == e.key {
				known = true
				d.decode(e.val, at, dst.Field(f.index), f)
			}
		}
		if !known {
			d.report(e.place, at, "unknown key%s", suggest(e.key, names))
		}
	}
}

// decode fills dst, of any kind that configs have.
func (d *decoder) decode(v *value, path string, dst reflect.Value, f field) {
	switch dst.Kind() {
	case reflect.Struct:
		d.decodeStruct(v, path, dst)
	case reflect.Slice:
		d.decodeList(v, path, dst, f)
	case reflect.Map:
		d.decodeSplit(v, path, dst)
	default:
		d.decodeScalar(v, path, dst, f)
	}
}

// decodeScalar reports a value of the wrong type by what it should have been.
func (d *decoder) decodeScalar(v *value, path string, dst reflect.Value, f field) {
	wrong := func(want string) { d.report(v.place, path, "wants %s, got %s", want, v.what()) }
	switch dst.Kind() {
	case reflect.Bool:
		b, ok := v.scalar.(bool)
		if !ok {
			wrong("true or false")
			return
		}
		dst.SetBool(b)
	case reflect.String:
		s, ok := v.scalar.(string)
		if !ok {
			wrong("text")
			return
		}
		if f.isPath {
			s = d.resolve(s, v.place)
		}
		dst.SetString(s)
	case reflect.Float64:
		x, ok := number(v.scalar)
		if !ok || math.IsNaN(x) || math.IsInf(x, 0) {
			wrong("a number")
			return
		}
		dst.SetFloat(x)
	case reflect.Int:
		x, ok := whole(v.scalar)
		if !ok {
			wrong("a whole number")
			return
		}
		dst.SetInt(x)
	case reflect.Uint64:
		x, ok := whole(v.scalar)
		if !ok || x < 0 {
			wrong("a whole number of at least 0")
			return
		}
		dst.SetUint(uint64(x))
	default:
		panic("pipeline: configs have no " + dst.Kind().String())
	}
}

func number(scalar any) (float64, bool) {
	switch x := scalar.(type) {
	case float64:
		return x, true
	case int64:
		return float64(x), true
	case uint64:
		return float64(x), true
	}
	return 0, false
}

// whole takes 1e4 too.
func whole(scalar any) (int64, bool) {
	switch x := scalar.(type) {
	case int64:
		return x, true
	case uint64:
		return int64(x), x <= math.MaxInt64
	case float64:
		return int64(x), x == math.Trunc(x) && math.Abs(x) < 1<<53
	}
	return 0, false
}

// decodeList takes a list, one scalar, or text with commas; among whole numbers
// 3-7 is a range.
func (d *decoder) decodeList(v *value, path string, dst reflect.Value, f field) {
	if v.isMap {
		d.report(v.place, path, "wants a list, got a map")
		return
	}
	items := v.items
	if text, ok := v.scalar.(string); ok {
		for _, part := range strings.Split(text, ",") {
			items = append(items, &value{place: v.place, scalar: scalarOf(strings.TrimSpace(part))})
		}
	} else if v.scalar != nil {
		items = []*value{v}
	}
	out := reflect.MakeSlice(dst.Type(), 0, len(items))
	for i, item := range items {
		at := fmt.Sprintf("%s[%d]", path, i)
		if first, last, ok := rangeOf(item, dst.Type().Elem()); ok {
			for x := first; x <= last; x++ {
				out = reflect.Append(out, reflect.ValueOf(x))
			}
			continue
		}
		element := reflect.New(dst.Type().Elem()).Elem()
		if element.Kind() == reflect.String && item.scalar != nil {
			item = &value{place: item.place, scalar: fmt.Sprint(item.scalar)} // a field may be called 1
		}
		d.decodeScalar(item, at, element, f)
		out = reflect.Append(out, element)
	}
	dst.Set(out)
}

// scalarOf is text as the number that it is, else the text.
func scalarOf(text string) any {
	if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		return i
	}
	if x, err := strconv.ParseFloat(text, 64); err == nil {
		return x
	}
	return text
}

// longestRange bounds a list that a few characters can ask for.
const longestRange = 1 << 20

func rangeOf(v *value, element reflect.Type) (first, last int, ok bool) {
	text, isText := v.scalar.(string)
	if !isText || element.Kind() != reflect.Int {
		return 0, 0, false
	}
	a, b, found := strings.Cut(text, "-")
	first, err1 := strconv.Atoi(a)
	last, err2 := strconv.Atoi(b)
	return first, last, found && err1 == nil && err2 == nil && first <= last && last-first < longestRange
}

// decodeSplit is a map from names to lists.
func (d *decoder) decodeSplit(v *value, path string, dst reflect.Value) {
	if v.scalar == nil && !v.isMap && !v.isList {
		return
	}
	if !v.isMap {
		d.report(v.place, path, "wants names with lists, got %s", v.what())
		return
	}
	out := reflect.MakeMap(dst.Type())
	for _, e := range v.entries {
		list := reflect.New(dst.Type().Elem()).Elem()
		d.decodeList(e.val, path+"."+e.key, list, field{})
		out.SetMapIndex(reflect.ValueOf(e.key), list)
	}
	dst.Set(out)
}

// resolve makes a path absolute: those in the spec start at its folder, those
// of flags at the current one.
func (d *decoder) resolve(path string, at place) string {
	if path == "" {
		return ""
	}
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		if home, err := os.UserHomeDir(); err == nil {
			return filepath.Join(home, rest)
		}
	}
	if at.flag == "" && !filepath.IsAbs(path) {
		path = filepath.Join(d.folder, path)
	}
	return absolute(path)
}

// absolute leaves a path as it is where the current folder is not known.
func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}
