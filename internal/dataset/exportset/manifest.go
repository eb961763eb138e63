// Package exportset describes an exported data set by its manifest.json:
//
//	export       finished seeds -- Add --> Manifest -- WriteFile --> DIR/manifest.json
//	arrow_load   DIR/manifest.json -- Read --> Manifest -- Open --> DIR/seed_0000.arrow, frame by frame
//	verify       DIR/manifest.json -- Verify: every byte of every file
//
// Several runs that share an export leave a manifest of their own seeds each.
package exportset

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"fmsr.example/fmsr/internal/dataset"
	"fmsr.example/fmsr/internal/frames"
	"fmsr.example/fmsr/internal/store/atomicfile"
	"fmsr.example/fmsr/internal/store/infile"
	"fmsr.example/fmsr/internal/store/parts"
	"fmsr.example/fmsr/internal/store/seal"
)

// ManifestName is the manifest's name in the folder of the set.
const ManifestName = "manifest.json"

// Manifest describes a data set, or a share of one.
type Manifest struct {
	Format       string    `json:"format"` // arrow, parquet, npy or well
	Files        []File    `json:"files"`
	ChannelNames []string  `json:"channel_names"`
	H            int       `json:"h"`
	W            int       `json:"w"`
	Mean         []float64 `json:"mean"` // of x_hi over the training split, physical units; null without training frames
	Std          []float64 `json:"std"`
	Count        float64   `json:"count,omitempty"`    // number of values behind the mean and std of a channel, to merge shares
	Factor       int       `json:"factor,omitempty"`   // fine cells per coarse cell, where there is an x_lo
	Boundary     string    `json:"boundary,omitempty"` // of x_lo's interpolation: clamp or periodic
	Normalized   bool      `json:"normalized"`         // whether mean and std have been applied

	Identity string `json:"-"` // hash of the text that was read
}

// File is a file of the set. Its Path starts at the manifest's folder.
type File struct {
	parts.File
	Seed   int       `json:"seed"`
	Split  string    `json:"split"`
	Frames []int     `json:"frames,omitempty"` // number of each row's frame
	Times  []float64 `json:"times,omitempty"`  // of the simulation, in its unit, of each row's frame; nil: not known
	Cycles []int     `json:"cycles,omitempty"` // its steps so far
	Sums   []uint32  `json:"crc32c,omitempty"` // of the values of each tensor of an Arrow file, row by row
}

// largest is the number of bytes of a manifest that are read: a manifest of a million
// files is smaller.
const largest = 1 << 28

// Read reads a manifest, and checks its checksum and that it does not contradict itself.
// Errors name the path.
func Read(path string) (m Manifest, err error) {
	data, err := infile.ReadAll(path, largest)
	if err != nil {
		return m, err
	}
	if m, err = Parse(data); err == nil {
		err = seal.Check(data)
	}
	if err != nil {
		return m, fmt.Errorf("%s: %w", path, err)
	}
	sum := sha256.Sum256(data)
	m.Identity = hex.EncodeToString(sum[:])
	return m, nil
}

// WriteFile writes the manifest, with its checksum.
func (m *Manifest) WriteFile(path string) error {
	data, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(path, seal.Object(data))
}

// Parse reads a manifest from its bytes.
func Parse(data []byte) (m Manifest, err error) {
	if err := json.Unmarshal(data, &m); err != nil {
		return m, fmt.Errorf("not a manifest: %w", err)
	}
	return m, m.check()
}

func (m *Manifest) check() error {
	channels := len(m.ChannelNames)
	switch {
	case channels == 0 || m.H < 1 || m.W < 1 || len(m.Files) == 0:
		return errors.New("not a manifest of an export: channel_names, h, w or files are missing")
	case m.Mean != nil && len(m.Mean) != channels || m.Std != nil && len(m.Std) != channels || (m.Mean == nil) != (m.Std == nil):
		return fmt.Errorf("%d means and %d deviations of %d channels", len(m.Mean), len(m.Std), channels)
	case m.Normalized && m.Mean == nil:
		return errors.New("normalized without a mean")
	case m.Factor != 0 && m.Factor < 2:
		return fmt.Errorf("factor %d: want at least 2", m.Factor)
	}
	if err := dataset.CheckNames(m.ChannelNames); err != nil {
		return fmt.Errorf("channel_names: %w", err)
	}
	var paths []string
	for _, f := range m.Files {
		if _, err := frames.ParseSplit(f.Split); err != nil {
			return fmt.Errorf("file %s: %w", f.Path, err)
		}
		switch {
		case !filepath.IsLocal(f.Path):
			return fmt.Errorf("file %q: want a path within the folder", f.Path)
		case f.Frames != nil && len(f.Frames) != f.Rows:
			return fmt.Errorf("file %s: %d frames in %d rows", f.Path, len(f.Frames), f.Rows)
		case f.Times != nil && len(f.Times) != f.Rows || len(f.Cycles) != len(f.Times):
			return fmt.Errorf("file %s: %d times and %d cycles in %d rows", f.Path, len(f.Times), len(f.Cycles), f.Rows)
		case f.Sums != nil && len(f.Sums) != f.Rows*len(Columns(m.Factor != 0)):
			return fmt.Errorf("file %s: %d checksums of %d rows", f.Path, len(f.Sums), f.Rows)
		case f.Rows < 1 || f.Bytes < 1 || f.Seed < 0:
			return fmt.Errorf("file %s: seed %d, %d rows, %d bytes", f.Path, f.Seed, f.Rows, f.Bytes)
		}
		paths = append(paths, f.Path)
	}
	slices.Sort(paths)
	for i := range paths[1:] {
		if paths[i] == paths[i+1] {
			return fmt.Errorf("file %s: it is listed twice", paths[i])
		}
	}
	return nil
}
