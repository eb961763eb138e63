package sinks

import (
	"encoding/json"
	"fmt"
	"path/filepath"

	"fmsr/internal/dataset/exportset"
	"fmsr/internal/field"
	"fmsr/internal/store/atomicfile"
	"fmsr/internal/store/parts"
	"fmsr/internal/store/seal"
)

// writeManifest describes those seeds, and says so.
func (e *exporter) writeManifest(path string, records []parts.Record) error {
	m := exportset.Manifest{Format: e.Format, Files: []exportset.File{}, ChannelNames: e.in.Channels, H: e.in.H, W: e.in.W, Normalized: e.in.Stats != nil}
	if e.paired {
		m.Factor, m.Boundary = e.in.Factor, "clamp"
		if e.in.Periodic {
			m.Boundary = "periodic"
		}
	}
	states := make([]field.Welford, len(e.in.Channels))
	rows, bytes := 0, int64(0)
	for _, r := range records {
		var extra exportExtra
		if err := json.Unmarshal(r.Extra, &extra); err != nil {
			return fmt.Errorf("%s: seed %d: record: %w", filepath.Dir(path), r.Seed, err)
		}
		if len(extra.Welford) != len(states) {
			return fmt.Errorf("%s: seed %d: record: %d channels, want %d", filepath.Dir(path), r.Seed, len(extra.Welford), len(states))
		}
		for c := range states {
			states[c].Merge(extra.Welford[c])
		}
		for _, f := range r.Files {
			file := exportset.File{File: f, Seed: r.Seed, Split: extra.Split}
			if e.Format == "npy" {
				file.Frames = extra.Frames
			}
			m.Files = append(m.Files, file)
			bytes += f.Bytes
		}
		rows += len(extra.Frames)
	}
	switch {
	case e.in.Stats != nil:
		m.Mean, m.Std = e.in.Stats.Mean, e.in.Stats.Std
	case states[0].Count > 0:
		for _, w := range states {
			m.Mean, m.Std = append(m.Mean, w.Mean), append(m.Std, w.Std())
		}
		m.Count = states[0].Count
	}
	data, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return err
	}
	if err := atomicfile.WriteFile(path, seal.Object(data)); err != nil {
		return err
	}
	e.env.Progress.Note("export    %s: %d files, %d frames, %.3g GB", path, len(m.Files), rows, float64(bytes)/1e9)
	return nil
}
