package stages

import (
	"context"
	"encoding/json"
	"fmt"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/parallel"
	"fmsr.example/fmsr/model"
	"fmsr.example/fmsr/pipeline"
)

// inputFrames is how many training frames tell what the network's inputs look like.
// The checkpoint keeps the range of their means, deviations and spectra.
const inputFrames = 256

// filterCells is how many coarse cells of a field determine the linear filter's
// 82 weights well; a fit of that many takes a second or two.
const filterCells = 1 << 19

// fitted is what the checkpoint keeps of the training frames beside their statistics.
type fitted struct {
	Inputs  model.Inputs
	Filters []*field.Linear     // of each field, normalized
	Base    *model.MeasuredBase `json:",omitempty"` // nil unless base_dist has one
}

// FitKey: the replay's order decides which frames come first.
func (t *train) FitKey() any {
	key := struct {
		Grid pipeline.Geometry
		Seed uint64
		Base string `json:",omitempty"`
	}{Grid: t.env.Run.Grid, Seed: t.env.Run.Seed}
	if t.baseMeter != nil {
		key.Base = t.BaseDist
	}
	return key
}

// Fit takes in the coarse fields of the first training frames and what the base measures,
// and fits the linear filters of the first ones.
func (t *train) Fit(_ context.Context, in pipeline.Element) (bool, error) {
	batch := in.(*frames.Frames)
	if batch.Split() != frames.Train {
		return false, nil
	}
	filtered := t.in.Filters[0].Cells() >= filterCells
	if !filtered {
		if err := t.addToFilters(batch); err != nil {
			return false, err
		}
	}
	if t.meter.Inputs().Frames == inputFrames {
		return filtered, nil
	}
	grid := t.in.Coarser(t.in.Factor)
	coarse := make([]float32, len(t.in.Channels)*grid.Cells())
	for n := range batch.N() {
		hi, lo := batch.XHi()[n*batch.FrameLen():][:batch.FrameLen()], batch.XLo()[n*batch.FrameLen():][:batch.FrameLen()]
		if !filtered || t.flow().Base != model.Learned {
			t.baseMeter.Add(hi, lo)
		}
		t.coarse(coarse, lo)
		if err := t.meter.Add(coarse, grid); err != nil {
			return false, err
		}
		if t.meter.Inputs().Frames == inputFrames {
			break
		}
	}
	return false, nil
}

// addToFilters adds a batch of training frames to the fit of each field's filter, the
// fields in parallel.
func (t *train) addToFilters(batch *frames.Frames) error {
	hi, lo, cells := batch.XHi(), batch.XLo(), batch.Cells()
	return parallel.Each(len(t.in.Filters), func(c int) error {
		coarse := make([]float32, t.in.Coarser(t.in.Factor).Cells())
		for n := range batch.N() {
			at := n*batch.FrameLen() + c*cells
			t.in.Stats.Coarse(coarse, lo[at:][:cells], c, t.in.Grid, t.in.Factor, t.in.Periodic)
			t.in.Filters[c].Add(coarse, hi[at:][:cells], t.in.Grid)
		}
		return nil
	})
}

// coarse makes the coarse planes of a frame's normalized x_lo, in physical units.
func (t *train) coarse(coarse, lo []float32) {
	cells := len(coarse) / len(t.in.Channels)
	for c := range t.in.Channels {
		plane := coarse[c*cells : (c+1)*cells]
		t.in.Stats.Coarse(plane, lo[c*t.in.Cells():(c+1)*t.in.Cells()], c, t.in.Grid, t.in.Factor, t.in.Periodic)
		t.in.Stats.Physical(plane, plane, c)
	}
}

// Fitted returns the looks of the inputs, the filters and the base.
func (t *train) Fitted() (any, error) {
	inputs := t.meter.Inputs()
	if inputs.Frames == 0 {
		return nil, errNoTraining
	}
	for c, f := range t.in.Filters {
		if err := f.Solve(); err != nil {
			return nil, fmt.Errorf("field %s: %w", t.in.Channels[c], err)
		}
	}
	return fitted{inputs, t.in.Filters, t.baseMeter.Base(t.in.Filters)}, inputs.Check(len(t.in.Channels))
}

// Restore takes them back.
func (t *train) Restore(data []byte) error {
	var of fitted
	if err := json.Unmarshal(data, &of); err != nil {
		return fmt.Errorf("the inputs' looks and filters: %w", err)
	}
	if err := of.Inputs.Check(len(t.in.Channels)); err != nil {
		return fmt.Errorf("the inputs' looks: %w", err)
	}
	if len(of.Filters) != len(t.in.Channels) {
		return fmt.Errorf("linear filters of %d fields, want %d", len(of.Filters), len(t.in.Channels))
	}
	for c, f := range of.Filters {
		filter, err := field.LinearOf(t.in.Factor, f.Weights)
		if err != nil {
			return err
		}
		*t.in.Filters[c] = *filter
	}
	if t.baseMeter != nil {
		if err := of.Base.Check(t.flow().Base, len(t.in.Channels)); err != nil {
			return fmt.Errorf("the base: %w", err)
		}
		if of.Base.Filters != nil {
			of.Base.Filters = t.in.Filters
		}
	}
	t.inputs, t.base = &of.Inputs, of.Base
	return nil
}

// shareBase takes the base of the checkpoint that the run resumes from, or of the teacher. A fit on another
// processor may differ in the last bits, so that rank 0 tells the others.
func (t *train) shareBase(ctx context.Context) error {
	switch {
	case t.from != nil:
		t.base = t.from.Flow.Measured
	case t.teacher != nil:
		t.base = t.teacher.Flow.Measured
	}
	if t.base == nil {
		return nil
	}
	if g := t.env.Ranks; g != nil {
		data, err := g.Share(ctx, "which has the base distribution", func() ([]byte, error) { return json.Marshal(t.base) })
		if err == nil {
			err = json.Unmarshal(data, &t.base)
		}
		if err != nil {
			return err
		}
	}
	for c, f := range t.base.Filters {
		*t.in.Filters[c] = *f // which the checkpoint has
	}
	return nil
}
