package sinks

import (
	"encoding/json"
	"math"
)

// comparisonFile is comparison.json.
type comparisonFile struct {
	Truth   string       `json:"truth"`
	Samples int          `json:"samples"`
	Grids   []gridResult `json:"grids"`
}

// gridResult is the figures of the frames of one grid. Spectra are P(k), k = 0,
// 1, ..., by field: the truth's, the pooled truth's on its own grid ("low") and
// each source's.
type gridResult struct {
	H       int                          `json:"h"`
	W       int                          `json:"w"`
	Frames  int                          `json:"frames"`
	Sources map[string]sourceResult      `json:"sources"`
	Spectra map[string]map[string]series `json:"spectra"`
}

// sourceResult is the mean over the fields and each field's figures.
type sourceResult struct {
	figureSet
	Fields map[string]figureSet `json:"fields"`
}

type figureSet struct {
	MSE        figure  `json:"mse"`
	OfBilinear figure  `json:"of_bilinear"` // mse over the bilinear input's
	NMSE       figure  `json:"nmse"`        // mse over the truth's variance
	Band       figure  `json:"band"`        // power in the lost band, over the truth's
	Spread     *figure `json:"spread_over_error,omitempty"`
}

// figure is a number; one that is not finite is null, since JSON has no word for it.
type figure float64

func (f figure) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(f)) || math.IsInf(float64(f), 0) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(f))
}

type series []figure

func toSeries(p []float64) series {
	s := make(series, len(p))
	for i, v := range p {
		s[i] = figure(v)
	}
	return s
}

// sourceKeys are the sources' names in comparison.json.
var sourceKeys = map[source]string{sourceLo: "bilinear", sourceSample: "sample", sourceMean: "mean"}

func (g *gridComparison) result(samples int) gridResult {
	r := gridResult{H: g.h, W: g.w, Frames: g.frames, Sources: map[string]sourceResult{}, Spectra: map[string]map[string]series{}}
	lo := g.figures(sourceLo)
	for _, src := range g.sources() {
		f := g.figures(src)
		result := sourceResult{figureSet{MSE: figure(f.mse), OfBilinear: figure(f.mse / lo.mse), NMSE: figure(f.nmse), Band: figure(f.band)}, map[string]figureSet{}}
		var all float64
		var each []float64
		if src == sourceMean {
			all, each = g.spreadOverError(samples)
			result.Spread = pointer(all)
		}
		for i, name := range g.channels {
			one := f.fields[i]
			set := figureSet{MSE: figure(one.mse), OfBilinear: figure(one.mse / lo.fields[i].mse), NMSE: figure(one.nmse), Band: figure(one.band)}
			if each != nil {
				set.Spread = pointer(each[i])
			}
			result.Fields[name] = set
		}
		r.Sources[sourceKeys[src]] = result
	}
	add := func(name string, t *tally) {
		fields := map[string]series{}
		for i, channel := range g.channels {
			fields[channel] = toSeries(t.spectrum(i))
		}
		r.Spectra[name] = fields
	}
	add("truth", &g.truth)
	add("low", &g.pooled)
	for _, src := range g.sources() {
		add(sourceKeys[src], g.made[src])
	}
	return r
}

func pointer(v float64) *figure {
	f := figure(v)
	return &f
}
