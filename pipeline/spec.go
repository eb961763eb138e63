package pipeline

import (
	"bytes"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
)

// Run is a spec's run section: what concerns the run and no single stage.
type Run struct {
	Name              string   `yaml:"name" doc:"of the run" resume:"free"`
	Dir               string   `yaml:"dir" flag:"out" path:"file" doc:"the run's folder; empty: runs/NAME" resume:"free"`
	Seed              uint64   `yaml:"seed" flag:"seed" doc:"of everything random"`
	Device            string   `yaml:"device" flag:"device" doc:"auto, cpu, cuda or cuda:INDEX" resume:"bits"`
	Overfit           bool     `yaml:"overfit" flag:"overfit" doc:"train and validate on all frames of the first seed, without warm-up"`
	Threads           int      `yaml:"threads" flag:"threads" doc:"cores for the model; 0: all" resume:"bits"`
	MaxSteps          int      `yaml:"max_steps" flag:"max-steps" doc:"stop when the run's step is this; 0: at train.total_steps" resume:"free"`
	CheckpointEvery   int      `yaml:"checkpoint_every" flag:"checkpoint-every" doc:"steps between checkpoints" resume:"free"`
	CheckpointMinutes float64  `yaml:"checkpoint_minutes" flag:"checkpoint-minutes" doc:"minutes after which there is one in any case; 0: never for that" resume:"free"`
	Keep              int      `yaml:"keep" flag:"keep" doc:"newest checkpoints that are kept: with more than 1, each under its step's name too" resume:"free"`
	Units             []string `yaml:"units" doc:"of the fields, for colour bars: one for all, or FIELD=UNIT for each that has its own" resume:"free"`
	Grid              Grid     `yaml:"grid" doc:"the domain's geometry"`
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

// Unit is a field's: its own where units names it, else the one for all.
func (r *Run) Unit(field string) string {
	common := ""
	for _, u := range r.Units {
		name, unit, own := strings.Cut(u, "=")
		switch {
		case own && name == field:
			return unit
		case !own:
			common = u
		}
	}
	return common
}

// PeriodicBoundary reports whether both axes wrap around.
func (r *Run) PeriodicBoundary() bool {
	return !slices.Contains(r.Grid.Boundary, "open")
}

func defaultRun() Run {
	return Run{
		Name: "run", Device: "auto", Overfit: true, CheckpointEvery: 1000, CheckpointMinutes: 15, Keep: 1, Units: []string{"code units"},
		Grid: Grid{Boundary: []string{"periodic", "periodic"}},
	}
}

// Validate reports values that cannot be.
func (r *Run) Validate(_ *Run, report func(key, format string, args ...any)) {
	if r.Name == "" || r.Name == "." || r.Name == ".." || strings.ContainsAny(r.Name, "/\\") {
		report("name", "is %q: want a name that can be a folder's", r.Name)
	}
	if !isDevice(r.Device) {
		report("device", "device %q: want auto, cpu, cuda or cuda:INDEX", r.Device)
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
	if !(r.CheckpointMinutes >= 0) {
		report("checkpoint_minutes", "is %g: want at least 0", r.CheckpointMinutes)
	}
	if r.Keep < 1 {
		report("keep", "is %d: want at least 1", r.Keep)
	}
	r.validateUnits(report)
	if n := len(r.Grid.Box); n != 0 && (n != 2 || r.Grid.Box[0] <= 0 || r.Grid.Box[1] <= 0) {
		report("grid.box", "is %v: want the height and the width, more than 0", r.Grid.Box)
	}
	unknown := func(b string) bool { return b != "periodic" && b != "open" }
	if len(r.Grid.Boundary) != 2 || slices.ContainsFunc(r.Grid.Boundary, unknown) {
		report("grid.boundary", "is %v: want periodic or open for y and for x", r.Grid.Boundary)
	}
}

func (r *Run) validateUnits(report func(key, format string, args ...any)) {
	seen := map[string]bool{}
	for _, u := range r.Units {
		name, _, own := strings.Cut(u, "=")
		switch {
		case own && name == "":
			report("units", "has %q: want FIELD=UNIT", u)
		case !own:
			name = ""
		}
		if seen[name] {
			report("units", "is %v: want one unit for all, and one FIELD=UNIT a field", r.Units)
			return // the next would say it again
		}
		seen[name] = true
	}
}

// isDevice reports whether that names a device; whether it is there is for the
// stage that opens it to find out.
func isDevice(name string) bool {
	index, ok := strings.CutPrefix(name, "cuda:")
	if !ok {
		return name == "auto" || name == "cpu" || name == "cuda"
	}
	_, err := strconv.ParseUint(index, 10, 8)
	return err == nil
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
	src = bytes.TrimPrefix(src, []byte("\ufeff")) // Windows editors' byte order mark
	root, bad := (*value)(nil), tooMuch(src)
	if bad == nil {
		root, bad = parseYAML(src)
	}
	switch {
	case bad != nil:
		bad.File = d.file
		d.diags = append(d.diags, *bad)
		return nil
	case root == nil || root.isNull():
		d.report(place{}, "", "the spec is empty: want version, run and flow")
		return nil
	case !root.isMap:
		d.report(root.place, "", "the spec is %s: want version, run and flow", root.what())
		return nil
	}
	d.override(root, overrides)
	d.checkTop(root)
	spec := &Spec{File: d.file, Run: defaultRun()}
	d.decodeRun(root, &spec.Run)
	known := d.decodeFlow(root, spec)
	d.link(spec.Flow[:known])
	return spec
}

// checkTop looks at the keys of the whole and at the version.
func (d *decoder) checkTop(root *value) {
	top := []string{"version", "run", "flow"}
	for _, e := range root.entries {
		if !slices.Contains(top, e.key) {
			d.unknown(e.place, e.key, "unknown key", e.key, top)
		}
	}
	v := root.get("version")
	if v == nil {
		d.report(root.place, "version", "is missing: want version: 1")
		return
	}
	if n, ok := whole(v.val.scalar); !ok || n != 1 {
		d.report(v.val.place, "version", "is %s: want 1", v.val.what())
	}
}

func (d *decoder) decodeRun(root *value, run *Run) {
	v := &value{place: root.place}
	if e := root.get("run"); e != nil {
		v = e.val
	}
	d.decodeConfig(v, "run", v.place, run, run)
	settle(run)
}

// settle makes the run's folder absolute.
func settle(run *Run) {
	if run.Dir == "" { // results lie where the run was started, not beside the spec
		run.Dir = filepath.Join("runs", run.Name)
	}
	run.Dir = absolute(run.Dir)
}

// decodeConfig fills a config and validates it; at is where problems of keys lie
// that are not in the spec.
func (d *decoder) decodeConfig(v *value, path string, at place, config any, run *Run) {
	before := len(d.diags)
	dst := reflect.ValueOf(config).Elem()
	defaultPaths(dst)
	d.decodeStruct(v, path, dst)
	validator, ok := config.(Validator)
	if !ok {
		return
	}
	faults := d.diags[before:len(d.diags):len(d.diags)]
	places := map[string]place{}
	keyPlaces(v, "", places)
	validator.Validate(run, func(key, format string, args ...any) {
		whole := path + "." + key
		if slices.ContainsFunc(faults, func(f Diagnostic) bool { return within(f.Path, whole) || within(whole, f.Path) }) {
			return // the key still has its default, so this may not be so
		}
		place, ok := places[key]
		if !ok {
			place = at
		}
		d.report(place, whole, format, args...)
	})
}

// within reports whether path is outer or a part of it.
func within(path, outer string) bool {
	rest, ok := strings.CutPrefix(path, outer)
	return ok && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// keyPlaces notes where the values of keys stand, those of nested ones as a.b.
func keyPlaces(v *value, prefix string, places map[string]place) {
	for _, e := range v.entries {
		places[prefix+e.key] = e.val.place
		keyPlaces(e.val, prefix+e.key+".", places)
	}
}

// decodeFlow decodes the stages, and returns how many of the first ones are
// known: what is below an unknown one cannot be linked.
func (d *decoder) decodeFlow(root *value, spec *Spec) int {
	e := root.get("flow")
	if e == nil {
		d.report(root.place, "flow", "is missing: list the stages")
		return 0
	}
	if !e.val.isList || len(e.val.items) == 0 {
		d.report(e.place, "flow", "is %s: list the stages", strings.Replace(e.val.what(), "a list", "empty", 1))
		return 0
	}
	if n := len(e.val.items); n > mostStages {
		d.report(e.place, "flow", "has %d stages: want at most %d", n, mostStages)
		return 0
	}
	known := 0
	for i, item := range e.val.items {
		if d.decodeNode(item, i, spec) && known == i {
			known++
		}
	}
	return known
}

// decodeNode decodes a stage and reports whether there is one of that name.
func (d *decoder) decodeNode(item *value, i int, spec *Spec) bool {
	name, config, at := "", &value{}, item.place
	switch text, isText := item.scalar.(string); {
	case isText:
		name = text
	case item.isMap && len(item.entries) == 1:
		name, config, at = item.entries[0].key, item.entries[0].val, item.entries[0].place
	default:
		d.report(item.place, fmt.Sprintf("flow[%d]", i), "wants one stage and its keys, got %s", item.what())
		return false
	}
	path := fmt.Sprintf("flow[%d].%s", i, name)
	decl, ok := Lookup(name)
	if !ok {
		var names []string
		for _, known := range Declarations() {
			names = append(names, known.Name)
		}
		d.unknown(at, path, "no such stage", name, names)
		return false
	}
	node := Node{Name: name, Decl: decl, Config: decl.Config(), at: at}
	d.decodeConfig(config, path, at, node.Config, &spec.Run)
	spec.Flow = append(spec.Flow, node)
	return true
}
