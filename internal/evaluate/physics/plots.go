package physics

import (
	"fmt"
	"slices"

	"fmsr.example/fmsr/internal/evaluate"
	"fmsr.example/fmsr/internal/picture"
)

// labels are the sources' names in legends and tables.
var labels = map[Source]string{
	Truth: "truth", evaluate.Bilinear: "bilinear input", evaluate.Linear: "linear filter 9x9",
	evaluate.BilinearProjected: "bilinear, projected", evaluate.LinearProjected: "linear filter, projected",
	evaluate.Sample: "sample", evaluate.Mean: "ensemble mean", Ensemble: "ensemble",
}

// Pictures draws the curves of a summary, a plot for each field: spectra with their ratio to
// the truth's, and the coherence by wavenumber, with the lost band shaded; increments; and of
// ensembles the truth's ranks, the coverage, and the spread against the error.
func (r *Results) Pictures(rows []SummaryRow) ([]evaluate.Picture, error) {
	longest := 0
	if len(r.lags) > 0 {
		longest = r.lags[len(r.lags)-1]
	}
	increments := picture.Plot{XLabel: "increment / truth's rms", YLabel: "PDF", LinearX: true}
	figures := []struct {
		name string
		of   func(field string) picture.Stack
	}{
		{"spectra", func(field string) picture.Stack { return r.spectra(rows, field) }},
		{"coherence with the truth", func(field string) picture.Stack {
			return picture.Stack{{
				XLabel: "k L / 2π", YLabel: "coherence", Band: evaluate.LostBand(r.Grid, r.Factor), LinearY: true, Shows: [2]float64{0, 1},
				Curves: r.curves(rows, field, "coherence_k", "", 0),
			}}
		}},
		{"increments over one cell", func(field string) picture.Stack {
			p := increments
			p.Curves = r.increments(rows, field, 1)
			return picture.Stack{p}
		}},
		{fmt.Sprintf("increments over %d cells", longest), func(field string) picture.Stack {
			p := increments
			p.Curves = r.increments(rows, field, longest)
			return picture.Stack{p}
		}},
		{"ranks of the truth", func(field string) picture.Stack {
			return picture.Stack{{
				XLabel: "rank among the samples", YLabel: "share × (K+1)", LinearX: true, LinearY: true, Right: []float64{1}, Shows: [2]float64{0, 2},
				Curves: stepped(r.byBand(rows, field, "rank_histogram")),
			}}
		}},
		{"coverage", func(field string) picture.Stack {
			return picture.Stack{{
				XLabel: "probability of the interval", YLabel: "truths inside", LinearX: true, LinearY: true, Shows: [2]float64{0, 1},
				Curves: diagonal(r.byBand(rows, field, "coverage_curve")),
			}}
		}},
		{"spread against error", func(field string) picture.Stack {
			return picture.Stack{{
				XLabel: "spread / truth's deviation", YLabel: "error of the mean / truth's deviation",
				Curves: diagonal(r.byBand(rows, field, "error_by_spread")),
			}}
		}},
	}
	var out []evaluate.Picture
	for _, f := range figures {
		all := picture.Plots{Columns: 3} // a page is so wide that their text stays legible
		some := false
		for _, field := range r.Fields {
			stack := f.of(field)
			stack[0].Title = field
			some = some || len(stack[0].Curves) > 0
			all.Stacks = append(all.Stacks, stack)
		}
		if some {
			out = append(out, evaluate.Picture{Name: f.name, Figure: all})
		}
	}
	return out, evaluate.Draw(out)
}

// spectra returns a field's spectra, and below them their ratios to the truth's.
func (r *Results) spectra(rows []SummaryRow, field string) picture.Stack {
	power := picture.Plot{XLabel: "k L / 2π", YLabel: "P(k)", Band: evaluate.LostBand(r.Grid, r.Factor), Curves: r.curves(rows, field, "spectrum", "", 0)}
	ratio := evaluate.RatioPlot(power.Band)
	ratio.Curves = r.curves(rows, field, "power_ratio_k", "", 0)
	return picture.Stack{power, ratio}
}

// curves returns a metric's curves of each source.
func (r *Results) curves(rows []SummaryRow, field, metric, band string, lag int) (out []picture.Curve) {
	for _, src := range order {
		if x, y := Curve(rows, field, metric, src, band, lag); x != nil {
			out = append(out, picture.Curve{Label: labels[src], Of: string(src), X: x, Y: y})
		}
	}
	return out
}

// increments returns the PDFs of the increments over a lag: along the field's own axis, if
// it has one.
func (r *Results) increments(rows []SummaryRow, field string, lag int) []picture.Curve {
	metric := "increment_pdf"
	if _, vector := axisOf(field); vector {
		metric += "_longitudinal"
	}
	return r.curves(rows, field, metric, "", lag)
}

// byBand returns an ensemble's curves in each band.
func (r *Results) byBand(rows []SummaryRow, field, metric string) (out []picture.Curve) {
	names := map[string]string{All: "all scales", Low: "low k", Mid: "mid k", Lost: "lost band"}
	for _, band := range []string{All, Low, Mid, Lost} {
		if x, y := Curve(rows, field, metric, Ensemble, band, 0); x != nil {
			out = append(out, picture.Curve{Label: names[band], X: x, Y: y})
		}
	}
	return out
}

// stepped draws the curves as histograms.
func stepped(curves []picture.Curve) []picture.Curve {
	for i := range curves {
		curves[i].Steps = true
	}
	return curves
}

// diagonal adds the curve of a calibrated ensemble: y = x.
func diagonal(curves []picture.Curve) []picture.Curve {
	var all []float64
	for _, c := range curves {
		all = append(all, c.X...)
	}
	if len(all) == 0 {
		return nil
	}
	ends := []float64{slices.Min(all), slices.Max(all)}
	return append(curves, picture.Curve{Label: "calibrated", Of: picture.Truth, X: ends, Y: ends})
}
