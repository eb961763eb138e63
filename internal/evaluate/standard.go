package evaluate

import (
	"math"

	"fmsr.example/fmsr/internal/field"
)

// Standard is the suite that ships. An entry added here shows in every outlet.
var Standard = Suite{
	{
		Name: "mse", Unit: "field units squared", Title: "MSE", LogFields: true,
		Doc:   "Mean over cells and frames of the squared error. Less is better.",
		Value: mean(mse),
	},
	{
		Name: "of_bilinear", Unit: "1", Title: "error, of bilinear's", Brief: "of bilinear", Cell: "%.3f", In: Tables | Files,
		Doc:    "MSE over the MSE of the bilinear input. Less is better; below 1 beats interpolation.",
		Exists: func(f Totals) bool { return varies(f) && f.Bilinear != nil && mse(*f.Bilinear) > 0 },
		Value:  mean(func(f Totals) float64 { return mse(f) / mse(*f.Bilinear) }),
	},
	{
		Name: "nmse", Unit: "1", Title: "NMSE",
		Doc:    "MSE over the variance of the truth. Less is better; 1 is no better than the mean of the truth.",
		Exists: varies,
		Value:  mean(func(f Totals) float64 { return mse(f) / math.Pow(f.Moments.Std(), 2) }),
	},
	{
		Name: "band", Unit: "1", Title: "power in the lost band, of truth's", Brief: "lost band", Cell: "%.3f",
		Doc:    "Power in the modes that pooling lost (|ky| or |kx| at or beyond the coarse grid's Nyquist wavenumber), over the power of the truth. 1 is right; less is too smooth, more is too rough.",
		Exists: func(f Totals) bool { return varies(f) && f.TrueLost > roundOff*field.Band(f.Truth, 0, len(f.Truth)) },
		Value:  mean(func(f Totals) float64 { return f.Lost / f.TrueLost }),
	},
	{
		Name: "spread_over_error", Unit: "1", Title: "spread over error", Cell: "%.3f", EnsembleOnly: true,
		Doc:  "Root of (1 + 1/N) times the mean variance of an ensemble of N samples, over the root of the MSE of its mean. 1 is right; less means that the samples are too alike.",
		Sums: 1,
		Add: func(sums []float64, p Pair) {
			for _, v := range p.Variance {
				sums[0] += v
			}
		},
		Exists: func(f Totals) bool { return varies(f) && mse(f) > 0 },
		Value: mean(func(f Totals) float64 {
			expected := f.Sums[0] / float64(f.Values()) * (1 + 1/float64(f.Members))
			return math.Sqrt(expected / mse(f))
		}),
	},
}

// mean returns a function of several fields: the mean of value over them.
func mean(value func(Totals) float64) func([]Totals) float64 {
	return func(fields []Totals) float64 {
		sum := 0.0
		for _, f := range fields {
			sum += value(f) / float64(len(fields))
		}
		return sum
	}
}

func mse(f Totals) float64 { return f.SquaredError / float64(f.Values()) }

// varies reports whether the truth is not constant.
func varies(f Totals) bool { return !f.Moments.Constant() }

// roundOff is the share of a field's mean square that float32 transforms leave in modes
// without power.
const roundOff = 1e-14
