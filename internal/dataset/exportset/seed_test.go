package exportset

import (
	"encoding/json"
	"strings"
	"testing"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/store/parts"
)

func record(t *testing.T, seed int, split string, states ...field.Welford) parts.Record {
	t.Helper()
	extra, err := json.Marshal(Seed{Split: split, Frames: []int{0, 2}, Welford: states})
	if err != nil {
		t.Fatal(err)
	}
	return parts.Record{Seed: seed, Extra: extra, Files: []parts.File{{Path: "x_hi.npy"}, {Path: "x_lo.npy"}}}
}

// TestAdd: every file of a seed is listed, and the statistics are those of all seeds.
func TestAdd(t *testing.T) {
	m := Manifest{Format: "npy", ChannelNames: []string{"a"}}
	n, err := m.Add([]parts.Record{
		record(t, 0, "train", field.Welford{Count: 1, Mean: 1}),
		record(t, 1, "train", field.Welford{Count: 1, Mean: 3}),
		record(t, 2, "val", field.Welford{}),
	})
	if err != nil {
		t.Fatal(err)
	}
	if n != 6 || len(m.Files) != 6 || m.Files[5].Seed != 2 || m.Files[5].Split != "val" || len(m.Files[5].Frames) != 2 {
		t.Errorf("%d frames, files %+v", n, m.Files)
	}
	if m.Count != 2 || m.Mean[0] != 2 || m.Std[0] != 1 {
		t.Errorf("count %g, mean %v, std %v, want 2, 2, 1", m.Count, m.Mean, m.Std)
	}
	normalized := Manifest{ChannelNames: []string{"a"}, Mean: []float64{7}, Std: []float64{8}}
	if _, err := normalized.Add([]parts.Record{record(t, 0, "train", field.Welford{Count: 1, Mean: 1})}); err != nil || normalized.Mean[0] != 7 || normalized.Count != 0 {
		t.Errorf("the statistics that were applied became %v of %g values, %v", normalized.Mean, normalized.Count, err)
	}
	if _, err := m.Add([]parts.Record{record(t, 3, "test")}); err == nil || !strings.Contains(err.Error(), "seed 3: record: 0 channels, want 1") {
		t.Errorf("a record of no channels: %v", err)
	}
}
