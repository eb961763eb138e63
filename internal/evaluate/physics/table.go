package physics

import (
	"fmt"
	"slices"

	"fmsr.example/fmsr/internal/evaluate"
)

// headlines are the values that tables show. physics.parquet has all.
var headlines = []struct {
	metric, band string
	x            float64
}{
	{"mse", "", 0}, {"mean_mse", "", 0}, {"vrmse", "", 0}, {"mean_vrmse", "", 0}, {"pearson", "", 0},
	{"power_ratio", Mid, 0}, {"power_ratio", Lost, 0}, {"coherence", Mid, 0}, {"coherence", Lost, 0},
	{"increment_pdf_error", "", 0}, {"increment_pdf_error_longitudinal", "", 0}, {"increment_pdf_error_transverse", "", 0},
	{"skewness_longitudinal", "", 0}, {"kurtosis", "", 0}, {"kurtosis_of_truth", "", 0},
	{"dissipation_of_truth", "", 0}, {"curl_dissipation_of_truth", "", 0}, {"kinetic_energy_of_truth", "", 0}, {"magnetic_energy_of_truth", "", 0},
	{"cross_helicity", "", 0}, {"maxwell_stress", "", 0}, {"maxwell_stress_of_truth", "", 0}, {"reynolds_stress", "", 0}, {"reynolds_stress_of_truth", "", 0},
	{"divb_corner", "", 0}, {"divb_central", "", 0}, {"divb_spectral", "", 0}, {"jz_residual", "", 0}, {"pooling_residual", "", 0},
	{"crps", All, 0}, {"crps", Lost, 0}, {"spread_skill", All, 0}, {"spread_skill", Lost, 0},
	{"coverage", All, 0.5}, {"coverage", All, 0.9}, {"coverage", Lost, 0.5}, {"coverage", Lost, 0.9}, {"rank_chi2", All, 0},
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
		table := evaluate.Table{Title: name + ", " + title}
		sources := slices.DeleteFunc(slices.Clone(order), func(src Source) bool {
			return !slices.ContainsFunc(rows, func(r SummaryRow) bool { return r.Fields == name && r.Source == src })
		})
		for _, src := range sources {
			table.Heads = append(table.Heads, labels[src])
		}
		for _, h := range headlines {
			row := evaluate.Row{Label: h.metric}
			if h.band != "" {
				row.Label += ", " + h.band
			}
			if h.x != 0 {
				row.Label += fmt.Sprintf(", %g%%", 100*h.x)
			}
			some := false
			for _, src := range sources {
				cell := "-"
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

// cell returns the value and its interval.
func (r SummaryRow) cell() string {
	if r.Resamples == 0 {
		return fmt.Sprintf("%.4g", r.Value)
	}
	return fmt.Sprintf("%.4g [%.4g, %.4g]", r.Value, r.Low, r.High)
}
