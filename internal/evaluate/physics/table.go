package physics

import (
	"fmt"
	"slices"
	"strings"

	"fmsr.example/fmsr/internal/evaluate"
)

// headline is a value that tables show: a metric of the suite, or mean_ and one.
type headline struct {
	label        string
	metric, band string
	x            float64
}

// headlines are the values that tables show. physics.parquet has all.
var headlines = []headline{
	{"MSE", "mse", "", 0},
	{"MSE of the mean", "mean_mse", "", 0},
	{"VRMSE", "vrmse", "", 0},
	{"VRMSE of the mean", "mean_vrmse", "", 0},
	{"correlation", "pearson", "", 0},
	{"power at mid k, of the truth's", "power_ratio", Mid, 0},
	{"power in the lost band, of the truth's", "power_ratio", Lost, 0},
	{"coherence at mid k", "coherence", Mid, 0},
	{"coherence in the lost band", "coherence", Lost, 0},
	{"PDF of increments, log error", "increment_pdf_error", "", 0},
	{"PDF of longitudinal increments, log error", "increment_pdf_error_longitudinal", "", 0},
	{"PDF of transverse increments, log error", "increment_pdf_error_transverse", "", 0},
	{"skewness of longitudinal increments", "skewness_longitudinal", "", 0},
	{"kurtosis", "kurtosis", "", 0},
	{"kurtosis, of the truth's", "kurtosis_of_truth", "", 0},
	{"<jz²>, of the truth's", "dissipation_of_truth", "", 0},
	{"<(curl B)z²>, of the truth's", "curl_dissipation_of_truth", "", 0},
	{"kinetic energy, of the truth's", "kinetic_energy_of_truth", "", 0},
	{"magnetic energy, of the truth's", "magnetic_energy_of_truth", "", 0},
	{"cross helicity", "cross_helicity", "", 0},
	{"minus the Maxwell stress", "maxwell_stress", "", 0},
	{"Maxwell stress, of the truth's", "maxwell_stress_of_truth", "", 0},
	{"Reynolds stress", "reynolds_stress", "", 0},
	{"Reynolds stress, of the truth's", "reynolds_stress_of_truth", "", 0},
	{"div B at corners", "divb_corner", "", 0},
	{"div B by central differences", "divb_central", "", 0},
	{"div B of the modes", "divb_spectral", "", 0},
	{"jz − curl B", "jz_residual", "", 0},
	{"averages − input", "pooling_residual", "", 0},
	{"CRPS", "crps", All, 0},
	{"CRPS in the lost band", "crps", Lost, 0},
	{"spread over error", "spread_skill", All, 0},
	{"spread over error in the lost band", "spread_skill", Lost, 0},
	{"truths in the 50% interval", "coverage", All, 0.5},
	{"truths in the 90% interval", "coverage", All, 0.9},
	{"truths in the 50% interval, lost band", "coverage", Lost, 0.5},
	{"truths in the 90% interval, lost band", "coverage", Lost, 0.9},
	{"χ² of the truth's ranks", "rank_chi2", All, 0},
}

// key returns where physics.parquet has the headline: its metric, and its band and x where
// they say which of several.
func (h headline) key() string {
	key := h.metric
	if h.band != "" {
		key += ", band " + h.band
	}
	if h.x != 0 {
		key += fmt.Sprintf(", x %g", h.x)
	}
	return key
}

// Meaning is what a row of a table means.
type Meaning struct {
	Label string // the row's
	Key   string // where physics.parquet has it
	Unit  string
	Doc   string
}

// Meanings returns the meanings of the rows that tables have.
func Meanings(tables []evaluate.Table) (all []Meaning) {
	for _, h := range headlines {
		isIn := func(t evaluate.Table) bool {
			return slices.ContainsFunc(t.Rows, func(r evaluate.Row) bool { return r.Label == h.label })
		}
		if !slices.ContainsFunc(tables, isIn) {
			continue
		}
		m := Suite[slices.IndexFunc(Suite, func(m Metric) bool { return h.metric == m.Name || h.metric == m.NameFor(evaluate.Mean) })]
		all = append(all, Meaning{h.label, h.key(), m.Unit, m.Doc})
	}
	return all
}

// Tables returns a summary's headlines: a table for each field, and for each set of fields
// together, with a row for each value and a column for each source.
func (r *Results) Tables(rows []SummaryRow, title string) (out []evaluate.Table) {
	var fields []string
	for _, s := range r.subjects {
		if name := FieldsName(s.names); !slices.Contains(fields, name) {
			fields = append(fields, name)
		}
	}
	for _, name := range fields {
		table := evaluate.Table{Title: strings.ReplaceAll(name, "+", ", ") + ": " + title}
		sources := slices.DeleteFunc(slices.Clone(order), func(src Source) bool {
			return !slices.ContainsFunc(rows, func(r SummaryRow) bool { return r.Fields == name && r.Source == src })
		})
		for _, src := range sources {
			table.Heads = append(table.Heads, labels[src])
		}
		for _, h := range headlines {
			row := evaluate.Row{Label: h.label}
			some := false
			for _, src := range sources {
				cell := "–"
				if v, ok := Find(rows, name, h.metric, src, h.band, h.x); ok {
					cell, some = v.cell(), true
				}
				row.Cells = append(row.Cells, cell)
			}
			if some {
				table.Rows = append(table.Rows, row)
			}
		}
		if len(table.Rows) > 0 {
			out = append(out, table)
		}
	}
	return out
}

// cell returns the value and, in a line of its own, its interval.
func (r SummaryRow) cell() string {
	text := fmt.Sprintf("%.4g", r.Value)
	if r.Resamples > 0 {
		text += fmt.Sprintf("\n[%.3g,\u00a0%.3g]", r.Low, r.High)
	}
	return strings.ReplaceAll(text, "-", "−")
}
