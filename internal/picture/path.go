package picture

import (
	"fmt"
	"image"
	"image/color"
)

// Path is the way of a sample x_t from t = 0 to 1, for a film: the input, x_t and the truth,
// and beside them the spectrum of x_t.
type Path struct {
	Title, Unit  string
	Diverging    bool       // as of a Panel
	Lengths      [2]float64 // as of a Panel
	Input, Truth Field      // without Data, there is no truth
	Steps        []PathStep

	InputPower, TruthPower []float64 // P(k), k = 0, 1, ...
	Band                   Band      // that pooling lost
}

// PathStep is x_t at a time, and its P(k).
type PathStep struct {
	T     float64
	X     Field
	Power []float64
}

// Hundredths of a second that a film of a path shows its first step, each step, and the last.
const (
	firstHold = 70
	eachHold  = 7
	lastHold  = 220
)

// filmPlot is the width of the plot in a film, in pixels.
const filmPlot = 290

// shadesInFilm is how many colours of the 255 of a film are for the maps.
const shadesInFilm = 200

// Film returns the film of the path, a figure for each step on the same scales.
func (p Path) Film() Film {
	film := Film{Hold: eachHold, First: firstHold, Last: lastHold, fixed: p.shades()}
	all := Plot{Band: p.Band, Curves: p.still()}
	for _, s := range p.Steps {
		all.Curves = append(all.Curves, NewCurve("", "sample", s.Power))
	}
	for _, s := range p.Steps {
		film.Figures = append(film.Figures, Beside{Figures: []Figure{p.panel(s), p.spectrum(s, &all)}})
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

// still returns the curves that do not move.
func (p Path) still() []Curve {
	curves := []Curve{NewCurve("input", "bilinear", p.InputPower)}
	if p.Truth.Data != nil {
		curves = append(curves, NewCurve("truth", Truth, p.TruthPower))
	}
	return curves
}

func (p Path) panel(s PathStep) Panel {
	panel := Panel{
		Title: p.Title, Unit: p.Unit, Diverging: p.Diverging, Lengths: p.Lengths, levels: shadesInFilm, withoutBar: true,
		Columns: []string{"input", fmt.Sprintf("x_{t}, t = %.2f", s.T)},
		Rows:    []Row{{Fields: []Field{p.Input, s.X}}},
		ScaleOf: []Field{p.Input, p.Steps[len(p.Steps)-1].X},
	}
	if p.Truth.Data != nil {
		panel.Columns = append(panel.Columns, "truth")
		panel.Rows[0].Fields = append(panel.Rows[0].Fields, p.Truth)
		panel.ScaleOf[1] = p.Truth
	}
	return panel
}

func (p Path) spectrum(s PathStep, like *Plot) Plots {
	return Plots{box: image.Pt(filmPlot, filmPlot-30), Stacks: []Stack{{{
		XLabel: "k L / 2π", YLabel: "P(k)", Band: p.Band, like: like,
		Curves: append(p.still(), NewCurve("x_{t}", "sample", s.Power)),
	}}}}
}
