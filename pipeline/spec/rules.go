package spec

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// rule is the set of values that a field, or each item of a list, can have. It is read
// from the field's tags; the check, the help, the suggestions and the schema all use
// it.
type rule struct {
	oneof []string
	low   *bound
	high  *bound
}

// bound is the end of a range.
type bound struct {
	value float64
	open  bool // the end itself is outside
}

// ruleOf reads a field's tags.
func ruleOf(x reflect.StructField) (r rule, err error) {
	if text, ok := x.Tag.Lookup("oneof"); ok {
		if r.oneof = strings.Split(text, "|"); itemOf(x.Type).Kind() != reflect.String {
			return r, fmt.Errorf("oneof is for text, and this is a %s", x.Type)
		}
	}
	for _, end := range []struct {
		tag  string
		to   **bound
		open bool
	}{{"min", &r.low, false}, {"above", &r.low, true}, {"max", &r.high, false}, {"below", &r.high, true}} {
		text, ok := x.Tag.Lookup(end.tag)
		if !ok {
			continue
		}
		switch itemOf(x.Type).Kind() {
		case reflect.Int, reflect.Uint64, reflect.Float64:
		default:
			return r, fmt.Errorf("%s is for numbers, and this is a %s", end.tag, x.Type)
		}
		value, err := strconv.ParseFloat(text, 64)
		if err != nil || *end.to != nil {
			return r, fmt.Errorf("%s:%q: want a number, and one bound a side", end.tag, text)
		}
		*end.to = &bound{value, end.open}
	}
	return r, nil
}

// String returns a description of the values: "zeros or periodic", "at least 1", "0 to
// 10".
func (r rule) String() string {
	if len(r.oneof) > 0 {
		return either(r.oneof)
	}
	number := func(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }
	if r.low != nil && r.high != nil && !r.low.open && !r.high.open {
		return number(r.low.value) + " to " + number(r.high.value)
	}
	var ends []string
	for _, end := range []struct {
		*bound
		closed, open string
	}{{r.low, "at least ", "more than "}, {r.high, "at most ", "less than "}} {
		switch {
		case end.bound == nil:
		case end.bound.open:
			ends = append(ends, end.open+number(end.value))
		default:
			ends = append(ends, end.closed+number(end.value))
		}
	}
	return strings.Join(ends, " and ")
}

// either returns "a", "a or b", "a, b or c".
func either(names []string) string {
	last := len(names) - 1
	if last == 0 {
		return names[0]
	}
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

// allows reports whether a value satisfies the rule. NaN and Inf satisfy no bounds.
func (r rule) allows(x reflect.Value) bool {
	var v float64
	switch x.Kind() {
	case reflect.String:
		return len(r.oneof) == 0 || slices.Contains(r.oneof, x.String())
	case reflect.Int:
		v = float64(x.Int())
	case reflect.Uint64:
		v = float64(x.Uint())
	case reflect.Float64:
		v = x.Float()
	default:
		return true
	}
	if r.low == nil && r.high == nil {
		return true
	}
	low := r.low == nil || v > r.low.value || v == r.low.value && !r.low.open
	high := r.high == nil || v < r.high.value || v == r.high.value && !r.high.open
	return low && high && !math.IsInf(v, 0)
}

// checkRules reports every value of a config that breaks its field's rule.
func (s *Section) checkRules(config reflect.Value) {
	eachKey(config, "", false, func(key string, f Field, x reflect.Value) {
		s.checkValues(key, f.rule, x)
	})
}

// checkValues checks a value, or those in a list or a map, by name.
func (s *Section) checkValues(key string, r rule, x reflect.Value) {
	switch x.Kind() {
	case reflect.Slice:
		for i := range x.Len() {
			s.checkRule(fmt.Sprintf("%s[%d]", key, i), r, x.Index(i))
		}
	case reflect.Map:
		names := x.MapKeys()
		slices.SortFunc(names, func(a, b reflect.Value) int { return strings.Compare(a.String(), b.String()) })
		for _, name := range names {
			s.checkValues(key+"."+name.String(), r, x.MapIndex(name))
		}
	default:
		s.checkRule(key, r, x)
	}
}

func (s *Section) checkRule(key string, r rule, x reflect.Value) {
	if r.allows(x) || s.faulty(key) {
		return
	}
	d := Diagnostic{Summary: fmt.Sprintf("is %v", x), Detail: "want " + r.String()}
	if x.Kind() == reflect.String {
		d.Summary, d.Suggestion = fmt.Sprintf("is %q", x.String()), Nearest(x.String(), r.oneof)
	}
	s.add(key, d)
	s.faults = append(s.faults, s.path+"."+key)
}
