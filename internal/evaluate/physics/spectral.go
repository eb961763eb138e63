package physics

import (
	"math"

	"fmsr.example/fmsr/internal/field"
)

// spectral sums, for each shell k of wavenumbers, the modes' |a|^2 of the made field,
// |b|^2 of the true one, Re(a b*) and |a-b|^2; then |a-b|^2 in The Well's three bins, and
// how many frames.
var spectral = &Tally{
	Name: "spectral",
	Size: func(l *Layout) int { return 4*l.shells.Len() + wellBins + 1 },
	Add: func(sums []float64, s *Sample) {
		t := spectralOf(s.Layout, sums)
		made, truth := s.Made[0].Modes(), s.Truth[0].Modes()
		for i, k := range s.shells.Index {
			a, b, w := made[i], truth[i], s.shells.Weight(i)
			d := a - b
			square := w * (real(d)*real(d) + imag(d)*imag(d))
			t.made[k] += w * (real(a)*real(a) + imag(a)*imag(a))
			t.truth[k] += w * (real(b)*real(b) + imag(b)*imag(b))
			t.cross[k] += w * (real(a)*real(b) + imag(a)*imag(b))
			t.error[k] += square
			if bin := s.well[i]; bin < wellBins {
				t.well[bin] += square
			}
		}
		*t.frames++
	},
}

// spectralSums is the parts of spectral's sums.
type spectralSums struct {
	*Layout
	made, truth, cross, error []float64 // by shell
	well                      []float64 // by bin
	frames                    *float64
}

func spectralOf(l *Layout, sums []float64) spectralSums {
	n := l.shells.Len()
	part := func(i int) []float64 { return sums[i*n : (i+1)*n] }
	return spectralSums{l, part(0), part(1), part(2), part(3), sums[4*n:][:wellBins], &sums[4*n+wellBins]}
}

// roundOff is the share of a field's mean square below which the power of a band or a
// shell is round-off of float32 values.
const roundOff = 1e-14

// byBand returns a value of each band in which the truth has power, from sums over the band.
func (s spectralSums) byBand(value func(made, truth, cross, error float64) float64) []Point {
	least := roundOff * field.Band(s.truth, 0, len(s.truth))
	var out []Point
	for _, b := range s.bands {
		sum := func(perShell []float64) float64 { return field.Band(perShell, b.From, b.To) }
		if truth := sum(s.truth); truth > least {
			out = append(out, Point{Band: b.Name, Value: value(sum(s.made), truth, sum(s.cross), sum(s.error))})
		}
	}
	return out
}

// curve returns values at the wavenumbers k = 1, 2, ... at which the truth has power.
func (s spectralSums) curve(value func(k int) float64) []Point {
	least := roundOff * field.Band(s.truth, 0, len(s.truth))
	var out []Point
	for k := 1; k < len(s.truth); k++ {
		if s.truth[k] > least {
			out = append(out, Point{X: float64(k), Value: value(k)})
		}
	}
	return out
}

// wellBins is how many bins The Well's binned spectral MSE has. Their edges are 0 and
// three in equal ratios: (N/2)^(1/3), (N/2)^(2/3), N/2.
const wellBins = 3

// wellBinsOf returns the bin of each mode that rfft2 keeps, wellBins if it is in none: at
// N/2 and beyond.
func wellBinsOf(g field.Grid) []int {
	half := g.W/2 + 1
	bins := make([]int, g.H*half)
	for i := range bins {
		k := math.Hypot(float64(min(i/half, g.H-i/half)), float64(i%half))
		for bins[i] < wellBins && k >= math.Pow(float64(g.H)/2, float64(bins[i]+1)/wellBins)*(1-1e-12) {
			bins[i]++
		}
	}
	return bins
}

// binnedSpectralMSE returns The Well's, of square grids.
func binnedSpectralMSE(t Totals) []Point {
	if t.Grid.H != t.Grid.W {
		return nil
	}
	var out []Point
	s := spectralOf(t.Layout, t.Sums)
	for i, name := range []string{"well_low", "well_mid", "well_high"} {
		out = append(out, Point{Band: name, Value: s.well[i] / *s.frames})
	}
	return out
}

// inBands returns a metric's values, one for each band, from the band's powers.
func inBands(value func(made, truth, cross, error float64) float64) func(Totals) []Point {
	return func(t Totals) []Point {
		s := spectralOf(t.Layout, t.Sums)
		return s.byBand(value)
	}
}

var spectralMetrics = []Metric{
	{
		Name: "power_ratio", Unit: "1", Tally: spectral,
		Doc:    "Power in a band over the truth's. 1 is right; less is too smooth, more is too rough.",
		Values: inBands(func(made, truth, _, _ float64) float64 { return made / truth }),
	},
	{
		Name: "power_log_ratio", Unit: "1", Tally: spectral,
		Doc:    "Natural logarithm of power_ratio. 0 is right.",
		Values: inBands(func(made, truth, _, _ float64) float64 { return math.Log(made / truth) }),
	},
	{
		Name: "residual_nmse", Unit: "1", Tally: spectral, Pointwise: true,
		Doc:    "Power of the error in a band over the truth's power there. Less is better; 0 power gives 1, and independent noise of the right power gives 2.",
		Values: inBands(func(_, truth, _, error float64) float64 { return error / truth }),
	},
	{
		Name: "coherence", Unit: "1", Tally: spectral,
		Doc:    "Re sum(a b*) over the root of sum(|a|^2) sum(|b|^2), over a band's modes and the frames. 1 is in place, 0 is somewhere else; a mean of samples has more than a sample.",
		Values: inBands(func(made, truth, cross, _ float64) float64 { return cross / math.Sqrt(made*truth) }),
	},
	{
		Name: "binned_spectral_mse", Unit: "field units squared", Tally: spectral, Pointwise: true,
		Doc:    "The Well's: MSE in three bins of wavenumbers. Less is better, so that it rewards blur: in a bin that cannot be predicted the least error has no power at all.",
		Values: binnedSpectralMSE,
	},
	{
		Name: "spectrum", Unit: "field units squared", Tally: spectral, Truth: true, Curve: true,
		Doc: "P(k), mean over frames.",
		Values: func(t Totals) []Point {
			s := spectralOf(t.Layout, t.Sums)
			return s.curve(func(k int) float64 { return s.made[k] / *s.frames })
		},
	},
	{
		Name: "power_ratio_k", Unit: "1", Tally: spectral, Curve: true,
		Doc: "P(k) over the truth's.",
		Values: func(t Totals) []Point {
			s := spectralOf(t.Layout, t.Sums)
			return s.curve(func(k int) float64 { return s.made[k] / s.truth[k] })
		},
	},
	{
		Name: "coherence_k", Unit: "1", Tally: spectral, Curve: true,
		Doc: "The coherence of a shell.",
		Values: func(t Totals) []Point {
			s := spectralOf(t.Layout, t.Sums)
			return s.curve(func(k int) float64 { return s.cross[k] / math.Sqrt(s.made[k]*s.truth[k]) })
		},
	},
}
