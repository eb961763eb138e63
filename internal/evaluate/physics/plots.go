package physics

import (
	"bytes"
	"fmt"

	"fmsr/internal/evaluate"
	"fmsr/internal/parallel"
	"fmsr/internal/picture"
)

// labels are the sources' names in legends and tables.
var labels = map[Source]string{
	Truth: "truth", evaluate.Bilinear: "bilinear input", evaluate.Linear: "linear filter 9x9",
	evaluate.BilinearProjected: "bilinear, projected", evaluate.LinearProjected: "linear filter, projected",
	evaluate.Sample: "sample", evaluate.Mean: "ensemble mean", Ensemble: "ensemble",
}

// Pictures draws the curves of a summary, a plot for each field: the ratio of the spectra
// and the coherence by wavenumber, with the lost band shaded, increments, and the ranks and
// the coverage of ensembles.
func (r *Results) Pictures(rows []SummaryRow) ([]evaluate.Picture, error) {
	lost := r.bands[2]
	longest := 0
	if len(r.lags) > 0 {
		longest = r.lags[len(r.lags)-1]
	}
	shade := [2]float64{float64(lost.From), float64(lost.To)}
	figures := []struct {
		name  string
		about picture.SpectraPlot
		of    func(field string) []picture.Curve
	}{
		{
			"power over the truth's", picture.SpectraPlot{XLabel: "k L / 2π", YLabel: "P / P_{truth}", Shade: shade},
			func(field string) []picture.Curve { return r.curves(rows, field, "power_ratio_k", "", 0, 1) },
		},
		{
			"coherence with the truth", picture.SpectraPlot{XLabel: "k L / 2π", YLabel: "coherence", Shade: shade, LinearY: true},
			func(field string) []picture.Curve { return r.curves(rows, field, "coherence_k", "", 0, 1) },
		},
		{
			"increments over one cell", picture.SpectraPlot{XLabel: "increment / truth's rms", YLabel: "PDF", LinearX: true},
			func(field string) []picture.Curve { return r.increments(rows, field, 1) },
		},
		{
			"increments over the longest lag", picture.SpectraPlot{XLabel: "increment / truth's rms", YLabel: "PDF", LinearX: true},
			func(field string) []picture.Curve { return r.increments(rows, field, longest) },
		},
		{
			"ranks of the truth", picture.SpectraPlot{XLabel: "rank among the samples", YLabel: "share × (K+1)", LinearX: true, LinearY: true},
			func(field string) []picture.Curve { return r.byBand(rows, field, "rank_histogram") },
		},
		{
			"coverage", picture.SpectraPlot{XLabel: "probability of the interval", YLabel: "truths inside", LinearX: true, LinearY: true},
			func(field string) []picture.Curve { return r.byBand(rows, field, "coverage_curve") },
		},
	}
	var todo []evaluate.Picture
	var plots [][]picture.SpectraPlot
	for _, f := range figures {
		var each []picture.SpectraPlot
		some := false
		for _, field := range r.Fields {
			plot := f.about
			plot.Title, plot.Curves = field, f.of(field)
			some = some || len(plot.Curves) > 0
			each = append(each, plot)
		}
		if some {
			todo, plots = append(todo, evaluate.Picture{Name: f.name}), append(plots, each)
		}
	}
	return todo, parallel.Each(len(todo), func(i int) error {
		var b bytes.Buffer
		if err := picture.Grid(&b, min(len(plots[i]), 4), plots[i]...); err != nil {
			return fmt.Errorf("picture %s: %w", todo[i].Name, err)
		}
		todo[i].PNG = b.Bytes()
		return nil
	})
}

// curves returns a metric's curves of each source and, if right is not 0, a line at the right
// value.
func (r *Results) curves(rows []SummaryRow, field, metric, band string, lag int, right float64) (out []picture.Curve) {
	for _, src := range order {
		if x, y := Curve(rows, field, metric, src, band, lag); x != nil {
			out = append(out, picture.Curve{Label: labels[src], K: x, P: y, Truth: src == Truth})
		}
	}
	if right != 0 && len(out) > 0 {
		k := out[0].K
		out = append(out, picture.Curve{Label: "truth", K: []float64{k[0], k[len(k)-1]}, P: []float64{right, right}, Truth: true})
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
	return r.curves(rows, field, metric, "", lag, 0)
}

// byBand returns an ensemble's curves in each band, and the calibrated one: 1, or x.
func (r *Results) byBand(rows []SummaryRow, field, metric string) (out []picture.Curve) {
	for _, band := range []string{All, Low, Mid, Lost} {
		if x, y := Curve(rows, field, metric, Ensemble, band, 0); x != nil {
			out = append(out, picture.Curve{Label: band, K: x, P: y})
		}
	}
	if len(out) == 0 {
		return nil
	}
	right := picture.Curve{Label: "calibrated", K: out[0].K, Truth: true}
	for _, x := range right.K {
		if metric == "rank_histogram" {
			x = 1
		}
		right.P = append(right.P, x)
	}
	return append(out, right)
}
