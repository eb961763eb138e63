package sinks

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"fmsr/internal/evaluate"
	"fmsr/internal/picture"
	"fmsr/internal/store/atomicfile"
)

// FigureFormat is the key of sinks that write figures as files: as PNG, which pages show, and
// in another format for print. Results that are kept do not depend on it.
type FigureFormat struct {
	Format string `yaml:"format" oneof:"png|svg|pdf" flag:"figures" resume:"free" json:"-" doc:"format of figures for print, beside png, which there always is"`
}

// MapScale is the key of stages that draw maps of several frames. Results that are kept do
// not depend on it.
type MapScale struct {
	MapScale string `yaml:"map_scale" oneof:"shared|frame" flag:"map-scale" resume:"free" json:"-" doc:"colours of maps. shared: one scale for all frames; frame: one for each, so that weak frames have contrast"`
}

// usualFigures is PNG.
var usualFigures = FigureFormat{Format: string(picture.PNG)}

// usualMaps is one scale for all frames.
var usualMaps = MapScale{MapScale: "shared"}

func (m MapScale) drawing(unit func(field string) string) evaluate.Drawing {
	return evaluate.Drawing{Unit: unit, OwnScales: m.MapScale == "frame"}
}

// names returns the names of a figure's files, of that stem.
func (f FigureFormat) names(stem string) []string {
	if f.Format == string(picture.PNG) {
		return []string{stem + ".png"}
	}
	return []string{stem + ".png", stem + "." + f.Format}
}

// save writes a picture to the files of that stem in a folder, and the folders that the stem
// needs. It returns their names.
func (f FigureFormat) save(dir, stem string, p evaluate.Picture) ([]string, error) {
	if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, stem)), 0o777); err != nil {
		return nil, err
	}
	names := f.names(stem)
	if err := atomicfile.WriteFile(filepath.Join(dir, names[0]), p.PNG); err != nil {
		return nil, err
	}
	for _, name := range names[1:] {
		var b bytes.Buffer
		if err := picture.Write(&b, p.Figure, picture.Format(f.Format), picture.Light); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if err := atomicfile.WriteFile(filepath.Join(dir, name), b.Bytes()); err != nil {
			return nil, err
		}
	}
	return names, nil
}
