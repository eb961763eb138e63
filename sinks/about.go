package sinks

import (
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"fmsr.example/fmsr/internal/runview"
	"fmsr.example/fmsr/internal/store/atomicfile"
	"fmsr.example/fmsr/internal/torchx"
)

// writeAbout writes run.json: on what data and machine this run is.
func (m *metrics) writeAbout() error {
	device, err := torchx.OpenLocalDevice(m.env.Run.Device, m.env.Local)
	if err != nil {
		return err
	}
	run, in := m.env.Run, m.in
	about := runview.About{
		Version: m.env.Version, Started: time.Now().UTC().Truncate(time.Second), CPU: Processor(), Cores: runtime.NumCPU(),
		Device: device.String(), Threads: run.Threads, Ranks: 1, Libtorch: torchx.Libtorch,
		Fields: in.Channels, Grid: in.Grid.String(), Box: in.Grid.Box, Frames: map[string]int{}, Seeds: map[string]int{}, Factor: in.Factor, Batch: m.env.Batch,
	}
	if about.Threads == 0 {
		about.Threads = about.Cores
	}
	if m.env.Ranks != nil {
		about.Ranks = m.env.Ranks.Size
	}
	about.Host, _ = os.Hostname()
	for split, n := range in.Frames {
		about.Frames[split.String()] = n
	}
	for _, s := range in.Seeds {
		about.Seeds[s.Split.String()]++
	}
	if in.Stats != nil {
		about.Mean, about.Std = in.Stats.Mean, in.Stats.Std
	}
	data, err := json.MarshalIndent(about, "", " ")
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(filepath.Join(run.Dir, runview.AboutName), append(data, '\n'))
}

// Processor returns the name of the machine's processor; empty: the system does not say.
func Processor() string {
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if name, value, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
