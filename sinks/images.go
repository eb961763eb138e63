package sinks

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"fmsr.example/fmsr/internal/evaluate"
	"fmsr.example/fmsr/internal/store/infile"
	"fmsr.example/fmsr/model"
	"fmsr.example/fmsr/pipeline"
)

// Images writes the pictures of every evaluation as files, and tiles for fmsr ui and
// fmsr report: fields without text, as tiles_ema/velx.
//
//	steps   -- 1 -- ... -- 100 + pictures ----
//	        [ images/samples/velx/100.png ... ]
//	steps   -- 1 -- ... -- 100 ---------------
type Images struct{ FigureFormat }

func init() {
	pipeline.Register(pipeline.Declaration[Images]{
		Name: "images",
		Doc: `Writes the pictures of every evaluation to the run's folder.

	steps   -- 1 -- ... -- 100 + pictures ----
	        [ images/samples/velx/100.png ... ]
	steps   -- 1 -- ... -- 100 ---------------

A picture is images/NAME/STEP.png (or svg, pdf). Fields without text are tiles for fmsr ui
and fmsr report: tiles_truth/velx, tiles_ema/velx. A tile that is as before, as the truth's
is, is not written again.`,
		Link:    pipeline.Link{Needs: pipeline.Steps | pipeline.Evaluated, Bystander: true},
		Default: Images{usualFigures},
		New:     func(c *Images) pipeline.Stage { return &images{Images: *c} },
	})
}

var (
	_ pipeline.Processor = (*images)(nil)
	_ pipeline.Starter   = (*images)(nil)
	_ pipeline.Writer    = (*images)(nil)
)

type images struct {
	Images
	stepSink
	env *pipeline.Env
	dir string
}

// Open finds the folder.
func (i *images) Open(_ context.Context, env *pipeline.Env, in pipeline.Meta) (pipeline.Meta, error) {
	i.env, i.dir, i.on = env, filepath.Join(env.Run.Dir, "images"), i.write
	return in, nil
}

// Start removes what a killed run has left and, if the run starts over, the pictures of the
// earlier run.
func (i *images) Start() error { return startSteps(i.dir, i.env.Resume) }

// Writes returns the folder.
func (i *images) Writes() []string { return []string{"images"} }

// write writes the pictures and tiles of an evaluated step.
func (i *images) write(step *model.Step) error {
	for _, p := range step.Eval.Pictures {
		if _, err := i.save(i.path(p.Name, step.N), p); err != nil {
			return err
		}
	}
	for _, t := range step.Eval.Tiles {
		if i.sameBefore(t, step.N) {
			continue
		}
		if err := writeWithin(i.path(t.Name, step.N)+".png", t.PNG); err != nil {
			return err
		}
	}
	return nil
}

// sameBefore reports whether the newest tile of earlier steps has the same bytes, as those of
// the truth and of baselines have: that tile serves for this step too.
func (i *images) sameBefore(t evaluate.Picture, step int) bool {
	entries, _ := os.ReadDir(filepath.Join(i.dir, filepath.FromSlash(t.Name)))
	newest := 0
	for _, e := range entries {
		if n, err := strconv.Atoi(strings.TrimSuffix(e.Name(), ".png")); err == nil && n < step {
			newest = max(newest, n)
		}
	}
	before, err := infile.ReadAll(i.path(t.Name, newest)+".png", int64(len(t.PNG)))
	return err == nil && bytes.Equal(before, t.PNG)
}

// path returns the file of a picture without its extension: images/NAME/STEP.
func (i *images) path(name string, step int) string {
	return filepath.Join(i.dir, filepath.FromSlash(name), fmt.Sprint(step))
}
