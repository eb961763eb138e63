package picture

import (
	"fmt"
	"image"
	"image/color"
	"slices"
)

// Path is the way of a sample x_t from t = 0 to 1, for a film.
//
//	          Title
//	input     x_t       truth
//	[ map ]   [ map ]   [ map ]
//	note      note      note
//	[zoom ]   [zoom ]   [zoom ]
//	[  P(k) of all, and of      ]
//	[  x_t - truth              ]
type Path struct {
	Title        string
	Diverging    bool  // as of a Panel
	Input, Truth Field // without Data, there is no truth
	Steps        []PathStep
	Zoom         image.Rectangle // the cells to show enlarged; empty: none

	InputNote, TruthNote   string    // below the maps
	InputPower, TruthPower []float64 // P(k), k = 0, 1, ...
	Band                   Band      // that pooling lost
}

// PathStep is x_t at a time, and P(k) of it and of its difference from the truth.
type PathStep struct {
	T            float64
	X            Field
	Note         string
	Power, Error []float64 // Error is nil without a truth
}

// Hundredths of a second that a film of a path shows its first step, each step, and the last.
const (
	firstHold = 90
	eachHold  = 7
	lastHold  = 300
)

// The plot in a film: its height, and the least width inside its axes, in pixels.
const (
	filmPlotHeight = 150
	filmPlotWidth  = 300
)

// How many colours of the 255 of a film are for the maps, and for the edges of each curve.
const (
	shadesInFilm = 200
	edgesInFilm  = 4
)

// Film returns the film of the path, a figure for each step on the same scales.
func (p Path) Film() Film {
	film := Film{Hold: eachHold, First: firstHold, Last: lastHold, fixed: append(p.shades(), edges()...)}
	all := Plot{Band: p.Band, Curves: p.still()}
	for _, s := range p.Steps {
		all.Curves = append(all.Curves, p.moving(s)...)
	}
	for _, s := range p.Steps {
		panel := p.panel(s)
		film.Figures = append(film.Figures, Below{Figures: []Figure{panel, p.spectrum(s, &all, panel.arrange().size.X)}})
	}
	return film
}

// shades returns the colours of the maps.
func (p Path) shades() (out []color.RGBA) {
	s := colorScale{hi: 1, colors: viridis, levels: shadesInFilm}
	if p.Diverging {
		s.colors = redBlue
	}
	for i := range shadesInFilm {
		out = append(out, s.color(float64(i)/(shadesInFilm-1)))
	}
	return out
}

// edges returns the colours of the curves, and their mixtures with the ground and the truth's.
func edges() (out []color.RGBA) {
	for _, c := range []color.RGBA{orange, blue, vermilion} {
		for _, below := range []color.Color{Light.Ground, Light.Ink} {
			under := color.RGBAModel.Convert(below).(color.RGBA)
			for i := 1; i <= edgesInFilm; i++ {
				mix := func(a, b uint8) uint8 { return uint8((int(a)*i + int(b)*(edgesInFilm-i)) / edgesInFilm) }
				out = append(out, color.RGBA{mix(c.R, under.R), mix(c.G, under.G), mix(c.B, under.B), 255})
			}
		}
	}
	return out
}

// still returns the curves that do not move.
func (p Path) still() []Curve {
	curves := []Curve{NewCurve("input", "bilinear", p.InputPower)}
	if p.Truth.Data != nil {
		curves = append(curves, NewCurve("truth", Truth, p.TruthPower))
	}
	return curves
}

// moving returns the curves of a step.
func (p Path) moving(s PathStep) []Curve {
	curves := []Curve{NewCurve("x_{t}", "sample", s.Power)}
	if s.Error != nil {
		curves = append(curves, NewCurve("x_{t} \u2212 truth", "error", s.Error))
	}
	return curves
}

func (p Path) panel(s PathStep) Panel {
	panel := Panel{
		Title: p.Title, Diverging: p.Diverging, levels: shadesInFilm, bare: true,
		Columns: []string{"input", fmt.Sprintf("x_{t}, t = %.2f", s.T)},
		Rows:    []Row{{Fields: []Field{p.Input, s.X}, Notes: []string{p.InputNote, s.Note}}},
		ScaleOf: []Field{p.Input, p.Steps[len(p.Steps)-1].X},
	}
	if p.Truth.Data != nil {
		panel.Columns = append(panel.Columns, "truth")
		panel.Rows[0].Fields, panel.Rows[0].Notes = append(panel.Rows[0].Fields, p.Truth), append(panel.Rows[0].Notes, p.TruthNote)
		panel.ScaleOf[1] = p.Truth
	}
	if !p.Zoom.Empty() {
		panel.Zooms = slices.Repeat([]image.Rectangle{p.Zoom}, len(panel.Columns))
	}
	return panel
}

// spectrum returns the plot of a step, as wide as the maps.
func (p Path) spectrum(s PathStep, like *Plot, width int) Plots {
	plots := Plots{box: image.Pt(filmPlotWidth, filmPlotHeight), Stacks: []Stack{{{
		XLabel: "k L / 2π", YLabel: "P(k)", Band: p.Band, like: like, Curves: append(p.still(), p.moving(s)...),
	}}}}
	plots.box.X = max(filmPlotWidth, filmPlotWidth+width-plots.cell().Dx()-2*margin)
	return plots
}
