package spec

import (
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// decoder turns a tree into typed structs and gathers every problem.
type decoder struct {
	file    string
	folder  string            // relative paths in the spec start here
	written map[*value]string // texts of overrides, before YAML interprets them
	diags   Diagnostics
	items   int // of all lists so far
}

// Report adds an error at a place.
func (d *decoder) Report(at Place, path, format string, args ...any) {
	d.Add(at, path, Diagnostic{Summary: fmt.Sprintf(format, args...)})
}

// Unknown reports a name that is none of the known ones, and suggests the nearest.
func (d *decoder) Unknown(at Place, path, problem, name string, known []string) {
	d.Add(at, path, Diagnostic{Summary: problem, Suggestion: Nearest(name, known)})
}

// Add adds a diagnostic at a place.
func (d *decoder) Add(at Place, path string, diag Diagnostic) {
	diag.File, diag.Line, diag.Col, diag.Flag, diag.Path = d.file, at.line, at.col, at.flag, path
	d.diags = append(d.diags, diag)
}

// Section is a part that has been decoded into a config. It knows where each key
// was written.
type Section struct {
	decoder *decoder
	path    string
	at      Place // of problems of keys that are not written
	places  map[string]Place
	faults  []string // paths of the keys that could not be decoded or break a rule
	failed  bool     // by Report
}

// Decode fills a config, a pointer to a struct that holds the defaults, with a
// part's keys, and reports the keys that are unknown, have the wrong type or
// break their rules.
func (d *Document) Decode(p *Part, config any) *Section {
	before := len(d.diags)
	dst := reflect.ValueOf(config).Elem()
	defaultPaths(dst)
	d.decodeStruct(p.keys, p.Path, dst)
	s := &Section{decoder: &d.decoder, path: p.Path, at: p.Place, places: map[string]Place{}}
	for _, fault := range d.diags[before:] {
		s.faults = append(s.faults, fault.Path)
	}
	keyPlaces(p.keys, "", s.places)
	s.checkRules(dst)
	return s
}

// Written reports whether the spec or a flag gives a key.
func (s *Section) Written(key string) bool {
	_, ok := s.places[key]
	return ok
}

// Failed reports whether a key has an error.
func (s *Section) Failed() bool { return s.failed || len(s.faults) > 0 }

// Report adds an error about a key, unless the key has one already: its value is then
// not the one in the spec.
func (s *Section) Report(key, format string, args ...any) {
	if s.faulty(key) {
		return
	}
	s.failed = true
	s.add(key, Diagnostic{Summary: fmt.Sprintf(format, args...)})
}

// Warn adds a warning about a key, or about all of them: "".
func (s *Section) Warn(key, summary, detail string) {
	s.add(key, Diagnostic{Severity: Warning, Summary: summary, Detail: detail})
}

func (s *Section) add(key string, d Diagnostic) {
	at, ok := s.places[key]
	if !ok {
		at, ok = s.places[strings.SplitN(key, "[", 2)[0]]
	}
	if !ok {
		at = s.at
	}
	s.decoder.Add(at, strings.TrimSuffix(s.path+"."+key, "."), d)
}

func (s *Section) faulty(key string) bool {
	path := s.path + "." + key
	return slices.ContainsFunc(s.faults, func(fault string) bool { return within(fault, path) || within(path, fault) })
}

// within reports whether path is outer or a part of it.
func within(path, outer string) bool {
	rest, ok := strings.CutPrefix(path, outer)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// keyPlaces records where the value of each key was written. A nested key is a.b, an
// item of a list is a[1]. Items from a list's first range on have no place of their
// own.
func keyPlaces(v *value, prefix string, places map[string]Place) {
	for _, e := range v.entries {
		places[prefix+e.key] = e.val.Place
		for i, item := range e.val.items {
			if _, _, isRange := rangeOf(item, reflect.TypeFor[int]()); isRange {
				break
			}
			places[fmt.Sprintf("%s%s[%d]", prefix, e.key, i)] = item.Place
		}
		keyPlaces(e.val, prefix+e.key+".", places)
	}
}

// isNull reports whether nothing is written after a key.
func (v *value) isNull() bool { return !v.isMap && !v.isList && v.scalar == nil }

// decodeStruct fills a struct from a map. An empty value leaves the struct unchanged.
func (d *decoder) decodeStruct(v *value, path string, dst reflect.Value) {
	if v.isNull() {
		return
	}
	if !v.isMap {
		d.Report(v.Place, path, "wants keys and values, got %s", v.what())
		return
	}
	fields := fieldsOf(dst.Type())
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Key
	}
	for _, e := range v.entries {
		at := path + "." + e.key
		known := false
		for _, f := range fields {
			if f.Key == e.key {
				known = true
				d.decode(e.val, at, dst.FieldByIndex(f.index), f)
			}
		}
		if !known {
			d.Unknown(e.Place, at, "unknown key", e.key, names)
		}
	}
}

// decode fills dst, a field of any kind that configs have.
func (d *decoder) decode(v *value, path string, dst reflect.Value, f Field) {
	switch dst.Kind() {
	case reflect.Struct:
		d.decodeStruct(v, path, dst)
	case reflect.Pointer:
		if dst.IsNil() && !v.isNull() {
			dst.Set(reflect.New(dst.Type().Elem()))
		}
		d.decodeStruct(v, path, dst.Elem())
	case reflect.Slice:
		d.decodeList(v, path, dst, f)
	case reflect.Map:
		d.decodeMap(v, path, dst, f)
	default:
		d.decodeScalar(v, path, dst, f)
	}
}

// decodeScalar fills one value. If its type is wrong, it reports the type that is
// wanted.
func (d *decoder) decodeScalar(v *value, path string, dst reflect.Value, f Field) {
	wrong := func(want string) { d.Report(v.Place, path, "wants %s, got %s%s", want, v.what(), inDecimal(v)) }
	switch dst.Kind() {
	case reflect.Bool:
		b, ok := v.scalar.(bool)
		if !ok {
			wrong("true or false")
			return
		}
		dst.SetBool(b)
	case reflect.String:
		s, ok := d.text(v)
		if !ok {
			wrong("text")
			return
		}
		if f.isPath {
			var err error
			if s, err = d.resolve(s, v.Place); err != nil {
				d.Report(v.Place, path, "%v", err)
				return
			}
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
		x, ok := v.scalar.(uint64) // which may be beyond an int64
		if !ok {
			var signed int64
			signed, ok = whole(v.scalar)
			x, ok = uint64(signed), ok && signed >= 0
		}
		if !ok {
			wrong("a whole number from 0 to 18446744073709551615")
			return
		}
		dst.SetUint(x)
	default:
		panic("spec: configs have no " + dst.Kind().String())
	}
}

// inDecimal returns advice for a number in a notation that specs do not have.
func inDecimal(v *value) string {
	text, _ := v.scalar.(string)
	if _, err := strconv.ParseInt(text, 0, 64); err == nil {
		return ": write it in decimal digits"
	}
	return ""
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

// whole returns a whole number. 1e4 is one.
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

// decodeList takes a list, one value, or text with commas. Among whole numbers, 3-7
// is a range.
func (d *decoder) decodeList(v *value, path string, dst reflect.Value, f Field) {
	if v.isMap || v.isNull() {
		d.Report(v.Place, path, "wants a list, got %s", v.what())
		return
	}
	items := v.items
	if !v.isList {
		items = d.splitText(v, dst.Type().Elem())
	}
	before := len(d.diags)
	out := reflect.MakeSlice(dst.Type(), 0, len(items))
	for i, item := range items {
		at := fmt.Sprintf("%s[%d]", path, i)
		first, last, isRange := rangeOf(item, dst.Type().Elem())
		if last-first >= mostItems-d.items {
			d.Report(item.Place, at, "the lists of the spec have more than %d items", mostItems)
			return
		}
		d.items += 1 + last - first
		if isRange {
			for x := first; x <= last; x++ {
				out = reflect.Append(out, reflect.ValueOf(x))
			}
			continue
		}
		element := reflect.New(dst.Type().Elem()).Elem()
		if element.Kind() == reflect.String && item.scalar != nil {
			item = &value{Place: item.Place, scalar: item.name()} // a field may be called 1
		}
		d.decodeScalar(item, at, element, f)
		out = reflect.Append(out, element)
	}
	if len(d.diags) == before {
		dst.Set(out)
	}
}

// splitText returns the list that a value stands for: a text's parts between commas,
// or the value alone.
func (d *decoder) splitText(v *value, element reflect.Type) []*value {
	text, ok := v.scalar.(string)
	if element.Kind() == reflect.String && !ok {
		text, ok = d.text(v)
	}
	if !ok {
		return []*value{v}
	}
	var items []*value
	for _, part := range strings.Split(text, ",") {
		part = strings.TrimSpace(part)
		item := &value{Place: v.Place, scalar: part}
		if element.Kind() != reflect.String {
			item.scalar = scalarOf(part)
		}
		if text != "" {
			items = append(items, item)
		}
	}
	return items
}

// text returns a value as text. A flag's value is taken as it was written, since a
// shell removes YAML's quotes: --out 2026 is a folder, not a number.
func (d *decoder) text(v *value) (string, bool) {
	text, ok := v.scalar.(string)
	written, given := d.written[v]
	if given && !strings.HasPrefix(written, `"`) && !strings.HasPrefix(written, "'") {
		return written, true
	}
	return text, ok
}

// decimal is how a number is written. 010 is ten; 0x10, 0o17, 0b11 and 1_000 are text.
var decimal = regexp.MustCompile(`^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$`)

// scalarOf returns the number that a text is, or the text.
func scalarOf(text string) any {
	if !decimal.MatchString(text) {
		return text
	}
	if i, err := strconv.ParseInt(text, 10, 64); err == nil {
		return i
	}
	if i, err := strconv.ParseUint(text, 10, 64); err == nil {
		return i
	}
	if x, err := strconv.ParseFloat(text, 64); err == nil {
		return x
	}
	return text // beyond a float64
}

// rangeOf returns the ends of a range, or zeros.
func rangeOf(v *value, element reflect.Type) (first, last int, ok bool) {
	text, isText := v.scalar.(string)
	if !isText || element.Kind() != reflect.Int {
		return 0, 0, false
	}
	a, b, found := strings.Cut(text, "-")
	first, err1 := strconv.Atoi(a)
	last, err2 := strconv.Atoi(b)
	if !found || err1 != nil || err2 != nil || first > last {
		return 0, 0, false
	}
	return first, last, true
}

// decodeMap fills a map from names to numbers or lists.
func (d *decoder) decodeMap(v *value, path string, dst reflect.Value, f Field) {
	if v.isNull() {
		return
	}
	if !v.isMap {
		want := "numbers"
		if dst.Type().Elem().Kind() == reflect.Slice {
			want = "lists"
		}
		d.Report(v.Place, path, "wants names with %s, got %s", want, v.what())
		return
	}
	before := len(d.diags)
	out := reflect.MakeMap(dst.Type())
	for _, e := range v.entries {
		x := reflect.New(dst.Type().Elem()).Elem()
		d.decode(e.val, path+"."+e.key, x, f)
		out.SetMapIndex(reflect.ValueOf(e.key), x)
	}
	if len(d.diags) == before {
		dst.Set(out)
	}
}
