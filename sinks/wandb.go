package sinks

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/goccy/go-yaml"

	wandblog "fmsr.example/fmsr/internal/format/wandb"
	"fmsr.example/fmsr/internal/glob"
	"fmsr.example/fmsr/internal/store/atomicfile"
	"fmsr.example/fmsr/model"
	"fmsr.example/fmsr/pipeline"
)

// WandB writes the learning curve, figures and pictures as an offline run of
// Weights & Biases.
//
//	steps   -- 1 -- ... -- 100 + figures -----
//	        [ wandb/offline-run-.../run-ID.wandb ]
//	steps   -- 1 -- ... -- 100 ---------------
type WandB struct {
	Project string `yaml:"project" doc:"project that the run belongs to"`
}

// wandbFolder is W&B's folder in the run's folder. A user's own runs may be in it too.
const wandbFolder = "wandb"

func init() {
	pipeline.Register(pipeline.Declaration[WandB]{
		Name: "wandb",
		Doc: `Writes the learning curve, figures and pictures as an offline run of Weights & Biases.

	steps   -- 1 -- ... -- 100 + figures -----
	        [ wandb/offline-run-.../run-ID.wandb ]
	steps   -- 1 -- ... -- 100 ---------------

wandb sync RUN/wandb/offline-run-* uploads it. Nothing leaves the machine before that.
time/frames_per_s, training frames a second since the last line, depends on the clock.
` + curveHelp,
		Link:    pipeline.Link{Needs: pipeline.Steps | pipeline.Evaluated, Bystander: true},
		Default: WandB{Project: "mri"},
		New:     func(c *WandB) pipeline.Stage { return &wandb{WandB: *c} },
	})
}

var (
	_ pipeline.Processor = (*wandb)(nil)
	_ pipeline.Flusher   = (*wandb)(nil)
	_ pipeline.Starter   = (*wandb)(nil)
	_ pipeline.Writer    = (*wandb)(nil)
)

// Validate reports an empty project.
func (c *WandB) Validate(_ *pipeline.Run, report func(key, format string, args ...any)) {
	if c.Project == "" {
		report("project", "is empty: want a name")
	}
}

type wandb struct {
	WandB
	stepSink
	env     *pipeline.Env
	dir     string // of the offline run
	file    *os.File
	log     *wandblog.Log
	started time.Time
}

// Open keeps the run for Start.
func (w *wandb) Open(_ context.Context, env *pipeline.Env, in pipeline.Meta) (pipeline.Meta, error) {
	w.env, w.on, w.curve = env, w.write, true
	return in, nil
}

// Writes returns the folder of W&B.
func (w *wandb) Writes() []string { return []string{wandbFolder} }

// Start begins the offline run, or continues it.
func (w *wandb) Start() error {
	w.started = time.Now()
	if w.env.Resume.Here() {
		if found, err := w.resume(filepath.Join(w.env.Run.Dir, wandbFolder)); found || err != nil {
			return err
		}
	}
	for _, earlier := range w.env.Folder.Made(wandbFolder) {
		if err := os.RemoveAll(filepath.Join(w.env.Run.Dir, earlier)); err != nil {
			return err
		}
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", w.env.Spec, w.started.UnixNano()))
	id := hex.EncodeToString(sum[:4])
	name := filepath.Join(wandbFolder, fmt.Sprintf("offline-run-%s-%s", w.started.Format("20060102_150405"), id))
	if err := w.env.Folder.Add(name); err != nil {
		return err
	}
	w.dir = filepath.Join(w.env.Run.Dir, name)
	if err := os.MkdirAll(filepath.Join(w.dir, "files"), 0o777); err != nil {
		return err
	}
	file, err := os.Create(filepath.Join(w.dir, "run-"+id+".wandb"))
	if err != nil {
		return err
	}
	w.file = file
	return w.begin(id)
}

// resume opens the run's only log and cuts it. It reports false if there is no log, or
// only one without a beginning.
func (w *wandb) resume(root string) (found bool, err error) {
	logs, err := glob.In(root, "offline-run-*/run-*.wandb")
	if made := w.env.Folder.Made(wandbFolder); len(made) > 0 {
		logs = slices.DeleteFunc(logs, func(log string) bool {
			return !slices.Contains(made, filepath.Join(wandbFolder, filepath.Base(filepath.Dir(log))))
		})
	}
	if err != nil || len(logs) != 1 {
		return false, err
	}
	if err := atomicfile.SweepTree(filepath.Dir(logs[0])); err != nil {
		return false, err
	}
	var kept wandblog.Kept
	file, err := openLog(logs[0], w.env.Resume, func(data []byte, step int) (_ int, err error) {
		kept, err = wandblog.UpTo(data, step)
		return kept.Length, err
	})
	if err != nil {
		return false, err
	}
	if kept.Length == 0 {
		return false, file.Close()
	}
	w.dir, w.file, w.started = filepath.Dir(logs[0]), file, kept.Started
	w.log = wandblog.Resume(file, kept)
	return true, nil
}

// begin writes the run with its config.
func (w *wandb) begin(id string) (err error) {
	if w.log, err = wandblog.Start(w.file); err != nil {
		return err
	}
	var config map[string]any
	if err := yaml.Unmarshal(w.env.Spec, &config); err != nil {
		return err
	}
	return w.log.Run(wandblog.Run{ID: id, Project: w.Project, Name: w.env.Run.Name, Config: config, Started: w.started})
}

// write writes a history record for a step, and its pictures if it was evaluated.
func (w *wandb) write(step *model.Step) error {
	values := map[string]any{}
	for _, s := range scalars(step) {
		values[s.Name] = s.Value
	}
	if step.Speed > 0 {
		values[speedName] = step.Speed
	}
	if step.Eval == nil {
		return w.log.History(step.N, time.Now(), w.started, values)
	}
	var pictures []string
	for _, p := range step.Eval.Pictures {
		path, value, err := wandblog.Picture(p.Name, step.N, p.PNG)
		if err != nil {
			return err
		}
		if err := w.save(path, p.PNG); err != nil {
			return fmt.Errorf("picture %s: %w", p.Name, err)
		}
		values[p.Name], pictures = value, append(pictures, path)
	}
	if err := w.log.Files(pictures); err != nil {
		return err
	}
	return w.log.History(step.N, time.Now(), w.started, values)
}

// save stores a file where W&B looks for it.
func (w *wandb) save(name string, data []byte) error {
	path := filepath.Join(w.dir, "files", filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	return atomicfile.WriteFile(path, data)
}

// Flush marks the run as finished.
func (w *wandb) Flush(context.Context) ([]pipeline.Element, error) { return nil, w.log.Exit() }

// Close closes the file; what was written stays.
func (w *wandb) Close() error { return closeLog(w.file) }
