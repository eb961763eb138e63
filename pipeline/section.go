package pipeline

import (
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"fmsr.example/fmsr/internal/dataset"
	"fmsr.example/fmsr/pipeline/spec"
)

// Run is a spec's run section: the keys that concern the run and no single stage.
type Run struct {
	Name              string   `yaml:"name" doc:"name of the run; empty: that of the spec's file, without its ending" resume:"free"`
	Dir               string   `yaml:"dir" flag:"out" path:"file" doc:"the run's folder; empty: runs/NAME" resume:"free"`
	Seed              uint64   `yaml:"seed" flag:"seed" doc:"random seed, from which all random numbers follow"`
	Device            string   `yaml:"device" flag:"device" doc:"auto, cpu, cuda or cuda:INDEX" resume:"bits"`
	Overfit           bool     `yaml:"overfit" flag:"overfit" doc:"train and validate on all frames of the first simulation, without warm-up"`
	Threads           int      `yaml:"threads" min:"0" max:"1024" flag:"threads" doc:"cores for the model; 0: all" resume:"bits"`
	MaxSteps          int      `yaml:"max_steps" min:"0" flag:"max-steps" doc:"step at which the run stops; 0: train.total_steps" resume:"free"`
	CheckpointEvery   int      `yaml:"checkpoint_every" min:"1" flag:"checkpoint-every" doc:"steps between checkpoints" resume:"free"`
	CheckpointMinutes float64  `yaml:"checkpoint_minutes" min:"0" flag:"checkpoint-minutes" doc:"longest time between checkpoints, in minutes; 0: no limit" resume:"free"`
	Keep              int      `yaml:"keep" min:"1" flag:"keep" doc:"number of checkpoints to keep, the newest ones; more than 1: each also under its step's name" resume:"free"`
	KeepEvery         int      `yaml:"keep_every" min:"0" flag:"keep-every" doc:"steps between checkpoints that are kept for good under their step's name; 0: none" resume:"free"`
	Signal            string   `yaml:"signal" oneof:"USR1|USR2|TERM|HUP|INT|XCPU" flag:"signal" doc:"the signal that on_signal is about, such as a scheduler's warning; other signals that stop a run always exit" resume:"free"`
	OnSignal          string   `yaml:"on_signal" oneof:"exit|requeue|wait" flag:"on-signal" doc:"what a run that signal has stopped does once it has saved. exit; requeue: asks Slurm to requeue the job, and stays until Slurm ends it; wait: stays until another signal" resume:"free"`
	Units             []string `yaml:"units" doc:"units of the fields, for colour bars: one for all, and FIELD=UNIT for fields with their own" resume:"free"`
	Grid              Geometry `yaml:"grid" doc:"the domain's geometry"`
}

// Geometry is that of the simulated domain.
type Geometry struct {
	Box      []float64 `yaml:"box" above:"0" doc:"height and width of the domain, in any unit; empty: square cells"`
	Boundary []string  `yaml:"boundary" oneof:"periodic|open" flag:"boundary" doc:"boundaries along y and along x. A spec that writes them gives them to pool_upsample.boundary, pair_load.boundary and train.padding too, unless it writes those"`
}

// StopSignal returns the signal that on_signal is about.
func (r *Run) StopSignal() syscall.Signal { return unix.SignalNum("SIG" + r.Signal) }

// Unit returns a field's unit: its own if units names it, else the one for all.
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

func defaultRun() Run {
	return Run{
		Device: "auto", Overfit: true, CheckpointEvery: 1000, CheckpointMinutes: 15, Keep: 1, Signal: "USR1", OnSignal: "exit", Units: []string{"code units"},
		Grid: Geometry{Boundary: []string{"periodic", "periodic"}},
	}
}

// Validate reports values that no run can have.
func (r *Run) Validate(_ *Run, report func(key, format string, args ...any)) {
	if err := dataset.CheckName(r.Name); err != nil {
		report("name", "%v", err)
	}
	if !isDevice(r.Device) {
		report("device", "device %q: want auto, cpu, cuda or cuda:INDEX", r.Device)
	}
	r.validateUnits(report)
	if n := len(r.Grid.Box); n != 0 && n != 2 {
		report("grid.box", "is %v: want the height and the width", r.Grid.Box)
	}
	if len(r.Grid.Boundary) != 2 {
		report("grid.boundary", "is %v: want one for y and one for x", r.Grid.Boundary)
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
			return // another would repeat this
		}
		seen[name] = true
	}
}

// isDevice reports whether a name is the name of a device. Opening the device shows
// whether the machine has it.
func isDevice(name string) bool {
	index, ok := strings.CutPrefix(name, "cuda:")
	if !ok {
		return name == "auto" || name == "cpu" || name == "cuda"
	}
	_, err := strconv.ParseUint(index, 10, 8)
	return err == nil
}

// name gives a run without a name that of the spec's file or, if that is no name, "run".
func (r *Run) name(file string) {
	if r.Name != "" {
		return
	}
	base := filepath.Base(file)
	r.Name = strings.TrimSuffix(base, filepath.Ext(base))
	if dataset.CheckName(r.Name) != nil {
		r.Name = "run"
	}
}

// settle makes the run's folder absolute.
func settle(run *Run) {
	if run.Dir == "" { // results go where the run was started, not beside the spec
		run.Dir = filepath.Join("runs", run.Name)
	}
	run.Dir = spec.Absolute(run.Dir)
}
