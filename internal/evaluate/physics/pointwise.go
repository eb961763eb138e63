package physics

import "math"

// pointwise compares cells, field by field. The mean of each frame is its own.
var pointwise = &Tally{
	Name: "pointwise",
	Size: func(*Layout) int { return pointwiseSums },
	Add: func(sums []float64, s *Sample) {
		made, truth := s.Made[0].Values, s.Truth[0].Values
		meanA, meanB := mean(made), mean(truth)
		var squared, aa, bb, ab, a4 float64
		for i, v := range made {
			a, b := float64(v)-meanA, float64(truth[i])-meanB
			d := float64(v) - float64(truth[i])
			squared += d * d
			aa += a * a
			bb += b * b
			ab += a * b
			a4 += a * a * a * a
		}
		n := s.cells()
		vrmse := math.Sqrt(squared / (bb + n*vrmseEps*s.Variance))
		if math.IsNaN(vrmse) || math.IsInf(vrmse, 0) { // a constant truth, and no training variance
			vrmse = 0
		} else {
			sums[vrmseFrames]++
		}
		for at, v := range map[int]float64{
			cellCount: n, squaredError: squared, squareSum: aa + n*meanA*meanA, madeVariation: aa, trueVariation: bb, covariation: ab,
			fourthPower: a4, vrmseSum: vrmse,
		} {
			sums[at] += v
		}
	},
}

// The sums of pointwise.
const (
	cellCount = iota
	squaredError
	squareSum
	madeVariation
	trueVariation
	covariation
	fourthPower
	vrmseSum
	vrmseFrames
	pointwiseSums
)

// vrmseEps times the training variance is added to a frame's variance, so that the VRMSE
// of a frame in which nothing happens yet is finite.
const vrmseEps = 1e-7

func mean(values []float32) float64 {
	sum := 0.0
	for _, v := range values {
		sum += float64(v)
	}
	return sum / float64(len(values))
}

func kurtosis(_ Totals, sums []float64) float64 {
	if sums[madeVariation] <= roundOff*sums[squareSum] {
		return math.NaN() // a constant has none
	}
	variance := sums[madeVariation] / sums[cellCount]
	return sums[fourthPower] / sums[cellCount] / (variance * variance)
}

// meanSquare returns <f^2> of a field of that name.
func meanSquare(name string) func(t Totals, sums []float64) float64 {
	return func(t Totals, sums []float64) float64 {
		if t.Fields[0] != name {
			return math.NaN() // another field has none
		}
		return sums[squareSum] / sums[cellCount]
	}
}

var pointwiseMetrics = join([]Metric{
	{
		Name: "mse", Unit: "field units squared", Tally: pointwise, Pointwise: true,
		Doc:    "Mean squared error. Less is better, but a sample's is about twice the posterior variance, and the mean's once.",
		Values: func(t Totals) []Point { return one(t.Sums[squaredError] / t.Sums[cellCount]) },
	},
	{
		Name: "vrmse", Unit: "1", Tally: pointwise, Pointwise: true,
		Doc:    "Mean over frames of the root of MSE over the frame's variance. Less is better; 1 is no better than the frame's mean.",
		Values: func(t Totals) []Point { return one(t.Sums[vrmseSum] / t.Sums[vrmseFrames]) },
	},
	{
		Name: "pearson", Unit: "1", Tally: pointwise,
		Doc: "Correlation with the truth, frame means removed. 1 is right; a mean of samples has more than a sample.",
		Values: func(t Totals) []Point {
			if t.Sums[madeVariation] <= roundOff*t.Sums[squareSum] {
				return nil // a constant is not correlated with anything
			}
			return one(t.Sums[covariation] / math.Sqrt(t.Sums[madeVariation]*t.Sums[trueVariation]))
		},
	},
},
	quantity(Metric{Name: "kurtosis", Unit: "1", Tally: pointwise, Doc: "Fourth moment about the frame's mean over the squared variance; 3 of a Gaussian."}, kurtosis),
	quantity(Metric{Name: "dissipation", Unit: "field units squared", Tally: pointwise, Doc: "Mean of jz squared: resistive dissipation over the resistivity."}, meanSquare("jz")),
)

// join returns the metrics of lists in one.
func join(lists ...[]Metric) (all []Metric) {
	for _, l := range lists {
		all = append(all, l...)
	}
	return all
}
