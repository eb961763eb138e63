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

// FitKey: the replay's order decides which frames come first.
func (t *train) FitKey() any { return struct{ Seed uint64 }{t.env.Run.Seed} }

// Fit takes in the coarse fields of the first training frames.
func (t *train) Fit(_ context.Context, in pipeline.Element) (bool, error) {
	batch := in.(*frames.Frames)
	if batch.Split() != frames.Train {
		return false, nil
	}
	grid := t.in.Coarser(t.in.Factor)
	coarse := make([]float32, len(t.in.Channels)*grid.Cells())
	for n := range batch.N() {
		t.coarse(coarse, batch.XLo()[n*batch.FrameLen():][:batch.FrameLen()])
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

// Fitted returns the looks of the inputs.
func (t *train) Fitted() (any, error) {
	inputs := t.meter.Inputs()
	if inputs.Frames == 0 {
		return nil, errNoTraining
	}
	return inputs, inputs.Check(len(t.in.Channels))
}

// Restore takes them back.
func (t *train) Restore(data []byte) error {
	var inputs model.Inputs
	if err := json.Unmarshal(data, &inputs); err != nil {
		return fmt.Errorf("the inputs' looks: %w", err)
	}
	if err := inputs.Check(len(t.in.Channels)); err != nil {
		return fmt.Errorf("the inputs' looks: %w", err)
	}
	t.inputs = &inputs
	return nil
}
