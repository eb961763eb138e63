package runview

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"fmsr.example/fmsr/internal/evaluate"
	"fmsr.example/fmsr/internal/format/torchfile"
	"fmsr.example/fmsr/internal/store/infile"
	"fmsr.example/fmsr/internal/store/parts"
	"fmsr.example/fmsr/internal/store/runfolder"
)

// Names of files in a run's folder.
const (
	SpecName    = "spec.yaml"
	AboutName   = "run.json"
	MetricsName = "metrics.jsonl"
	TimingName  = "timing.jsonl"
	Evaluations = "evaluations"
	Images      = "images"
	PhysicsName = "physics.json"

	checkpointName = "checkpoint.pt"
)

// Names of figures in timing.jsonl.
const (
	MemoryName      = "memory_gb"       // that the process holds
	MemoryLimitName = "memory_limit_gb" // that it could hold
	BusyPrefix      = "busy/"           // and a stage: its part of all stages' time so far
)

// Run is a run's folder. Its methods may not be called at the same time.
type Run struct {
	Dir     string // as it was given
	Name    string
	Spec    Spec
	About   *About // nil: the run did not write it
	State   State
	Metrics Curves
	Timing  Curves
	Steps   []int // with a Record, ascending

	root       *os.Root
	stamps     map[string]stamp
	records    map[int]*evaluate.Record
	checkpoint int // the step of the one with that stamp
}

// State is what a run is doing.
type State struct {
	Holder      string    // the process that runs it, "pid 4711 on HOST"; empty: none
	Step, Total int       // of the log's last line, and of training; 0: not known
	Whole       bool      // the results that a run keeps part by part are there, all of them
	Updated     time.Time // when the log was last written to; zero: there is none
}

// Running reports whether a process works on the run.
func (s State) Running() bool { return s.Holder != "" }

// Ended reports whether a training run has taken its last step.
func (s State) Ended() bool { return !s.Running() && s.Total > 0 && s.Step >= s.Total }

// Finished reports whether a run that trains nothing has made all its results.
func (s State) Finished() bool { return !s.Running() && s.Total == 0 && s.Whole }

// String returns the state in words.
func (s State) String() string {
	switch {
	case s.Running() && s.Total > 0:
		return fmt.Sprintf("running: step %d of %d", s.Step, s.Total)
	case s.Running():
		return "running"
	case s.Ended():
		return fmt.Sprintf("ended at step %d", s.Step)
	case s.Total > 0:
		return fmt.Sprintf("stopped at step %d of %d", s.Step, s.Total)
	case s.Finished():
		return "finished"
	}
	return "not running"
}

// About is run.json: what a run computes from and on. A resumed run replaces it.
type About struct {
	Version  string         `json:"version"` // of fmsr
	Started  time.Time      `json:"started"`
	Host     string         `json:"host"`
	CPU      string         `json:"cpu,omitempty"`
	Cores    int            `json:"cores"`
	Device   string         `json:"device"`
	Threads  int            `json:"threads"` // of each process
	Ranks    int            `json:"ranks"`
	Libtorch string         `json:"libtorch"`
	Fields   []string       `json:"fields"`
	Grid     string         `json:"grid"`
	Box      [2]float64     `json:"box"`    // zeros: square cells
	Frames   map[string]int `json:"frames"` // by split
	Seeds    map[string]int `json:"seeds"`  // by split
	Factor   int            `json:"factor"`
	Batch    int            `json:"batch"`
	Mean     []float64      `json:"mean,omitempty"` // of each field, over the training frames
	Std      []float64      `json:"std,omitempty"`
}

// Physics is physics.json: what superres measured of the physics, ready to be shown.
type Physics struct {
	Title    string           `json:"title"`
	Metrics  []Meaning        `json:"metrics"`
	Tables   []evaluate.Table `json:"tables"`
	Pictures []PictureFile    `json:"pictures"`
}

// Meaning is the sentence of a row of the tables.
type Meaning struct {
	Name string `json:"name"`
	Key  string `json:"key,omitempty"` // where physics.parquet has it
	Unit string `json:"unit"`
	Doc  string `json:"doc"`
}

// PictureFile is a picture and its file in the folder, PNG or SVG.
type PictureFile struct {
	Name string `json:"name"`
	File string `json:"file"`
}

// ErrNoRun is the error of a folder without a spec.yaml.
var ErrNoRun = errors.New("there is none: not a run's folder")

// Open opens a run's folder and reads it, but for its logs. It returns an error if there is
// no spec.yaml.
func Open(dir string) (*Run, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return newRun(root, dir)
}

// OpenIn is Open for a folder below root, "." for root itself.
func OpenIn(root *os.Root, dir string) (*Run, error) {
	below, err := root.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return newRun(below, filepath.Join(root.Name(), dir))
}

func newRun(root *os.Root, dir string) (*Run, error) {
	r := &Run{Dir: dir, root: root, stamps: map[string]stamp{}, records: map[int]*evaluate.Record{}}
	r.Metrics.file, r.Timing.file = MetricsName, TimingName
	if _, err := r.Peek(); err != nil {
		root.Close()
		return nil, err
	}
	return r, nil
}

// Is reports whether the run's folder is still the one that root has at dir.
func (r *Run) Is(root *os.Root, dir string) bool {
	now, err := root.Stat(dir)
	mine, errMine := r.root.Stat(".")
	return err == nil && errMine == nil && os.SameFile(now, mine)
}

// Close closes the folder.
func (r *Run) Close() error { return r.root.Close() }

// Refresh reads what is new, and reports whether anything is. Its errors name the folder and
// the file; what could be read stays.
func (r *Run) Refresh() (changed bool, err error) {
	return r.refresh(r.readSpec, r.readAbout, r.listRecords, r.readState, r.readLogs)
}

// Peek is Refresh without the logs, whose last step it reads alone.
func (r *Run) Peek() (changed bool, err error) {
	return r.refresh(r.readSpec, r.readAbout, r.listRecords, r.readState)
}

func (r *Run) refresh(parts ...func() (bool, error)) (changed bool, err error) {
	for _, part := range parts {
		new, err := part()
		if err != nil {
			return changed, fmt.Errorf("%s: %w", r.Dir, err)
		}
		changed = changed || new
	}
	return changed, nil
}

func (r *Run) readLogs() (changed bool, err error) {
	for _, log := range []*Curves{&r.Metrics, &r.Timing} {
		new, err := log.refresh(r.root)
		if err != nil {
			return changed, err
		}
		changed = changed || new
	}
	return changed, nil
}

// renewed returns a file if it is another than last time; nil: it is the same, or missing.
func (r *Run) renewed(name string, most int64) ([]byte, error) {
	now, err := stampOf(r.root, name)
	if err != nil || now == r.stamps[name] {
		return nil, err
	}
	if now == (stamp{}) {
		delete(r.stamps, name)
		return nil, nil
	}
	data, err := read(r.root, name, most)
	if err == nil {
		r.stamps[name] = now
	}
	return data, err
}

func (r *Run) readSpec() (bool, error) {
	text, err := r.renewed(SpecName, mostSpec)
	if err != nil {
		return false, err
	}
	if text == nil {
		if len(r.Spec.Text) == 0 {
			return false, &fs.PathError{Op: "open", Path: SpecName, Err: ErrNoRun}
		}
		return false, nil
	}
	if r.Spec, err = parseSpec(text); err != nil {
		return true, &fs.PathError{Op: "read", Path: SpecName, Err: err}
	}
	r.Name = r.Spec.Get("run.name")
	if r.Name == "" {
		r.Name = filepath.Base(r.Dir)
	}
	return true, nil
}

func (r *Run) readAbout() (bool, error) {
	data, err := r.renewed(AboutName, mostAbout)
	if err != nil || data == nil {
		return false, err
	}
	about := &About{}
	if err := json.Unmarshal(data, about); err != nil {
		return true, &fs.PathError{Op: "read", Path: AboutName, Err: err}
	}
	r.About = about
	return true, nil
}

func (r *Run) readState() (bool, error) {
	before := r.State
	holder, err := runfolder.Holder(r.root)
	if err != nil {
		return false, err
	}
	r.State.Holder, r.State.Total = holder, r.Spec.Number("train.total_steps")
	r.State.Updated, r.State.Whole = time.Time{}, r.whole()
	if info, err := r.root.Stat(MetricsName); err == nil {
		r.State.Updated = info.ModTime()
	}
	if r.State.Updated != before.Updated {
		if r.State.Step, err = lastStep(r.root, MetricsName); err != nil {
			return false, err
		}
	}
	return r.State != before, nil
}

// whole reports whether the flow's last stage has made the summary of its results, which are of
// seeds, or of files.
func (r *Run) whole() bool {
	if len(r.Spec.Flow) == 0 {
		return false
	}
	last := r.Spec.Flow[len(r.Spec.Flow)-1]
	return slices.ContainsFunc([]string{"", last}, func(sink string) bool {
		_, err := r.root.Stat(filepath.Join(parts.Folder, sink, parts.Whole))
		return err == nil
	})
}

// steps returns the steps that a folder has files of, ascending: STEP.ext.
func (r *Run) steps(folder, ext string) (steps []int, err error) {
	names, err := r.names(folder)
	for _, name := range names {
		digits, ok := strings.CutSuffix(name, "."+ext)
		if step, err := strconv.ParseUint(digits, 10, 40); ok && err == nil {
			steps = append(steps, int(step))
		}
	}
	slices.Sort(steps)
	return steps, err
}

// mostEntries bounds how much of a folder is listed.
const mostEntries = 1 << 17

// names returns the names in a folder, none if it is missing. (ReadDir of an os.Root's folder asks for
// the state of every file.)
func (r *Run) names(folder string) ([]string, error) {
	f, err := r.root.Open(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(mostEntries)
	if err != nil && len(names) == 0 {
		return nil, nil // empty, or not a folder
	}
	return names, nil
}

func (r *Run) listRecords() (bool, error) {
	now, err := stampOf(r.root, Evaluations)
	if err != nil || now == r.stamps[Evaluations] {
		return false, err
	}
	steps, err := r.steps(Evaluations, "json")
	if err != nil {
		return false, err
	}
	r.stamps[Evaluations], r.Steps = now, steps
	clear(r.records) // a resumed run may have replaced some
	return true, nil
}

// keptRecords is how many records are held in memory.
const keptRecords = 8

// Record returns the evaluation of a step.
func (r *Run) Record(step int) (*evaluate.Record, error) {
	if e := r.records[step]; e != nil {
		return e, nil
	}
	name := fmt.Sprintf("%s/%d.json", Evaluations, step)
	data, err := read(r.root, name, mostRecord)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.Dir, err)
	}
	e, err := evaluate.ReadRecord(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", r.Dir, name, err)
	}
	if len(r.records) >= keptRecords {
		clear(r.records)
	}
	r.records[step] = e
	return e, nil
}

// Latest returns the newest evaluation; nil: there is none.
func (r *Run) Latest() (*evaluate.Record, error) {
	if len(r.Steps) == 0 {
		return nil, nil
	}
	return r.Record(r.Steps[len(r.Steps)-1])
}

// Verdict says in a sentence what the newest evaluation found; empty: nothing yet.
func (r *Run) Verdict() (string, error) {
	e, err := r.Latest()
	if e == nil || err != nil {
		return "", err
	}
	return e.Verdict(), nil
}

// Pictures returns the steps that there are pictures of a name for: "samples_ema/velx".
func (r *Run) Pictures(name string) ([]int, error) {
	return r.steps(filepath.Join(Images, filepath.FromSlash(name)), "png")
}

// Picture returns a PNG file of a step.
func (r *Run) Picture(name string, step int) ([]byte, error) {
	return read(r.root, filepath.Join(Images, filepath.FromSlash(name), fmt.Sprintf("%d.png", step)), mostImage)
}

// Physics returns physics.json; nil: there is none.
func (r *Run) Physics() (*Physics, error) {
	data, err := read(r.root, PhysicsName, mostRecord)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	p := &Physics{}
	if err == nil {
		if err = json.Unmarshal(data, p); err != nil {
			err = &fs.PathError{Op: "read", Path: PhysicsName, Err: err}
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.Dir, err)
	}
	return p, nil
}

// File returns a file of a picture in the folder.
func (r *Run) File(name string) ([]byte, error) { return read(r.root, name, mostImage) }

// Checkpoint returns the step of checkpoint.pt; 0: there is none, or it does not say.
func (r *Run) Checkpoint() (int, error) {
	now, err := stampOf(r.root, checkpointName)
	if err != nil || now == r.stamps[checkpointName] {
		return r.checkpoint, err
	}
	r.checkpoint, r.stamps[checkpointName] = 0, now
	if now == (stamp{}) {
		return 0, nil
	}
	opened, _, err := open(r.root, checkpointName)
	if err != nil {
		return 0, err
	}
	file, err := infile.From(opened)
	if err != nil {
		return 0, err
	}
	checkpoint, err := torchfile.From(file)
	if err != nil {
		return 0, err
	}
	defer checkpoint.Close()
	step, _ := checkpoint.Root.Get("step").(int64)
	r.checkpoint = int(step)
	return r.checkpoint, nil
}

// DifferencesOf is Differences of runs' specs.
func DifferencesOf(runs []*Run) []Difference {
	var specs []*Spec
	for _, r := range runs {
		specs = append(specs, &r.Spec)
	}
	return Differences(specs...)
}
