package physics

import (
	"math"

	"fmsr.example/fmsr/internal/field"
)

// increments sums, for each direction (along x, along y) and lag l, the increments
// d = f(x+l) - f(x): how many, |d|^p for p = 1..6, d^3, whether the sign of <d^3> is the
// truth's, and how many fall into each bin of d over the truth's root mean square.
var increments = &Tally{
	Name: "increments",
	Size: func(l *Layout) int { return 2 * len(l.lags) * incrementSums },
	Prepare: func(l *Layout, truth []*Plane) any {
		var of []incrementScale
		l.eachLag(func(dy, dx, _ int) {
			var sums [incrementSums]float64
			truth[0].increments(dy, dx, 1, sums[:])
			rms := math.Sqrt(sums[powerSums+1] / sums[incrementCount])
			of = append(of, incrementScale{rms, sums[cubeSum]})
		})
		return of
	},
	Add: func(sums []float64, s *Sample) {
		scales := s.Prepared.([]incrementScale)
		at := 0
		s.eachLag(func(dy, dx, _ int) {
			var own [incrementSums]float64
			s.Made[0].increments(dy, dx, scales[at].rms, own[:])
			own[signFrames] = 1
			if own[cubeSum]*scales[at].cube > 0 {
				own[sameSign] = 1
			}
			for i, v := range own {
				sums[at*incrementSums+i] += v
			}
			at++
		})
	},
}

// incrementScale is what the truth's increments at a lag are measured by.
type incrementScale struct {
	rms  float64
	cube float64 // sum of d^3
}

// orders is how many structure functions there are: p = 1..6.
const orders = 6

// The bins of an increment over the truth's root mean square: binWidth wide, the middle
// one around 0, and all beyond the last in the bin after it.
const (
	binWidth = 0.25
	halfBins = 60 // to 15 root mean squares on either side
	binCount = 2*halfBins + 1
)

// The sums of increments, at a lag along an axis.
const (
	incrementCount = iota
	powerSums      // orders of them
	cubeSum        = powerSums + orders
	sameSign       = cubeSum + 1
	signFrames     = sameSign + 1
	binSums        = signFrames + 1 // binCount of them
	incrementSums  = binSums + binCount
)

// eachLag calls do with every direction and lag: along x first.
func (l *Layout) eachLag(do func(dy, dx, lag int)) {
	for _, lag := range l.lags {
		do(0, lag, lag)
	}
	for _, lag := range l.lags {
		do(lag, 0, lag)
	}
}

// increments adds the increments over dy rows and dx columns. At an open edge there are
// none.
func (p *Plane) increments(dy, dx int, scale float64, sums []float64) {
	w := p.Grid.W
	for y := range p.Grid.H {
		first, ok := p.at(y, 0, dy, 0)
		if !ok {
			continue
		}
		here, there := p.Values[y*w:][:w], p.Values[first:][:w]
		addIncrements(sums, here[:w-dx], there[dx:], scale)
		if p.Grid.Boundary[1] == field.Periodic {
			addIncrements(sums, here[w-dx:], there[:dx], scale)
		}
	}
}

// addIncrements adds the increments from cells to other cells.
func addIncrements(sums []float64, from, to []float32, scale float64) {
	perBin := 1 / (scale * binWidth)
	bins := sums[binSums:][:binCount]
	var s1, s2, s3, s4, s5, s6, cube float64
	for i, v := range from {
		d := float64(to[i]) - float64(v)
		a, square := math.Abs(d), d*d
		s1 += a
		s2 += square
		s3 += a * square
		s4 += square * square
		s5 += a * square * square
		s6 += square * square * square
		cube += d * square
		if at := d*perBin + halfBins + 0.5; at >= 0 && at < binCount {
			bins[int(at)]++
		}
	}
	sums[incrementCount] += float64(len(from))
	for i, v := range [orders]float64{s1, s2, s3, s4, s5, s6} {
		sums[powerSums+i] += v
	}
	sums[cubeSum] += cube
}

// direction is a kind of increment: along the field's own axis, across it, or of a field
// that has none.
type direction int

const (
	scalar direction = iota
	longitudinal
	transverse
)

// axisOf returns the axis (0: x, 1: y) that a component of a vector in the plane is along.
func axisOf(name string) (axis int, ok bool) {
	switch {
	case name == "velx" || name == "Bx":
		return 0, true
	case name == "vely" || name == "By":
		return 1, true
	}
	return 0, false
}

// along returns the sums of a field's increments in a direction at each lag, of both axes
// together for a scalar. It returns nil if the field has no such direction.
func (d direction) of(t Totals, sums []float64) [][]float64 {
	axis, vector := axisOf(t.Fields[0])
	if vector != (d != scalar) {
		return nil
	}
	if d == transverse {
		axis = 1 - axis
	}
	var out [][]float64
	for i := range t.lags {
		at := func(axis int) []float64 { return sums[(axis*len(t.lags)+i)*incrementSums:][:incrementSums] }
		row := at(axis)
		if d == scalar {
			row = make([]float64, incrementSums)
			for _, axis := range []int{0, 1} {
				for j, v := range at(axis) {
					row[j] += v
				}
			}
		}
		out = append(out, row)
	}
	return out
}

// byLag returns values at each lag from the sums of a source and of the truth.
func (d direction) byLag(values func(made, truth []float64) []Point) func(Totals) []Point {
	return func(t Totals) (out []Point) {
		made, truth := d.of(t, t.Sums), d.of(t, t.Truth)
		for i := range made {
			if truth[i][powerSums+1] == 0 {
				continue // no increments to measure by
			}
			for _, v := range values(made[i], truth[i]) {
				v.Lag = t.lags[i]
				out = append(out, v)
			}
		}
		return out
	}
}

// structure returns S_p, p = 1..6.
func structure(made, _ []float64) (out []Point) {
	for p := range orders {
		out = append(out, Point{X: float64(p + 1), Value: made[powerSums+p] / made[incrementCount]})
	}
	return out
}

// structureOfTruth returns S_p over the truth's.
func structureOfTruth(made, truth []float64) []Point {
	out := structure(made, nil)
	for p, v := range structure(truth, nil) {
		out[p].Value /= v.Value
	}
	return out
}

// density returns the PDF of d over the truth's root mean square, in bins that are not empty.
func density(made, _ []float64) (out []Point) {
	for i, n := range made[binSums:] {
		if n > 0 {
			out = append(out, Point{X: float64(i-halfBins) * binWidth, Value: n / made[incrementCount] / binWidth})
		}
	}
	return out
}

// rarest is the least probability of a bin that is compared, and rarer the probability that
// stands in for a bin that a source never meets.
const rarest, rarer = 1e-4, 1e-5

// densityError returns the root mean square of ln(p / p_truth) over the bins that the
// truth meets with probability 1e-4 or more.
func densityError(made, truth []float64) []Point {
	sum, bins := 0.0, 0.0
	for i := range binCount {
		want := truth[binSums+i] / truth[incrementCount]
		if want < rarest {
			continue
		}
		got := max(rarer, made[binSums+i]/made[incrementCount])
		sum += math.Pow(math.Log(got/want), 2)
		bins++
	}
	return one(math.Sqrt(sum / bins))
}

// skewness returns <d^3> / <d^2>^(3/2).
func skewness(made, _ []float64) []Point {
	n := made[incrementCount]
	return one(made[cubeSum] / n / math.Pow(made[powerSums+1]/n, 1.5))
}

var incrementMetrics = join(
	incrementSuite(scalar, "", "along x and along y"),
	incrementSuite(longitudinal, "_longitudinal", "of a vector's component along its own axis"),
	incrementSuite(transverse, "_transverse", "of a vector's component across its own axis"),
	[]Metric{
		{
			Name: "skewness_longitudinal", Unit: "1", Tally: increments, Truth: true,
			Doc:    "Skewness of the increments of a vector's component along its own axis. Negative for velocity: the cascade's direction.",
			Values: longitudinal.byLag(skewness),
		},
		{
			Name: "skewness_sign", Unit: "1", Tally: increments,
			Doc:    "Share of the frames in which the longitudinal skewness has the truth's sign. 1 is right; 0.5 is chance.",
			Values: longitudinal.byLag(func(made, _ []float64) []Point { return one(made[sameSign] / made[signFrames]) }),
		},
	},
)

// incrementSuite returns the metrics of the increments in a direction.
func incrementSuite(d direction, suffix, which string) []Metric {
	return []Metric{
		{
			Name: "structure" + suffix, Unit: "field units to the p", Tally: increments, Truth: true, Curve: true,
			Doc:    "Structure functions <|d|^p>, p = 1..6, of the increments " + which + ".",
			Values: d.byLag(structure),
		},
		{
			Name: "structure" + suffix + "_of_truth", Unit: "1", Tally: increments, Curve: true,
			Doc:    "The same over the truth's. 1 is right.",
			Values: d.byLag(structureOfTruth),
		},
		{
			Name: "increment_pdf" + suffix, Unit: "1", Tally: increments, Truth: true, Curve: true,
			Doc:    "PDF of the increments " + which + ", in units of the truth's root mean square in the frame.",
			Values: d.byLag(density),
		},
		{
			Name: "increment_pdf_error" + suffix, Unit: "1", Tally: increments,
			Doc:    "Root mean square of ln(p / p_truth) over the bins that the truth meets with probability 1e-4 or more. Less is better.",
			Values: d.byLag(densityError),
		},
	}
}
