package stages

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/model"
	"fmsr.example/fmsr/pipeline"
)

// lookedAt is the number of frames of a file that are compared with the training
// inputs, spread evenly over the file.
const lookedAt = 16

// FitKey: the looks are those of the model's channels.
func (r *superres) FitKey() any { return struct{ Channels []string }{r.loaded.Channels} }

// Fit measures a frame if it is one of those to compare.
func (r *superres) Fit(_ context.Context, in pipeline.Element) (bool, error) {
	f := in.(*frames.Frames)
	at, of := f.Origins[0].Frame, r.files[f.Origins[0].Seed].F
	if at > 0 && at*lookedAt/of == (at-1)*lookedAt/of {
		return false, nil
	}
	cells := f.Cells()
	planes := make([]float32, len(r.pick)*cells)
	for c, channel := range r.pick {
		field.Gather(planes[c*cells:(c+1)*cells], frames.Floats(f.Hi), channel, len(f.Channels))
	}
	if field.FirstNonFinite(planes) >= 0 {
		return false, nil // the run will say where
	}
	looks, err := r.meter.Look(planes, f.Grid)
	if err != nil {
		return false, err
	}
	if r.looks == nil {
		r.looks = make([][][]model.Look, len(r.files))
	}
	file := &r.looks[f.Origins[0].Seed]
	*file = append(*file, looks)
	return false, nil
}

// Fitted returns the looks of each file, nil for a file that has none.
func (r *superres) Fitted() (any, error) {
	mean := make([][]model.Look, len(r.files))
	for i, looks := range r.looks {
		if looks != nil {
			mean[i] = model.AverageLooks(looks)
		}
	}
	return mean, nil
}

// FitsPart: a run looks at the files that it applies the model to.
func (r *superres) FitsPart(_ pipeline.Seed, mine bool) bool { return mine }

// fileLooks are the mean looks of a file; nil: it has none.
type fileLooks struct {
	File  int          `json:"file"`
	Looks []model.Look `json:"looks"`
}

// FittedPart returns the looks of the file that was seen.
func (r *superres) FittedPart() (any, error) {
	var of fileLooks
	for i, looks := range r.looks {
		if looks != nil {
			of = fileLooks{i, model.AverageLooks(looks)}
		}
	}
	r.looks = nil
	return of, nil
}

// JoinParts takes the looks of several files.
func (r *superres) JoinParts(parts []json.RawMessage) error {
	r.looks = make([][][]model.Look, len(r.files))
	for _, data := range parts {
		var of fileLooks
		if err := json.Unmarshal(data, &of); err != nil || of.File < 0 || of.File >= len(r.files) {
			return fmt.Errorf("the inputs' looks: of file %d of %d: %w", of.File, len(r.files), err)
		}
		if of.Looks != nil {
			r.looks[of.File] = [][]model.Look{of.Looks}
		}
	}
	return nil
}

// mostNamed is the number of files whose differences are listed.
const mostNamed = 8

// Restore warns of files that are not like the training inputs.
func (r *superres) Restore(data []byte) error {
	var files [][]model.Look
	if err := json.Unmarshal(data, &files); err != nil {
		return fmt.Errorf("the inputs' looks: %w", err)
	}
	if len(files) != len(r.files) {
		return fmt.Errorf("the looks of %d files, want %d", len(files), len(r.files))
	}
	for _, looks := range files {
		if err := model.CheckLooks(looks, len(r.pick)); looks != nil && err != nil {
			return fmt.Errorf("the inputs' looks: %w", err)
		}
	}
	trained := r.loaded.Inputs
	if trained == nil {
		r.env.Progress.Note("the checkpoint does not hold the range of its training inputs: only large differences in mean and deviation will be noticed")
		trained = model.RoughInputs(r.loaded.Stats)
	}
	unlike := 0
	for i, looks := range files {
		if looks == nil {
			continue
		}
		lines := trained.Differences(r.loaded.Channels, looks)
		if lines == nil {
			continue
		}
		if unlike++; unlike <= mostNamed {
			r.env.Progress.Note("warning: %s is not like what the model was trained on: %s", r.fileOf(frames.Origin{Seed: i}), strings.Join(lines, "; "))
		}
	}
	if unlike > mostNamed {
		r.env.Progress.Note("warning: so are %d of %d files in all", unlike, len(r.files))
	}
	return nil
}
