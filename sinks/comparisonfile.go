package sinks

import "fmsr.example/fmsr/internal/evaluate"

// comparisonFile is comparison.json.
type comparisonFile struct {
	Truth       string       `json:"truth"`
	Samples     int          `json:"samples"`
	Objective   string       `json:"objective"`   // that the model was trained for
	Constraints string       `json:"constraints"` // that the samples satisfy: "coarse, divb corner"
	Grids       []gridResult `json:"grids"`
}

// gridResult is the figures of the frames of one grid. Spectra are P(k), k = 0,
// 1, ..., by field: the truth's, the pooled truth's on its own grid ("low") and
// each source's.
type gridResult struct {
	H       int                                   `json:"h"`
	W       int                                   `json:"w"`
	Frames  int                                   `json:"frames"`
	Sources map[evaluate.Source]object            `json:"sources"`
	Spectra map[string]map[string]evaluate.Series `json:"spectra"`
}

// newGridResult returns the entry of a comparison in comparison.json.
func newGridResult(c *evaluate.Comparison) gridResult {
	r := gridResult{H: c.Grid.H, W: c.Grid.W, Frames: c.Truth.Frames, Sources: map[evaluate.Source]object{}, Spectra: map[string]map[string]evaluate.Series{}}
	spectra := func(name string, of func(field int) []float64) {
		r.Spectra[name] = map[string]evaluate.Series{}
		for i, field := range c.Fields {
			r.Spectra[name][field] = of(i)
		}
	}
	spectra("truth", c.TrueSpectrum)
	spectra("low", c.LowSpectrum)
	for _, s := range c.Figures().Sources {
		r.Sources[s.Source] = sourceObject(s, c.Fields)
		spectra(string(s.Source), func(field int) []float64 { return c.Spectrum(s.Source, field) })
	}
	return r
}

// sourceObject returns a source's figures by metric: of all fields together, and under
// "fields" of each field.
func sourceObject(s evaluate.SourceFigures, names []string) object {
	var all object
	fields := map[string]object{}
	for _, v := range s.Values {
		if !v.ShownIn(evaluate.Files) {
			continue
		}
		if v.Exists() {
			all = append(all, member{v.Name, v.All})
		}
		for i, name := range names {
			if v.Has[i] {
				fields[name] = append(fields[name], member{v.Name, v.Fields[i]})
			}
		}
	}
	return append(all, member{"fields", fields})
}
