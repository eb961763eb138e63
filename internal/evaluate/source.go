package evaluate

import "slices"

// Source is the origin of fields that are compared with the truth. Its text is the
// source's key in comparison.json.
type Source string

const (
	Bilinear          Source = "bilinear"           // the input, interpolated
	Linear            Source = "linear"             // the linear filter
	BilinearProjected Source = "bilinear_projected" // these two, projected onto the constraints
	LinearProjected   Source = "linear_projected"
	ODE               Source = "ode" // samples of the raw model
	ODEEMA            Source = "ode_ema"
	SDEEMA            Source = "sde_ema"
	Regression        Source = "regression" // the only sample of a raw model trained for one evaluation
	RegressionEMA     Source = "regression_ema"
	CRPS              Source = "crps" // samples of a raw model trained for them by the fair CRPS
	CRPSEMA           Source = "crps_ema"
	Sample            Source = "sample" // samples of a model that is applied
	Mean              Source = "mean"   // mean of an ensemble of samples
)

// What pictures of an ensemble also show, of its first frame. It is not compared.
const (
	Sample2 Source = "sample_2"
	Sample3 Source = "sample_3"
	Spread  Source = "spread"
)

// ShownValues returns how many values pictures show of a source, of so many frames of so many
// values each.
func (s Source) ShownValues(frames, each int) int {
	if s == Sample2 || s == Sample3 || s == Spread {
		frames = min(frames, 1)
	}
	return frames * each
}

// sources lists every source, in the order in which outlets show them.
var sources = []struct {
	source Source
	suffix string // of the names of its figures and pictures: val/mse_ema
	label  string // in legends
	row    string // in tables
	model  bool   // made by the model, not a baseline: it has pictures
}{
	{Bilinear, "_lo", "bilinear input", "bilinear input", false},
	{Linear, "_linear", "linear filter 9x9", "linear filter 9x9", false},
	{BilinearProjected, "_lo_projected", "bilinear, projected", "bilinear input, projected", false},
	{LinearProjected, "_linear_projected", "linear filter, projected", "linear filter 9x9, projected", false},
	{ODE, "", "ODE", "model, ODE", true},
	{ODEEMA, "_ema", "ODE EMA", "model, ODE EMA", true},
	{SDEEMA, "_sde", "SDE EMA", "model, SDE EMA", true},
	{Regression, "", "regression", "regression", true},
	{RegressionEMA, "_ema", "regression EMA", "regression, EMA", true},
	{CRPS, "", "CRPS", "CRPS ensemble", true},
	{CRPSEMA, "_ema", "CRPS EMA", "CRPS ensemble, EMA", true},
	{Sample, "", "sample", "sample", true},
	{Mean, "_mean", "ensemble mean", "ensemble mean", true},
}

// index returns the source's place in the list.
func (s Source) index() int {
	for i := range sources {
		if sources[i].source == s {
			return i
		}
	}
	panic("evaluate: no source " + string(s)) // a programming error: sources are constants
}

func (s Source) suffix() string { return sources[s.index()].suffix }
func (s Source) label() string  { return sources[s.index()].label }
func (s Source) row() string    { return sources[s.index()].row }
func (s Source) model() bool    { return sources[s.index()].model }

// inOrder returns the sources in the order of the list.
func inOrder(of map[Source]*Made) []Source {
	var out []Source
	for s := range of {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b Source) int { return a.index() - b.index() })
	return out
}
