package sinks

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"fmsr.example/fmsr/internal/evaluate"
	"fmsr.example/fmsr/internal/picture"
	"fmsr.example/fmsr/internal/store/atomicfile"
)

// FigureFormat is the key of sinks that write figures as files. Results that are kept do not
// depend on it.
type FigureFormat struct {
	Format string `yaml:"format" oneof:"png|svg|pdf" flag:"figures" resume:"free" json:"-" doc:"file format of the figures; svg and pdf are for print"`
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

// save writes a figure to PATH.FORMAT, and the folders that its name needs. It returns the
// file's path.
func (f FigureFormat) save(path string, p evaluate.Picture) (string, error) {
	path += "." + f.Format
	if f.Format == string(picture.PNG) && p.PNG != nil { // it is drawn already
		return path, writeWithin(path, p.PNG)
	}
	return path, writeFigure(path, p.Figure, picture.Format(f.Format))
}

// writeFigure writes a figure to a file, whole or not at all.
func writeFigure(path string, f picture.Figure, format picture.Format) error {
	var b bytes.Buffer
	if err := picture.Write(&b, f, format, picture.Light); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return writeWithin(path, b.Bytes())
}

// writeWithin writes a file, whole or not at all, and the folders that its name needs.
func writeWithin(path string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	return atomicfile.WriteFile(path, data)
}
