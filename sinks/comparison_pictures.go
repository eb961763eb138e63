package sinks

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"fmsr/internal/parallel"
	"fmsr/internal/picture"
	"fmsr/model"
)

// shownFrames is how many frames a picture has room for.
const shownFrames = 4

// pictures are samples and differences of each field for each model, and the
// spectra, drawn on all cores.
func (c *comparison) pictures() ([]model.Picture, error) {
	type drawing struct {
		name string
		png  func(io.Writer) error
	}
	var todo []drawing
	for _, src := range c.sources() {
		if src < sourceRaw { // a baseline
			continue
		}
		suffix := sourceNames[src].suffix
		for field, name := range c.channels {
			todo = append(todo,
				drawing{"samples" + suffix + "/" + name, func(w io.Writer) error { return c.panel(field, name, src).PNG(w) }},
				drawing{"diffs" + suffix + "/" + name, func(w io.Writer) error { return c.diffs(field, name, src).PNG(w) }})
		}
	}
	todo = append(todo, drawing{"spectra", func(w io.Writer) error {
		plots := c.plots()
		return picture.Grid(w, min(len(plots), 4), plots...)
	}})
	out := make([]model.Picture, len(todo))
	err := parallel.Each(len(todo), func(i int) error {
		var b bytes.Buffer
		if err := todo[i].png(&b); err != nil {
			return fmt.Errorf("picture %s: %w", todo[i].name, err)
		}
		out[i] = model.Picture{Name: todo[i].name, PNG: b.Bytes()}
		return nil
	})
	return out, err
}

// row is one field of the shown frames; minus is subtracted where given.
func (c *comparison) row(label string, field int, values, minus []float32) picture.Row {
	cells, fields := c.cells(), len(c.channels)
	row := picture.Row{Label: label}
	for n := range c.columns {
		at := (n*fields + field) * cells
		plane := slices.Clone(values[at : at+cells])
		if minus != nil {
			for i := range plane {
				plane[i] -= minus[at+i]
			}
		}
		row.Fields = append(row.Fields, picture.Field{H: c.h, W: c.w, Data: plane})
	}
	return row
}

func (c *comparison) panel(field int, name string, src source) picture.Panel {
	return picture.Panel{
		Title: name, Unit: c.unit(name), Columns: c.columns,
		Diverging: name != "density", // the other fields are signed
		Rows: []picture.Row{
			c.row("input", field, c.made[sourceLo].shown, nil),
			c.row("target", field, c.truth.shown, nil),
			c.row("generated", field, c.made[src].shown, nil),
		},
	}
}

func (c *comparison) diffs(field int, name string, src source) picture.Panel {
	return picture.Panel{
		Title: name + ", differences", Unit: c.unit(name), Columns: c.columns, Diverging: true,
		Rows: []picture.Row{
			c.row("target - input", field, c.truth.shown, c.made[sourceLo].shown),
			c.row("target - generated", field, c.truth.shown, c.made[src].shown),
		},
	}
}

// plots are one spectrum plot a field.
func (c *comparison) plots() []picture.SpectraPlot {
	var plots []picture.SpectraPlot
	lo, _ := c.shells.LostBand(c.factor)
	for field, name := range c.channels {
		plot := picture.SpectraPlot{
			Title: name, XLabel: "k L / 2π", YLabel: "P(k)",
			Marks: []picture.Mark{{K: float64(lo), Label: "lost by pooling"}},
		}
		plot.Curves = append(plot.Curves, curve("truth", c.truth.spectrum(field), true))
		for _, src := range c.sources() {
			if src != sourceLo {
				plot.Curves = append(plot.Curves, curve(sourceNames[src].label, c.made[src].spectrum(field), false))
			}
		}
		low := curve("low-res", c.pooled.spectrum(field), false)
		low.Dashed = true
		plot.Curves = append(plot.Curves, low)
		plots = append(plots, plot)
	}
	return plots
}

func curve(label string, p []float64, truth bool) picture.Curve {
	k := make([]float64, len(p))
	for i := range k {
		k[i] = float64(i)
	}
	return picture.Curve{Label: label, K: k, P: p, Truth: truth}
}
