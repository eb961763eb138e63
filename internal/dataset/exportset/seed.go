package exportset

import (
	"encoding/json"
	"fmt"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/store/parts"
)

// Seed is the part of a finished seed's record besides its files: the record's Extra.
type Seed struct {
	Split   string          `json:"split"`
	Frames  []int           `json:"frames"`
	Moments []frames.Moment `json:"moments,omitempty"` // of the frames; nil: not known
	Sums    []uint32        `json:"crc32c,omitempty"`  // of the values of an Arrow file, as in File
	Welford []field.Welford `json:"welford"`           // of each channel of x_hi, over training frames
}

// Add lists the files of finished seeds, and returns how many frames they have. If the
// manifest has no mean yet, Add computes mean and deviation from the seeds' statistics.
func (m *Manifest) Add(records []parts.Record) (n int, err error) {
	states := make([]field.Welford, len(m.ChannelNames))
	for _, r := range records {
		var seed Seed
		if err := json.Unmarshal(r.Extra, &seed); err != nil {
			return 0, fmt.Errorf("seed %d: record: %w", r.Seed, err)
		}
		if len(seed.Welford) != len(states) {
			return 0, fmt.Errorf("seed %d: record: %d channels, want %d", r.Seed, len(seed.Welford), len(states))
		}
		for c := range states {
			states[c].Merge(seed.Welford[c])
		}
		for _, f := range r.Files {
			listed := File{File: f, Seed: r.Seed, Split: seed.Split, Frames: seed.Frames, Sums: seed.Sums}
			for _, at := range seed.Moments {
				listed.Times, listed.Cycles = append(listed.Times, at.Time), append(listed.Cycles, at.Cycle)
			}
			m.Files = append(m.Files, listed)
		}
		n += len(seed.Frames)
	}
	if m.Mean == nil && states[0].Count > 0 {
		for _, w := range states {
			m.Mean, m.Std = append(m.Mean, w.Mean), append(m.Std, w.Std())
		}
		m.Count = states[0].Count
	}
	return n, nil
}
