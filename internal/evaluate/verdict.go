package evaluate

import (
	"fmt"
	"slices"
	"strings"
)

// Verdict compares an evaluation's samples with its baselines. The error is the mean squared error over that of
// the bilinear input, a mean over the fields; the band is the power in the band that
// pooling lost, over that of the truth.
type Verdict struct {
	Error, LinearError float64 // 0: not known
	Band, LinearBand   float64 // 0: not known
}

// Judge returns the verdict on figures in logs: of the averaged model or, without one, of
// the raw model. ok reports whether there are samples.
func Judge(scalars []Scalar) (v Verdict, ok bool) {
	suffix := ODEEMA.suffix()
	if !slices.ContainsFunc(scalars, func(s Scalar) bool { return s.Name == "val/mse"+suffix }) {
		suffix = ODE.suffix()
	}
	v.Error, ok = ofBilinear(scalars, suffix)
	v.LinearError, _ = ofBilinear(scalars, Linear.suffix())
	for _, s := range scalars {
		switch s.Name {
		case "val/band" + suffix:
			v.Band = float64(s.Value)
		case "val/band" + Linear.suffix():
			v.LinearBand = float64(s.Value)
		}
	}
	return v, ok
}

// ofBilinear returns the mean over the fields of a source's error over the bilinear input's.
func ofBilinear(scalars []Scalar, suffix string) (mean float64, ok bool) {
	lo := map[string]float64{}
	for _, s := range scalars {
		if field, found := strings.CutPrefix(s.Name, "val/mse"+Bilinear.suffix()+"/"); found && s.Value > 0 {
			lo[field] = float64(s.Value)
		}
	}
	sum, n := 0.0, 0
	for _, s := range scalars {
		if field, found := strings.CutPrefix(s.Name, "val/mse"+suffix+"/"); found && lo[field] > 0 {
			sum += float64(s.Value) / lo[field]
			n++
		}
	}
	return sum / float64(max(1, n)), n > 0
}

// Sentence says it.
func (v Verdict) Sentence(step int) string {
	text := fmt.Sprintf("at step %d the model has %.2f of bilinear's error", step, v.Error)
	if v.LinearError > 0 {
		text += fmt.Sprintf(", the best linear filter %.2f", v.LinearError)
	}
	if v.Band > 0 {
		text += fmt.Sprintf("; it keeps %.0f%% of the lost band's power", 100*v.Band)
		if v.LinearBand > 0 {
			text += fmt.Sprintf(", the filter %.0f%%", 100*v.LinearBand)
		}
	}
	return text
}
