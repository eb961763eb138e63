package stages

import (
	"github.com/apache/arrow/go/v15/arrow/memory"

	"fmsr.example/fmsr/internal/field/plan"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/pipeline"
)

// applied is the Process of a stage that folds: it applies a plan of the stage's work
// alone.
func applied(s plan.Folder, mem memory.Allocator, in pipeline.Element) ([]pipeline.Element, error) {
	p := &plan.Plan{}
	s.Fold(p)
	out, err := p.Apply(mem, in.(*frames.Frames))
	if err != nil {
		return nil, err
	}
	return []pipeline.Element{out}, nil
}
