package sinks

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"fmsr/internal/store/atomicfile"
	"fmsr/model"
	"fmsr/pipeline"
)

// WandB writes every evaluation's figures and pictures as an offline run of
// Weights & Biases.
//
//	steps   -- 1 -- ... -- 100 + figures -----
//	        [ wandb/offline-run-.../run-ID.wandb ]
//	steps   -- 1 -- ... -- 100 ---------------
type WandB struct {
	Project string `yaml:"project" doc:"project that the run belongs to"`
}

func init() {
	pipeline.Register(pipeline.Declaration[WandB]{
		Name: "wandb",
		Doc: `Writes every evaluation's figures and pictures as an offline run of Weights & Biases.

	steps   -- 1 -- ... -- 100 + figures -----
	        [ wandb/offline-run-.../run-ID.wandb ]
	steps   -- 1 -- ... -- 100 ---------------

wandb sync RUN/wandb/offline-run-* uploads it; nothing leaves the machine before.`,
		Link:    pipeline.Link{Needs: pipeline.Steps | pipeline.Evaluated, Bystander: true},
		Default: WandB{Project: "mri"},
		New:     func(c *WandB) pipeline.Stage { return &wandb{WandB: *c} },
	})
}

var (
	_ pipeline.Processor = (*wandb)(nil)
	_ pipeline.Flusher   = (*wandb)(nil)
	_ pipeline.Starter   = (*wandb)(nil)
)

// Validate reports an empty project.
func (c *WandB) Validate(_ *pipeline.Run, report func(key, format string, args ...any)) {
	if c.Project == "" {
		report("project", "is empty: want a name")
	}
}

type wandb struct {
	WandB
	env     *pipeline.Env
	dir     string // of the offline run
	file    *os.File
	log     *wandbLog
	started time.Time
}

// Open takes note of the run.
func (w *wandb) Open(_ context.Context, env *pipeline.Env, in pipeline.Meta) (pipeline.Meta, error) {
	w.env = env
	return in, nil
}

// Start begins the offline run, or goes on with it.
func (w *wandb) Start() error {
	w.started = time.Now()
	root := filepath.Join(w.env.Run.Dir, "wandb")
	if w.env.Resume.Here() {
		if known, err := w.goOn(root); known || err != nil {
			return err
		}
	}
	if err := os.RemoveAll(root); err != nil {
		return err
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", w.env.Spec, w.started.UnixNano()))
	id := hex.EncodeToString(sum[:4])
	w.dir = filepath.Join(root, fmt.Sprintf("offline-run-%s-%s", w.started.Format("20060102_150405"), id))
	if err := os.MkdirAll(filepath.Join(w.dir, "files"), 0o755); err != nil {
		return err
	}
	file, err := os.Create(filepath.Join(w.dir, "run-"+id+".wandb"))
	if err != nil {
		return err
	}
	w.file = file
	return w.begin(id)
}

// goOn opens the run's only log, where there is one with a beginning.
func (w *wandb) goOn(root string) (known bool, err error) {
	logs, err := filepath.Glob(filepath.Join(root, "offline-run-*", "run-*.wandb"))
	if err != nil || len(logs) != 1 {
		return false, err
	}
	var kept wandbKept
	file, err := openLog(logs[0], w.env.Resume, func(data []byte, step int) int {
		kept = wandbUpTo(data, step)
		return kept.length
	})
	if err != nil {
		return false, err
	}
	if kept.length == 0 {
		return false, file.Close()
	}
	w.dir, w.file, w.started = filepath.Dir(logs[0]), file, kept.started
	w.log = &wandbLog{w: file, at: kept.length % wandbBlock, count: kept.records}
	return true, nil
}

// begin writes the version and the run with its config.
func (w *wandb) begin(id string) (err error) {
	if w.log, err = newWandbLog(w.file); err != nil {
		return err
	}
	version := protoBytes(nil, 1, protoBytes(protoBytes(nil, 1, []byte("0.31.0")), 2, []byte("0.40.0"))) // VersionInfo: producer, min_consumer
	if err := w.log.record(wandbVersion, version); err != nil {
		return err
	}
	var config map[string]any
	if err := yaml.Unmarshal(w.env.Spec, &config); err != nil {
		return err
	}
	run, err := wandbRunRecord(id, w.Project, w.env.Run.Name, config, w.started)
	if err != nil {
		return err
	}
	return w.log.record(wandbRun, run)
}

// Process writes a history record for an evaluated step, and its pictures.
func (w *wandb) Process(_ context.Context, in pipeline.Element) ([]pipeline.Element, error) {
	if step, ok := in.(*model.Step); ok && step.Eval != nil {
		if err := w.history(step); err != nil {
			return nil, err
		}
	}
	in.Retain()
	return []pipeline.Element{in}, nil
}

// history is a HistoryRecord: 1 item, 2 step.
func (w *wandb) history(step *model.Step) error {
	values := map[string]any{
		"_step": step.N, "_timestamp": wallTime(), "_runtime": time.Since(w.started).Seconds(),
	}
	for _, s := range step.Eval.Scalars {
		values[s.Name] = s.Value
	}
	var files []byte
	for _, p := range step.Eval.Pictures {
		value, err := w.picture(p, step.N)
		if err != nil {
			return fmt.Errorf("picture %s: %w", p.Name, err)
		}
		values[p.Name] = value
		files = protoBytes(files, 1, protoBytes(nil, 1, []byte(value["path"].(string))))
	}
	if err := w.log.record(wandbFiles, files); err != nil {
		return err
	}
	var items []byte
	for _, name := range sortedNames(values) {
		item, err := wandbItem(2, name, values[name])
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		items = protoBytes(items, 1, item)
	}
	return w.log.record(wandbHistory, protoBytes(items, 2, protoInt(nil, 1, int64(step.N))))
}

// picture stores a PNG where W&B looks for it and returns the reference to it.
func (w *wandb) picture(p model.Picture, step int) (map[string]any, error) {
	size, err := png.DecodeConfig(bytes.NewReader(p.PNG))
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(p.PNG)
	digest := hex.EncodeToString(sum[:])
	name := fmt.Sprintf("media/images/%s_%d_%s.png", strings.TrimSuffix(p.Name, "/"), step, digest[:20])
	path := filepath.Join(w.dir, "files", filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	if err := atomicfile.WriteFile(path, p.PNG); err != nil {
		return nil, err
	}
	return map[string]any{
		"_type": "image-file", "format": "png", "path": name, "sha256": digest, "size": len(p.PNG),
		"width": size.Width, "height": size.Height,
	}, nil
}

// Flush marks the run as finished.
func (w *wandb) Flush(context.Context) ([]pipeline.Element, error) {
	return nil, w.log.record(wandbExit, protoInt(nil, 1, 0))
}

// Close closes the file; what was written stays.
func (w *wandb) Close() error { return closeLog(w.file) }

func sortedNames(m map[string]any) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
