package stages

import (
	"context"
	"encoding/json"
	"fmt"

	"fmsr/internal/frames"
	"fmsr/model"
	"fmsr/pipeline"
)

// inputFrames is how many training frames tell what the network's inputs look like.
// The checkpoint keeps the range of their means, deviations and spectra.
const inputFrames = 256

// fitted is what the first training frames tell. Base is nil unless base_dist has one.
type fitted struct {
	model.Inputs
	Base *model.MeasuredBase `json:",omitempty"`
}

// FitKey: the replay's order decides which frames come first.
func (t *train) FitKey() any {
	key := struct {
		Seed uint64
		Base string `json:",omitempty"`
	}{Seed: t.env.Run.Seed}
	if t.flow().Measures() {
		key.Base = t.BaseDist
	}
	return key
}

// Fit takes in the coarse fields of the first training frames, and what the base measures.
func (t *train) Fit(_ context.Context, in pipeline.Element) (bool, error) {
	batch := in.(*frames.Frames)
	if batch.Split() != frames.Train {
		return false, nil
	}
	if t.baseMeter == nil && t.flow().Measures() {
		t.baseMeter = model.NewBaseMeter(len(t.in.Channels), t.in.Grid)
	}
	grid := t.in.Coarser(t.in.Factor)
	coarse := make([]float32, len(t.in.Channels)*grid.Cells())
	for n := range batch.N() {
		hi, lo := batch.XHi()[n*batch.FrameLen():][:batch.FrameLen()], batch.XLo()[n*batch.FrameLen():][:batch.FrameLen()]
		if t.baseMeter != nil {
			t.baseMeter.Add(hi, lo)
		}
		t.coarse(coarse, lo)
		if err := t.meter.Add(coarse, grid); err != nil {
			return false, err
		}
		if t.meter.Inputs().Frames == inputFrames {
			return true, nil
		}
	}
	return false, nil
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

// Fitted returns the looks of the inputs, and the base.
func (t *train) Fitted() (any, error) {
	all := fitted{Inputs: t.meter.Inputs()}
	if all.Frames == 0 {
		return nil, errNoTraining
	}
	if t.baseMeter != nil {
		all.Base = t.baseMeter.Base()
	}
	return all, all.Check(len(t.in.Channels))
}

// Restore takes them back.
func (t *train) Restore(data []byte) error {
	var all fitted
	if err := json.Unmarshal(data, &all); err != nil {
		return fmt.Errorf("the inputs' looks: %w", err)
	}
	if err := all.Check(len(t.in.Channels)); err != nil {
		return fmt.Errorf("the inputs' looks: %w", err)
	}
	if t.flow().Measures() {
		if err := all.Base.Check(len(t.in.Channels)); err != nil {
			return fmt.Errorf("the base: %w", err)
		}
	}
	t.inputs, t.base = &all.Inputs, all.Base
	return nil
}

// shareBase takes the base of the checkpoint that the run resumes from. A fit on another
// processor may differ in the last bits, so that rank 0 tells the others.
func (t *train) shareBase(ctx context.Context) error {
	if t.from != nil {
		t.base = t.from.Flow.Measured
	}
	if t.base == nil || t.env.Ranks == nil {
		return nil
	}
	data, err := t.env.Ranks.Share(ctx, "which has the base distribution", func() ([]byte, error) { return json.Marshal(t.base) })
	if err != nil {
		return err
	}
	return json.Unmarshal(data, &t.base)
}
