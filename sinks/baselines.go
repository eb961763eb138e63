package sinks

import (
	"fmsr.example/fmsr/internal/evaluate"
	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/pipeline"
)

// baselines makes the baselines of superres's frames.
type baselines struct {
	evaluate.Baselines
	in pipeline.Meta
}

// newBaselines returns the baselines that the model and the constraints allow.
func newBaselines(name string, env *pipeline.Env, in pipeline.Meta) *baselines {
	b := &baselines{in: in}
	if in.Trained == nil {
		return b
	}
	b.Baselines = evaluate.Baselines{Filters: in.Filters, Stats: in.Trained, Constraints: in.Constraints}
	if in.Filters == nil {
		env.Progress.Note("%s: no rows of the linear filter: the checkpoint does not hold one", name)
	}
	return b
}

// of returns the baselines of a frame and its input, planes (C,H/factor,W/factor), in physical units.
func (b *baselines) of(f *frames.Frames) (all []evaluate.Fields, coarse []float32, err error) {
	cells, small := f.Cells(), f.Coarser(b.in.Factor).Cells()
	coarse, normalized := make([]float32, len(f.Channels)*small), make([]float32, len(f.Channels)*small)
	for c := range f.Channels {
		plane := coarse[c*small:][:small]
		field.Coarse(plane, f.XLo()[c*cells:][:cells], f.Grid, b.in.Factor, b.in.Periodic)
		if b.Stats != nil {
			b.Stats.Normalize(normalized[c*small:][:small], plane, c)
		}
	}
	all, err = b.Of(f.Grid, b.in.Factor, f.XLo(), normalized)
	return all, coarse, err
}
