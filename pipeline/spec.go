package pipeline

import (
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Run is a spec's run section: what concerns the run and no single stage.
type Run struct {
	Name            string `yaml:"name" doc:"of the run"`
	Dir             string `yaml:"dir" flag:"out" path:"file" doc:"the run's folder; empty: runs/NAME"`
	Seed            uint64 `yaml:"seed" flag:"seed" doc:"of everything random"`
	Device          string `yaml:"device" flag:"device" doc:"auto, cpu, cuda or cuda:INDEX"`
	Overfit         bool   `yaml:"overfit" flag:"overfit" doc:"train and validate on all frames of the first seed, without warm-up"`
	Threads         int    `yaml:"threads" flag:"threads" doc:"cores for the model; 0: all"`
	MaxSteps        int    `yaml:"max_steps" flag:"max-steps" doc:"stop when the run's step is this; 0: at train.total_steps"`
	CheckpointEvery int    `yaml:"checkpoint_every" flag:"checkpoint-every" doc:"steps between checkpoints"`
	Grid            Grid   `yaml:"grid" doc:"the domain's geometry"`
}

// Grid is the geometry of the simulated domain.
type Grid struct {
	Box      []float64 `yaml:"box" doc:"its height and width, any unit; empty: square cells"`
	Boundary []string  `yaml:"boundary" doc:"of y and x: periodic or open"`
}

// Box is the domain's height and width; zeros mean square cells.
func (r *Run) Box() (ly, lx float64) {
	if len(r.Grid.Box) != 2 {
		return 0, 0
	}
	return r.Grid.Box[0], r.Grid.Box[1]
}

// PeriodicBoundary reports whether both axes wrap around.
func (r *Run) PeriodicBoundary() bool {
	return !slices.Contains(r.Grid.Boundary, "open")
}

func defaultRun() Run {
	return Run{Name: "run", Device: "auto", Overfit: true, CheckpointEvery: 1000, Grid: Grid{Boundary: []string{"periodic", "periodic"}}}
}

// Validate reports values that cannot be.
func (r *Run) Validate(_ *Run, report func(key, format string, args ...any)) {
	if r.Name == "" || strings.ContainsAny(r.Name, "/\\") {
		report("name", "is %q: want a name that can be a folder's", r.Name)
	}
	if r.Threads < 0 {
		report("threads", "is %d: want at least 0", r.Threads)
	}
	if r.MaxSteps < 0 {
		report("max_steps", "is %d: want at least 0", r.MaxSteps)
	}
	if r.CheckpointEvery < 1 {
		report("checkpoint_every", "is %d: want at least 1", r.CheckpointEvery)
	}
	if n := len(r.Grid.Box); n != 0 && (n != 2 || r.Grid.Box[0] <= 0 || r.Grid.Box[1] <= 0) {
		report("grid", "box is %v: want the height and the width", r.Grid.Box)
	}
	if len(r.Grid.Boundary) != 2 {
		report("grid", "boundary is %v: want periodic or open for y and for x", r.Grid.Boundary)
	}
	for _, b := range r.Grid.Boundary {
		if b != "periodic" && b != "open" {
			report("grid", "boundary is %v: want periodic or open for y and for x", r.Grid.Boundary)
		}
	}
}

// Spec is a flow with its configs, ready to run.
type Spec struct {
	File string
	Run  Run
	Flow []Node
}

// Node is a stage of a flow.
type Node struct {
	Name   string
	Decl   Declaration
	Config any    // pointer to the stage's config
	Traits Traits // of what it sends
	at     place
	keys   map[string]place // of its keys' values
}

// Override is a value from outside the file: a flag or a --set.
type Override struct {
	Path  string // train.lr, 3.factor, run.seed, npy_load.split.train; a|b: of whichever stages the spec has
	Value string // YAML
	Flag  string // how messages name it: "--lr", "--set train.lr=1"
}

// Parse reads a spec and applies overrides. The error is Diagnostics: all
// problems at once.
func Parse(file string, src []byte, overrides []Override) (*Spec, error) {
	d := &decoder{file: file, folder: filepath.Dir(file)}
	spec := d.parse(src, overrides)
	if len(d.diags) > 0 {
		d.diags.sort()
		return nil, d.diags
	}
	return spec, nil
}

func (d *decoder) parse(src []byte, overrides []Override) *Spec {
	root, bad := parseYAML(src)
	if bad != nil {
		bad.File = d.file
		d.diags = append(d.diags, *bad)
		return nil
	}
	if root == nil || !root.isMap {
		d.report(place{}, "", "the spec is empty: want version, run and flow")
		return nil
	}
	d.override(root, overrides)
	for _, e := range root.entries {
		if top := []string{"version", "run", "flow"}; !slices.Contains(top, e.key) {
			d.report(e.place, e.key, "unknown key%s", suggest(e.key, top))
		}
	}
	if v := root.get("version"); v == nil {
		d.report(root.place, "version", "is missing: want version: 1")
	} else if v.val.scalar != uint64(1) && v.val.scalar != int64(1) {
		d.report(v.val.place, "version", "is %s: want 1", v.val.what())
	}
	spec := &Spec{File: d.file, Run: defaultRun()}
	d.decodeRun(root, &spec.Run)
	d.decodeFlow(root, spec)
	d.link(spec)
	return spec
}

func (d *decoder) decodeRun(root *value, run *Run) {
	e := root.get("run")
	var v *value
	if e != nil {
		v = e.val
	}
	d.decodeStruct(v, "run", reflect.ValueOf(run).Elem())
	if run.Dir == "" { // results lie where the run was started, not beside the spec
		run.Dir = absolute(filepath.Join("runs", run.Name))
	}
	run.Validate(run, d.reporter("run", root.place, keyPlaces(v)))
}

// reporter places what a Validate reports at the value of its key, or else at fallback.
func (d *decoder) reporter(path string, fallback place, keys map[string]place) func(string, string, ...any) {
	return func(key, format string, args ...any) {
		at, ok := keys[key]
		if !ok {
			at = fallback
		}
		if at.flag == "" || ok {
			d.report(at, path+"."+key, format, args...)
		}
	}
}

func keyPlaces(v *value) map[string]place {
	places := map[string]place{}
	if v != nil {
		for _, e := range v.entries {
			places[e.key] = e.val.place
		}
	}
	return places
}

func (d *decoder) decodeFlow(root *value, spec *Spec) {
	e := root.get("flow")
	if e == nil {
		d.report(root.place, "flow", "is missing: list the stages")
		return
	}
	if !e.val.isList || len(e.val.items) == 0 {
		d.report(e.place, "flow", "is %s: list the stages", strings.Replace(e.val.what(), "a list", "empty", 1))
		return
	}
	for i, item := range e.val.items {
		d.decodeNode(item, i, spec)
	}
}

func (d *decoder) decodeNode(item *value, i int, spec *Spec) {
	name, config, at := "", (*value)(nil), item.place
	switch text, isText := item.scalar.(string); {
	case isText:
		name = text
	case item.isMap && len(item.entries) == 1:
		name, config, at = item.entries[0].key, item.entries[0].val, item.entries[0].place
	default:
		d.report(item.place, fmt.Sprintf("flow[%d]", i), "wants one stage and its keys, got %s", item.what())
		return
	}
	path := fmt.Sprintf("flow[%d].%s", i, name)
	decl, ok := Lookup(name)
	if !ok {
		var names []string
		for _, known := range Declarations() {
			names = append(names, known.Name)
		}
		d.report(at, path, "no such stage%s", suggest(name, names))
		return
	}
	node := Node{Name: name, Decl: decl, Config: decl.Config(), at: at, keys: keyPlaces(config)}
	before := len(d.diags)
	d.decodeStruct(config, path, reflect.ValueOf(node.Config).Elem())
	if v, ok := node.Config.(Validator); ok && len(d.diags) == before {
		v.Validate(&spec.Run, d.reporter(path, at, node.keys))
	}
	spec.Flow = append(spec.Flow, node)
}

// link follows the traits down the flow.
func (d *decoder) link(spec *Spec) {
	if len(d.diags) > 0 { // a missing stage would make every link below it wrong
		return
	}
	var traits Traits
	for i := range spec.Flow {
		n := &spec.Flow[i]
		path := fmt.Sprintf("flow[%d].%s", i, n.Name)
		link := n.Decl.Link
		switch {
		case i == 0 && !link.Source:
			d.report(n.at, path, "starts the flow, but gives no frames: put %s above it", strings.Join(sources(), " or "))
			return
		case i > 0 && link.Source:
			d.report(n.at, path, "starts a flow: it can only stand first")
		case i > 0 && link.Needs&Steps == 0 && traits&Steps != 0:
			d.report(n.at, path, "takes frames, but %s above it gives training steps", spec.Flow[i-1].Name)
		default:
			for _, missing := range traitNames {
				if link.Needs&^traits&missing.Traits != 0 {
					d.report(n.at, path, "needs %s frames: put %s above it", missing.name, strings.Join(givers(missing.Traits), " or "))
				}
			}
		}
		traits = link.send(traits)
		n.Traits = traits
	}
}

func sources() []string {
	return namesOf(func(l Link) bool { return l.Source })
}

func givers(t Traits) []string {
	return namesOf(func(l Link) bool { return l.Adds&t != 0 })
}

func namesOf(which func(Link) bool) []string {
	var names []string
	for _, decl := range Declarations() {
		if which(decl.Link) {
			names = append(names, decl.Name)
		}
	}
	return names
}

// override writes the overrides into the tree, so that whatever is wrong with
// them is reported like anything else, under the flag's name.
func (d *decoder) override(root *value, overrides []Override) {
	for _, o := range overrides {
		v, bad := parseYAML([]byte(o.Value))
		if bad != nil || v == nil {
			v = &value{scalar: o.Value}
		}
		stamp(v, place{flag: o.Flag})
		paths := strings.Split(o.Path, "|")
		var messages []string
		for _, path := range paths {
			if message := d.overrideOne(root, strings.Split(path, "."), v); message != "" {
				messages = append(messages, message)
			}
		}
		if len(messages) == len(paths) {
			d.report(place{flag: o.Flag}, "", "%s", messages[0])
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

func (d *decoder) overrideOne(root *value, path []string, v *value) string {
	if len(path) < 2 {
		return "want STAGE.KEY or run.KEY"
	}
	var into *value
	if path[0] == "run" {
		into = child(root, "run")
	} else {
		var message string
		if into, message = findStage(root, path[0]); message != "" {
			return message
		}
	}
	if into == nil {
		return "" // there is no flow, which is reported by itself
	}
	for _, key := range path[1 : len(path)-1] {
		into = child(into, key)
	}
	into.isMap = true
	into.scalar = nil
	into.set(path[len(path)-1], v)
	return ""
}

// child is the map under key, made where there is none.
func child(v *value, key string) *value {
	e := v.get(key)
	if e == nil || !e.val.isMap {
		v.set(key, &value{isMap: true, place: v.place})
		e = v.get(key)
	}
	return e.val
}

// findStage is the config of a stage by its name in the flow or its index.
func findStage(root *value, name string) (*value, string) {
	flow := root.get("flow")
	if flow == nil {
		return nil, ""
	}
	index, err := strconv.Atoi(name)
	byIndex := err == nil
	var found *value
	var names []string
	for i, item := range flow.val.items {
		stage, config := stageOf(item)
		names = append(names, stage)
		if byIndex && i == index || !byIndex && stage == name {
			if found != nil {
				return nil, fmt.Sprintf("%s stands in the flow more than once: address it by its index", name)
			}
			found = config
		}
	}
	if found == nil {
		return nil, fmt.Sprintf("the spec has no %s stage%s", name, suggest(name, names))
	}
	return found, ""
}

// stageOf is a flow item's stage and its config, made where there is none.
func stageOf(item *value) (string, *value) {
	if name, ok := item.scalar.(string); ok { // a bare name becomes a map that can hold keys
		at := item.place
		*item = value{isMap: true, place: at, entries: []*entry{{place: at, key: name, val: &value{isMap: true, place: at}}}}
	}
	if !item.isMap || len(item.entries) != 1 {
		return "", item
	}
	return item.entries[0].key, item.entries[0].val
}
