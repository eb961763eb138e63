package stages

import (
	"context"
	"encoding/json"
	"fmt"

	"fmsr/internal/field"
	"fmsr/internal/frames"
	"fmsr/model"
	"fmsr/pipeline"
)

// lookedAt is the number of input frames that are compared with the training inputs,
// spread evenly over all frames.
const lookedAt = 16

// FitKey returns nil if the checkpoint does not say what the training inputs were
// like, as one written by PyTorch.
func (r *superres) FitKey() any {
	if r.loaded.Inputs == nil {
		return nil
	}
	return struct{ Channels []string }{r.loaded.Channels}
}

// Fit adds a frame to the meter if it is one of those to compare.
func (r *superres) Fit(_ context.Context, in pipeline.Element) (bool, error) {
	f := in.(*frames.Frames)
	at := r.seen
	r.seen++
	if at*lookedAt/r.total == (at-1)*lookedAt/r.total && at > 0 {
		return false, nil
	}
	if r.meter == nil {
		r.meter = model.NewInputMeter(len(r.pick))
	}
	cells := f.Cells()
	planes := make([]float32, len(r.pick)*cells)
	for c, channel := range r.pick {
		field.Gather(planes[c*cells:(c+1)*cells], frames.Floats(f.Hi), channel, len(f.Channels))
	}
	if field.FirstNonFinite(planes) >= 0 {
		return false, nil // the run will say where
	}
	return false, r.meter.Add(planes, f.Grid)
}

// Fitted returns the inputs' spread and spectrum.
func (r *superres) Fitted() (any, error) {
	if r.meter == nil {
		return model.Inputs{}, nil
	}
	inputs := r.meter.Inputs()
	return inputs, inputs.Check(len(r.pick))
}

// Restore warns where the inputs are not like the training inputs.
func (r *superres) Restore(data []byte) error {
	var given model.Inputs
	if err := json.Unmarshal(data, &given); err != nil {
		return fmt.Errorf("the inputs' spread: %w", err)
	}
	if given.Frames == 0 {
		return nil
	}
	if err := given.Check(len(r.pick)); err != nil {
		return fmt.Errorf("the inputs' spread: %w", err)
	}
	for _, line := range r.loaded.Inputs.Differences(r.loaded.Channels, given) {
		r.env.Progress.Note("warning: the input is not like what the model was trained on: %s", line)
	}
	return nil
}
