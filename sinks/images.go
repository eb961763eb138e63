package sinks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"fmsr/internal/store/atomicfile"
	"fmsr/model"
	"fmsr/pipeline"
)

// Images writes the pictures of every evaluation as files.
//
//	steps   -- 1 -- ... -- 100 + pictures ----
//	        [ images/samples/velx/100.png ... ]
//	steps   -- 1 -- ... -- 100 ---------------
type Images struct{ FigureFormat }

func init() {
	pipeline.Register(pipeline.Declaration[Images]{
		Name: "images",
		Doc: `Writes the pictures of every evaluation to images/NAME/STEP.png (or svg, pdf) in the run's folder.

	steps   -- 1 -- ... -- 100 + pictures ----
	        [ images/samples/velx/100.png ... ]
	steps   -- 1 -- ... -- 100 ---------------`,
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
// earlier run: they would be taken for those of later steps of this run.
func (i *images) Start() error {
	if err := atomicfile.SweepTree(i.dir); err != nil || i.env.Resume.Here() {
		return err
	}
	return filepath.WalkDir(i.dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !e.Type().IsRegular() || !pictureFile.MatchString(e.Name()) {
			return err
		}
		return os.Remove(path)
	})
}

// pictureFile matches the name of a picture's file: its step.
var pictureFile = regexp.MustCompile(`^[0-9]+\.(png|svg|pdf)$`)

// Writes returns the folder.
func (i *images) Writes() []string { return []string{"images"} }

// write writes the pictures of an evaluated step.
func (i *images) write(step *model.Step) error {
	for _, p := range step.Eval.Pictures {
		if _, err := i.save(i.path(p.Name, step.N), p); err != nil {
			return err
		}
	}
	return nil
}

// path returns the file of a picture without its extension: images/NAME/STEP.
func (i *images) path(name string, step int) string {
	return filepath.Join(i.dir, filepath.FromSlash(name), fmt.Sprint(step))
}
