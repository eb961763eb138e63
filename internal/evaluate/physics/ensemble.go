package physics

import (
	"math"
	"slices"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/parallel"
)

// ensemble compares the samples of a frame together with its truth, cell by cell, first
// as they are and then filtered to each band. It sums, for each: the cells, the fair
// CRPS, the samples' variance, the squared error of their mean, the truth's rank
// among the samples, 0..K, and by bins of the variance the cells, the variance and the error.
var ensemble = &Tally{
	Name: "ensemble",
	Size: func(l *Layout) int { return (1 + len(l.bands)) * l.ensembleSums() },
	AddEnsemble: func(sums []float64, l *Layout, truth *Plane, members []*Plane) {
		n := l.ensembleSums()
		_ = parallel.Each(1+len(l.bands), func(i int) error { // of which none fails
			part := sums[i*n:][:n]
			if i == 0 {
				addCells(part, truth.Values, valuesOf(members))
				return nil
			}
			filtered := make([][]float32, len(members))
			for k, m := range members {
				filtered[k] = make([]float32, l.Grid.Cells())
				m.band(filtered[k], i-1)
			}
			want := make([]float32, l.Grid.Cells())
			truth.band(want, i-1)
			addCells(part, want, filtered)
			return nil
		})
	},
}

// The sums of ensemble, in a band.
const (
	ensembleCells = iota
	crpsSum
	varianceSum
	meanErrorSum
	spreadCells                               // by bin of the spread
	spreadVariance = spreadCells + spreadBins // by bin
	spreadError    = spreadVariance + spreadBins
	rankSums       = spreadError + spreadBins // K+1 of them
)

func (l *Layout) ensembleSums() int { return rankSums + l.Members + 1 }

// The bins of a cell's spread over the truth's deviation in the frame: from 1e-4 to 10, a
// factor of 10^(1/6) wide, and all beyond in the first and the last.
const (
	spreadBins   = 30
	binsADecade  = 6
	leastDecades = -4
)

// spreadBin returns the bin of a variance over that of the truth.
func spreadBin(variance float64) int {
	at := (math.Log10(variance)/2 - leastDecades) * binsADecade
	return int(max(0, min(spreadBins-1, at))) // the logarithm of 0 is -Inf
}

func valuesOf(planes []*Plane) [][]float32 {
	var out [][]float32
	for _, p := range planes {
		out = append(out, p.Values)
	}
	return out
}

// addCells adds each cell's samples, sorted, and truth.
func addCells(sums []float64, truth []float32, members [][]float32) {
	x := make([]float32, len(members))
	own := varianceOf(truth)
	for i, y := range truth {
		for k, m := range members {
			x[k] = m[i]
		}
		slices.Sort(x)
		variance, square := addCell(sums, float64(y), x)
		if own > 0 {
			bin := spreadBin(variance / own)
			sums[spreadCells+bin]++
			sums[spreadVariance+bin] += variance / own
			sums[spreadError+bin] += square / own
		}
	}
	sums[ensembleCells] += float64(len(truth))
}

// varianceOf returns the variance of a plane.
func varianceOf(plane []float32) float64 {
	var w field.Welford
	for _, v := range plane {
		w.Merge(field.Welford{Count: 1, Mean: float64(v)})
	}
	return w.Std() * w.Std()
}

// addCell adds a cell's sorted samples, and returns their variance and the squared error of
// their mean. Where samples have the truth's value, the truth has each of the ranks that it
// could have with the same weight.
func addCell(sums []float64, y float64, sorted []float32) (variance, square float64) {
	k := float64(len(sorted))
	var distance, pairs, mean float64
	below, equal := 0, 0
	for i, v := range sorted {
		x := float64(v)
		distance += math.Abs(x - y)
		pairs += (2*float64(i) + 1 - k) * x // sum over i<j of x_j - x_i
		mean += x / k
		if x < y {
			below++
		} else if x == y {
			equal++
		}
	}
	for _, v := range sorted {
		variance += (float64(v) - mean) * (float64(v) - mean) / (k - 1)
	}
	sums[crpsSum] += distance/k - pairs/(k*(k-1))
	sums[varianceSum] += variance
	sums[meanErrorSum] += (mean - y) * (mean - y)
	for r := below; r <= below+equal; r++ {
		sums[rankSums+r] += 1 / float64(equal+1)
	}
	return variance, (mean - y) * (mean - y)
}

// ensembleValues returns values of each band from its sums. A band in which the members do not
// vary and are right has none.
func ensembleValues(values func(sums []float64) []Point) func(Totals) []Point {
	return func(t Totals) (out []Point) {
		n := t.ensembleSums()
		for i := range 1 + len(t.bands) {
			part, name := t.Sums[i*n:][:n], All
			if i > 0 {
				name = t.bands[i-1].Name
			}
			if part[meanErrorSum] == 0 && part[varianceSum] == 0 {
				continue
			}
			for _, v := range values(part) {
				v.Band = name
				out = append(out, v)
			}
		}
		return out
	}
}

// coverage returns the share of cells in which the truth is in the central interval of
// that probability: where its place u, uniform between r/(K+1) and (r+1)/(K+1) for a truth
// of rank r, is within (1-p)/2 and (1+p)/2. It is p if the truth is exchangeable with the
// samples, whatever K is. Where an interval would contain more than half of the ranks beyond
// all samples, K is too small to tell, and there is no coverage.
func coverage(sums []float64, p float64) float64 {
	ranks := sums[rankSums:]
	from, to, inside := (1-p)/2, (1+p)/2, 0.0
	n := float64(len(ranks))
	if from*n < 0.5 {
		return math.NaN()
	}
	for r, count := range ranks {
		overlap := min(to, float64(r+1)/n) - max(from, float64(r)/n)
		inside += count * n * max(0, overlap)
	}
	return inside / sums[ensembleCells]
}

var ensembleMetrics = []Metric{
	{
		Name: "crps", Unit: "field units", Tally: ensemble,
		Doc:    "Fair continuous ranked probability score. Less is better.",
		Values: ensembleValues(func(sums []float64) []Point { return one(sums[crpsSum] / sums[ensembleCells]) }),
	},
	{
		Name: "spread_skill", Unit: "1", Tally: ensemble,
		Doc: "Root of (K+1)/K times the mean variance of K samples, over the root of the MSE of their mean. 1 is right; less is too sure.",
		Values: ensembleValues(func(sums []float64) []Point {
			k := float64(len(sums) - rankSums - 1)
			return one(math.Sqrt((k + 1) / k * sums[varianceSum] / sums[meanErrorSum]))
		}),
	},
	{
		Name: "coverage", Unit: "1", Tally: ensemble,
		Doc: "Share of cells in which the truth is within the samples' central interval of probability x. x is right; less is too sure.",
		Values: ensembleValues(func(sums []float64) []Point {
			return []Point{{X: 0.5, Value: coverage(sums, 0.5)}, {X: 0.9, Value: coverage(sums, 0.9)}}
		}),
	},
	{
		Name: "coverage_curve", Unit: "1", Tally: ensemble, Curve: true,
		Doc: "Coverage of the intervals of probability x = 0.1, 0.2, ... 0.9.",
		Values: ensembleValues(func(sums []float64) (out []Point) {
			for i := 1; i < 10; i++ {
				out = append(out, Point{X: float64(i) / 10, Value: coverage(sums, float64(i)/10)})
			}
			return out
		}),
	},
	{
		Name: "rank_chi2", Unit: "1", Tally: ensemble,
		Doc: "Chi-square of the truth's ranks against equal ones, over its K degrees of freedom. 1 for independent cells; cells of a field are not, so compare it between ensembles of the same frames only.",
		Values: ensembleValues(func(sums []float64) []Point {
			ranks := sums[rankSums:]
			want, chi2 := sums[ensembleCells]/float64(len(ranks)), 0.0
			for _, n := range ranks {
				chi2 += (n - want) * (n - want) / want
			}
			return one(chi2 / float64(len(ranks)-1))
		}),
	},
	{
		Name: "rank_histogram", Unit: "1", Tally: ensemble, Curve: true,
		Doc: "Share of cells in which the truth has rank x among the K samples, times K+1. 1 everywhere is right; high ends are too sure.",
		Values: ensembleValues(func(sums []float64) (out []Point) {
			ranks := sums[rankSums:]
			for r, n := range ranks {
				out = append(out, Point{X: float64(r), Value: n * float64(len(ranks)) / sums[ensembleCells]})
			}
			return out
		}),
	},
	{
		Name: "error_by_spread", Unit: "1", Tally: ensemble, Curve: true,
		Doc: "Root of the mean squared error of the samples' mean in the cells of one bin of the spread, over the truth's deviation in the frame. x is root of (K+1)/K times the mean variance there, over the same. x is right; more is too sure. Bins with a thousandth of the cells or less are left out.",
		Values: ensembleValues(func(sums []float64) (out []Point) {
			k := float64(len(sums) - rankSums - 1)
			for bin := range spreadBins {
				if n := sums[spreadCells+bin]; n > leastInBin*sums[ensembleCells] {
					out = append(out, Point{X: math.Sqrt((k + 1) / k * sums[spreadVariance+bin] / n), Value: math.Sqrt(sums[spreadError+bin] / n)})
				}
			}
			return out
		}),
	},
}

// leastInBin is the least share of the cells whose bin says something.
const leastInBin = 1e-3
