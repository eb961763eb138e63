package pipeline

import (
	"fmt"
	"strconv"
	"strings"
)

// Override is a value from outside the file: a flag or a --set.
type Override struct {
	Path  string // train.lr, 3.factor, run.seed, npy_load.split.train; a|b: of whichever stages the spec has
	Value string // YAML; for a key that holds text, the text itself
	Flag  string // how messages name it: "--lr", "--set train.lr=1"
}

// override writes the overrides into the tree, so that whatever is wrong with
// them is reported like anything else, under the flag's name.
func (d *decoder) override(root *value, overrides []Override) {
	d.written = map[*value]string{}
	for _, o := range overrides {
		v, bad := parseYAML([]byte(o.Value))
		if bad != nil || v == nil {
			v = &value{scalar: o.Value}
		}
		stamp(v, place{flag: o.Flag})
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

func stamp(v *value, at place) {
	v.place = at
	for _, item := range v.items {
		stamp(item, at)
	}
	for _, e := range v.entries {
		e.place = at
		stamp(e.val, at)
	}
}

func overrideOne(root *value, path []string, v *value) *Diagnostic {
	if len(path) < 2 {
		return &Diagnostic{Message: "want STAGE.KEY or run.KEY"}
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
		into = child(into, key, v.place)
	}
	into.set(path[len(path)-1], v)
	return nil
}

// runOf is the run section, made where there is none.
func runOf(root *value) *value {
	e := root.get("run")
	if e == nil {
		root.set("run", &value{isMap: true, place: root.place})
		e = root.get("run")
	}
	return e.val
}

// child is the map under key, made by the override at that place where there is none.
func child(v *value, key string, at place) *value {
	e := v.get(key)
	if e == nil || !e.val.isMap {
		v.set(key, &value{isMap: true, place: at})
		e = v.get(key)
	}
	return e.val
}

// findStage is the config of a stage by its name in the flow or its index; nil
// where there is no flow.
func findStage(root *value, name string) (*value, *Diagnostic) {
	flow := root.get("flow")
	if flow == nil || !flow.val.isList {
		return nil, nil
	}
	if index, err := strconv.Atoi(name); err == nil {
		if index < 0 || index >= len(flow.val.items) {
			return nil, &Diagnostic{Message: fmt.Sprintf("the flow has no stage %d: they are 0 to %d", index, len(flow.val.items)-1)}
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
			return nil, &Diagnostic{Message: name + " stands in the flow more than once: address it by its index"}
		}
		found = config
	}
	if found == nil {
		return nil, &Diagnostic{Message: fmt.Sprintf("the spec has no %s stage", name), Suggestion: nearest(name, names)}
	}
	return found, nil
}

// stageOf is a flow item's stage and its config, made where there is none; nil
// for what is no stage.
func stageOf(item *value) (string, *value) {
	if name, ok := item.scalar.(string); ok { // a bare name becomes a map that can hold keys
		at := item.place
		*item = value{isMap: true, place: at, entries: []*entry{{place: at, key: name, val: &value{isMap: true, place: at}}}}
	}
	if !item.isMap || len(item.entries) != 1 {
		return "", nil
	}
	return item.entries[0].key, item.entries[0].val
}
