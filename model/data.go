package model

import (
	"fmt"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/format/torchfile"
	"fmsr.example/fmsr/internal/frames"
)

// Data is what identifies the frames that a run trains on and is judged by.
type Data struct {
	Stats   *field.Stats
	Frames  int                     // number of training frames
	Digests map[frames.Split]string // of the values of each split's frames, in their order
}

// resultSplits are the splits whose frames change the result of a training run.
var resultSplits = []struct {
	frames.Split
	name string
}{{frames.Train, "training"}, {frames.Val, "validation"}}

// digestsDict is the key data of a checkpoint.
func digestsDict(digests map[frames.Split]string) (d torchfile.Dict) {
	for _, s := range resultSplits {
		d = append(d, torchfile.Entry{Key: s.String(), Value: digests[s.Split]})
	}
	return d
}

// CheckData returns an error unless the data are those of the run that wrote the
// checkpoint: the number of training frames, their statistics to float32 and, in a
// checkpoint that has them, the digests of the training and validation frames.
func (l *Loaded) CheckData(now Data) error {
	r, err := l.resumption()
	if err != nil {
		return err
	}
	if r.frames != now.Frames {
		return fmt.Errorf("it was trained on %d frames, and there are %d now", r.frames, now.Frames)
	}
	if err := l.CheckStats(now.Stats); err != nil {
		return err
	}
	data, ok := l.file.Root.Get("data").(*torchfile.Map)
	if !ok {
		return nil // an older fmsr wrote it
	}
	for _, s := range resultSplits {
		if data.Get(s.String()) != now.Digests[s.Split] {
			return fmt.Errorf("the %s frames have changed (their values, order, numbers or seeds): go back to those that it was trained with, or start over with --resume never, or in another folder by --out", s.name)
		}
	}
	return nil
}

// CheckStats returns an error unless the statistics, to float32, are those of the run that
// wrote the checkpoint.
func (l *Loaded) CheckStats(now *field.Stats) error {
	for c, name := range l.Channels {
		if now.IsLog(c) != l.Stats.IsLog(c) {
			return fmt.Errorf("%s was normalized by its logarithm in one of the two runs alone", name)
		}
		if float32(now.Mean[c]) != float32(l.Stats.Mean[c]) || float32(now.Std[c]) != float32(l.Stats.Std[c]) {
			return fmt.Errorf("the training data have changed: %s has mean %g and deviation %g, and had mean %g and deviation %g",
				name, now.Mean[c], now.Std[c], l.Stats.Mean[c], l.Stats.Std[c])
		}
	}
	return nil
}
