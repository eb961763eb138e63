package spec

import (
	"fmt"
	"strconv"
	"strings"
)

// Override is a value from outside the file, a flag's or a --set's.
type Override struct {
	Path  string // train.lr, 3.factor, run.seed, npy_load.split.train; a|b: each that the spec has
	Value string // YAML; for a key that holds text, the text itself
	Flag  string // how messages name it: "--lr", "--set train.lr=1"
}

// override writes the overrides into the tree, so that their problems are reported
// like any others, under the flag's name.
func (d *decoder) override(root *value, overrides []Override) {
	d.written = map[*value]string{}
	for _, o := range overrides {
		v, bad := parseYAML([]byte(o.Value))
		if bad != nil || v == nil {
			v = &value{scalar: o.Value}
		}
		stamp(v, Place{flag: o.Flag})
		d.written[v] = o.Value
		paths := strings.Split(o.Path, "|")
		var problems []*Diagnostic
		for _, path := range paths {
			if problem := overrideOne(root, strings.Split(path, "."), v); problem != nil {
				problems = append(problems, problem)
			}
		}
		if len(problems) == len(paths) {
			problems[0].Flag = o.Flag
			d.diags = append(d.diags, *problems[0])
		}
	}
}

func stamp(v *value, at Place) {
	v.Place = at
	for _, item := range v.items {
		stamp(item, at)
	}
	for _, e := range v.entries {
		e.Place = at
		stamp(e.val, at)
	}
}

func overrideOne(root *value, path []string, v *value) *Diagnostic {
	if len(path) < 2 {
		return &Diagnostic{Summary: "want STAGE.KEY or run.KEY"}
	}
	var into *value
	if path[0] == "run" {
		into = runOf(root)
	} else {
		var problem *Diagnostic
		if into, problem = findStage(root, path[0]); problem != nil {
			return problem
		}
	}
	if into == nil || into.isList || into.scalar != nil {
		return nil // not keys and values, which is reported by itself
	}
	into.isMap = true
	for _, key := range path[1 : len(path)-1] {
		into = child(into, key, v.Place)
	}
	into.set(path[len(path)-1], v)
	return nil
}

// runOf returns the run section, and makes one if there is none.
func runOf(root *value) *value {
	e := root.get("run")
	if e == nil {
		root.set("run", &value{isMap: true, Place: root.Place})
		e = root.get("run")
	}
	return e.val
}

// child returns the map under key. If there is none, it makes one, at the override's
// place.
func child(v *value, key string, at Place) *value {
	e := v.get(key)
	if e == nil || !e.val.isMap {
		v.set(key, &value{isMap: true, Place: at})
		e = v.get(key)
	}
	return e.val
}

// findStage returns the keys of a stage, by its name in the flow or its index, or
// nil if there is no flow.
func findStage(root *value, name string) (*value, *Diagnostic) {
	flow := root.get("flow")
	if flow == nil || !flow.val.isList {
		return nil, nil
	}
	if index, err := strconv.Atoi(name); err == nil {
		if index < 0 || index >= len(flow.val.items) {
			return nil, &Diagnostic{Summary: fmt.Sprintf("the flow has no stage %d: they are 0 to %d", index, len(flow.val.items)-1)}
		}
		_, config := stageOf(flow.val.items[index])
		return config, nil
	}
	var found *value
	var names []string
	for _, item := range flow.val.items {
		stage, config := stageOf(item)
		names = append(names, stage)
		if stage != name {
			continue
		}
		if found != nil {
			return nil, &Diagnostic{Summary: name + " appears more than once in the flow: address it by its index"}
		}
		found = config
	}
	if found == nil {
		return nil, &Diagnostic{Summary: fmt.Sprintf("the spec has no %s stage", name), Suggestion: Nearest(name, names)}
	}
	return found, nil
}

// stageOf returns the name and the keys of an item of the flow. It adds empty keys to a
// bare name. For anything that is not a stage it returns nil.
func stageOf(item *value) (string, *value) {
	if name, ok := item.scalar.(string); ok { // a bare name becomes a map that can hold keys
		at := item.Place
		*item = value{isMap: true, Place: at, entries: []*entry{{Place: at, key: name, val: &value{isMap: true, Place: at}}}}
	}
	if !item.isMap || len(item.entries) != 1 {
		return "", nil
	}
	return item.entries[0].key, item.entries[0].val
}
