package evaluate

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"fmsr/internal/parallel"
	"fmsr/internal/picture"
)

// ShownFrames is how many frames a picture shows.
const ShownFrames = 4

// Pictures draws samples and differences of each field for each source that is a
// model, and the spectra, on all cores. unit returns a field's unit.
func (c *Comparison) Pictures(unit func(field string) string) ([]Picture, error) {
	type drawing struct {
		name string
		png  func(io.Writer) error
	}
	var todo []drawing
	for _, src := range inOrder(c.Made) {
		if !src.model() {
			continue
		}
		suffix := src.suffix()
		for field, name := range c.Fields {
			todo = append(todo,
				drawing{"samples" + suffix + "/" + name, func(w io.Writer) error { return c.panel(field, unit(name), src).PNG(w) }},
				drawing{"diffs" + suffix + "/" + name, func(w io.Writer) error { return c.diffs(field, unit(name), src).PNG(w) }})
		}
	}
	todo = append(todo, drawing{"spectra", func(w io.Writer) error {
		plots := c.plots()
		return picture.Grid(w, min(len(plots), 4), plots...)
	}})
	out := make([]Picture, len(todo))
	err := parallel.Each(len(todo), func(i int) error {
		var b bytes.Buffer
		if err := todo[i].png(&b); err != nil {
			return fmt.Errorf("picture %s: %w", todo[i].name, err)
		}
		out[i] = Picture{Name: todo[i].name, PNG: b.Bytes()}
		return nil
	})
	return out, err
}

// row returns one field of the shown frames (N,C,H,W), less minus unless it is nil.
func (c *Comparison) row(label string, field int, values, minus []float32) picture.Row {
	cells, fields := c.cells(), len(c.Fields)
	row := picture.Row{Label: label}
	for n := range c.shown.Columns {
		at := (n*fields + field) * cells
		plane := slices.Clone(values[at : at+cells])
		if minus != nil {
			for i := range plane {
				plane[i] -= minus[at+i]
			}
		}
		row.Fields = append(row.Fields, picture.Field{H: c.Grid.H, W: c.Grid.W, Data: plane})
	}
	return row
}

// panel returns the input, the target and what a source made of a field.
func (c *Comparison) panel(field int, unit string, src Source) picture.Panel {
	return picture.Panel{
		Title: c.Fields[field], Unit: unit, Columns: c.shown.Columns,
		Diverging: c.Fields[field] != "density", // the other fields are signed
		Rows: []picture.Row{
			c.row("input", field, c.shown.Made[Bilinear], nil),
			c.row("target", field, c.shown.Truth, nil),
			c.row("generated", field, c.shown.Made[src], nil),
		},
	}
}

// diffs returns what the input and a source lack of a field.
func (c *Comparison) diffs(field int, unit string, src Source) picture.Panel {
	return picture.Panel{
		Title: c.Fields[field] + ", differences", Unit: unit, Columns: c.shown.Columns, Diverging: true,
		Rows: []picture.Row{
			c.row("target - input", field, c.shown.Truth, c.shown.Made[Bilinear]),
			c.row("target - generated", field, c.shown.Truth, c.shown.Made[src]),
		},
	}
}

// plots returns a plot of spectra for each field.
func (c *Comparison) plots() []picture.SpectraPlot {
	var plots []picture.SpectraPlot
	lost := c.Grid.LostFrom(c.Factor)
	for field, name := range c.Fields {
		plot := picture.SpectraPlot{
			Title: name, XLabel: "k L / 2π", YLabel: "P(k)",
			Marks: []picture.Mark{{K: lost, Label: "lost by pooling"}},
		}
		plot.Curves = append(plot.Curves, picture.NewCurve("truth", c.TrueSpectrum(field), true))
		for _, src := range inOrder(c.Made) {
			if src != Bilinear {
				plot.Curves = append(plot.Curves, picture.NewCurve(src.label(), c.Spectrum(src, field), false))
			}
		}
		low := picture.NewCurve("low-res", c.LowSpectrum(field), false)
		low.Dashed = true
		plot.Curves = append(plot.Curves, low)
		plots = append(plots, plot)
	}
	return plots
}
