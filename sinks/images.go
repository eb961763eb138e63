package sinks

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"fmsr/internal/store/atomicfile"
	"fmsr/model"
	"fmsr/pipeline"
)

// Images writes every evaluation's pictures as PNG files.
//
//	steps   -- 1 -- ... -- 100 + pictures ----
//	        [ images/samples/velx/100.png ... ]
//	steps   -- 1 -- ... -- 100 ---------------
type Images struct{}

func init() {
	pipeline.Register(pipeline.Declaration[Images]{
		Name: "images",
		Doc: `Writes every evaluation's pictures to images/NAME/STEP.png in the run's folder.

	steps   -- 1 -- ... -- 100 + pictures ----
	        [ images/samples/velx/100.png ... ]
	steps   -- 1 -- ... -- 100 ---------------`,
		Link: pipeline.Link{Needs: pipeline.Steps | pipeline.Evaluated, Bystander: true},
		New:  func(*Images) pipeline.Stage { return &images{} },
	})
}

var _ pipeline.Processor = (*images)(nil)

type images struct{ dir string }

// Open notes the folder.
func (i *images) Open(_ context.Context, env *pipeline.Env, in pipeline.Meta) (pipeline.Meta, error) {
	i.dir = filepath.Join(env.Run.Dir, "images")
	return in, nil
}

// Process writes the pictures of an evaluated step.
func (i *images) Process(_ context.Context, in pipeline.Element) ([]pipeline.Element, error) {
	if step, ok := in.(*model.Step); ok && step.Eval != nil {
		for _, p := range step.Eval.Pictures {
			path := i.path(p.Name, step.N)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				return nil, err
			}
			if err := atomicfile.WriteFile(path, p.PNG); err != nil {
				return nil, err
			}
		}
	}
	in.Retain()
	return []pipeline.Element{in}, nil
}

func (i *images) path(name string, step int) string {
	return filepath.Join(i.dir, filepath.FromSlash(name), fmt.Sprintf("%d.png", step))
}

// Close has nothing to free.
func (i *images) Close() error { return nil }
