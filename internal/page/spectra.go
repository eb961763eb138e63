package page

import (
	"fmt"
	"math"
	"strings"

	"fmsr.example/fmsr/internal/evaluate"
	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/picture"
)

// Spectra is a field's spectra and, where something is compared, their ratios to the truth's.
type Spectra struct {
	Field string
	Plots []Plot
}

// spectra adds the charts of every field.
func (v *View) spectra() (all []Spectra) {
	for _, name := range fieldNames(v.Subjects) {
		power := &Chart{Title: name, X: "k L / 2π", Y: "P(k)", LogX: true, LogY: true}
		ratio := &Chart{Title: name + ", ratio to the truth", X: power.X, Y: "P / truth", LogX: true, LogY: true, Right: new(float64)}
		*ratio.Right = 1
		for i, s := range v.Subjects {
			if f := s.field(name); f >= 0 {
				v.addSpectra(power, ratio, i, f)
			}
		}
		if len(power.Series) == 0 {
			continue
		}
		plots := []Plot{v.Data.add(power)}
		if len(ratio.Series) > 0 {
			plots = append(plots, v.Data.add(ratio))
		}
		all = append(all, Spectra{name, plots})
	}
	return all
}

// Edges says which subjects' frames do not repeat at their edges, as spectra take them to;
// empty: all do.
func (v *View) Edges() string {
	var texts []string
	for _, s := range v.Subjects {
		if s.Record == nil {
			continue
		}
		axes := map[[2]field.Boundary]string{{field.Open, field.Periodic}: "y", {field.Periodic, field.Open}: "x", {field.Open, field.Open}: "y and x"}[s.Record.Grid.Boundary]
		if axes == "" {
			continue
		}
		text := "open along " + axes
		if len(v.Subjects) > 1 {
			text += " in " + s.Name
		}
		texts = append(texts, text)
	}
	if texts == nil {
		return ""
	}
	return "Edges: " + strings.Join(texts, "; ") + ". The spectra are of frames as if they repeated there: the jump between the edges adds power at all k."
}

// addSpectra adds a subject's spectra of a field: all of the only subject; of several the
// truth of the first, and what each model makes.
func (v *View) addSpectra(power, ratio *Chart, subject, field int) {
	s, model, alone := v.Subjects[subject], v.Subjects[subject].model(), len(v.Subjects) == 1
	var truth evaluate.Series
	for i, p := range s.Record.Spectra {
		values := p.Power[field]
		if len(values) < 2 {
			continue
		}
		if i == 0 {
			truth = values
			power.Floor = floor(values, int(s.Record.Lost*float64(s.Record.Factor)))
			if s.Record.Lost > 0 {
				power.Shade = []float64{s.Record.Lost, s.Record.Lost * float64(s.Record.Factor)}
				ratio.Shade = power.Shade
			}
		}
		switch {
		case alone && p.Key == string(evaluate.Bilinear): // low-res is the same without its filter
			continue
		case !alone && i == 0 && len(power.Series) > 0, !alone && i > 0 && (model == nil || p.Key != string(model.Key)):
			continue
		}
		curve := Series{Label: p.Label, Color: colorOf(p.Key), Thick: i == 0, Dash: len(values) != len(truth) || strings.HasSuffix(p.Key, "projected"), X: v.shells(len(values)), Y: Numbers(values[1:])}
		if len(p.Low) > field && len(p.High) > field && len(p.Low[field]) == len(values) && len(p.High[field]) == len(values) {
			curve.Low, curve.High = Numbers(p.Low[field][1:]), Numbers(p.High[field][1:])
		}
		if !alone && i > 0 {
			curve.Label, curve.Color = s.Name, s.Color
		}
		power.Series = append(power.Series, curve)
		if i == 0 {
			continue
		}
		curve.Y, curve.Low, curve.High = over(values, truth), nil, nil
		if curve.Y != nil {
			ratio.Series = append(ratio.Series, curve)
		}
	}
}

// floor returns what the spectra's axis ends at: a tenth of the truth's least power below
// shell n, the grid's Nyquist wavenumber. Beyond it are the corners of the modes' square.
func floor(truth evaluate.Series, n int) float64 {
	least := math.Inf(1)
	for k := 1; k < len(truth) && (k <= n || n < 1); k++ {
		if truth[k] > 0 {
			least = min(least, truth[k])
		}
	}
	if math.IsInf(least, 1) {
		return 0
	}
	return least / 10
}

// shells returns the axis k = 1, 2, ... of spectra of n shells.
func (v *View) shells(n int) int {
	k := make(Numbers, n-1)
	for i := range k {
		k[i] = float64(i + 1)
	}
	return v.Data.axis(k)
}

// over returns the ratios without k = 0; nil: there is no truth on that grid.
func over(values, truth evaluate.Series) Numbers {
	if len(truth) != len(values) {
		return nil
	}
	out := make(Numbers, len(values)-1)
	for i := range out {
		out[i] = values[i+1] / truth[i+1]
	}
	return out
}

// colorOf returns the name that page.css has for the colour of a source in every figure, c- and
// the name. What has none is drawn as the truth is, in ink.
func colorOf(key string) string {
	switch key { // of spectra alone
	case picture.Truth, "hi":
		return "truth"
	}
	c, ok := picture.Color(key)
	if !ok {
		return "other"
	}
	return fmt.Sprintf("%02x%02x%02x", c.R, c.G, c.B)
}
