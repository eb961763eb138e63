package physics

import (
	"math"
	"testing"

	"fmsr.example/fmsr/internal/evaluate"
	"fmsr.example/fmsr/internal/field"
)

// ensembles returns the summary of frames whose truth and K samples are a common field plus
// noise of their own, the samples' of deviation spread.
func ensembles(t *testing.T, n, k, frames int, spread float32) []SummaryRow {
	t.Helper()
	r := New(NewLayout(field.Grid{H: n, W: n}, 2, k), Suite, []string{"rho"}, nil)
	for i := range frames {
		common := times(noise(n, uint64(1000*i+999)), 3)
		f := Frame{Frame: i, Truth: plus(common, noise(n, uint64(1000*i)))}
		f.Baselines = bilinear(f.Truth)
		for j := range k {
			f.Members = append(f.Members, plus(common, times(noise(n, uint64(1000*i+j+1)), spread)))
		}
		add(t, r, f)
	}
	return r.Summary(0, 1)
}

// TestCalibrated: a truth that is exchangeable with the samples has nominal coverage,
// spread-skill 1 and equal ranks, as they are and in every band, whatever K is.
func TestCalibrated(t *testing.T) {
	const n, frames = 64, 4
	cells := float64(n * n * frames)
	for _, k := range []int{2, 5, 16} {
		rows := ensembles(t, n, k, frames, 1)
		levels := []float64{0.5}
		if k > 8 {
			levels = append(levels, 0.9)
		} else if row, ok := Find(rows, "rho", "coverage", Ensemble, All, 0.9); ok {
			t.Errorf("coverage of 90%% by %d samples: %g, want none", k, row.Value)
		}
		for _, p := range levels {
			want(t, rows, "rho", "coverage", Ensemble, All, p, p, 4*math.Sqrt(p*(1-p)/cells))
		}
		want(t, rows, "rho", "spread_skill", Ensemble, All, 0, 1, 4*math.Sqrt(1/cells))
		want(t, rows, "rho", "crps", Ensemble, All, 0, 1/math.Sqrt(math.Pi), 4*0.6/math.Sqrt(cells)) // E|X-y| - E|X-X'|/2
		want(t, rows, "rho", "rank_chi2", Ensemble, All, 0, 1, 4*math.Sqrt(2/float64(k)))            // variance 2K of K degrees
		want(t, rows, "rho", "mean_mse", evaluate.Mean, "", 0, 1+1/float64(k), 8/math.Sqrt(cells))
		want(t, rows, "rho", "mse", sample, "", 0, 2, 10/math.Sqrt(cells))
		for band, modes := range map[string]float64{Low: 200, Mid: 600, Lost: 2400, Corners: 800} {
			within := 4 / math.Sqrt(modes*frames)
			for _, p := range levels {
				want(t, rows, "rho", "coverage", Ensemble, band, p, p, within/2)
			}
			want(t, rows, "rho", "spread_skill", Ensemble, band, 0, 1, within)
			want(t, rows, "rho", "crps", Ensemble, band, 0, math.Sqrt(modes/(n*n)/math.Pi), 2*within*math.Sqrt(modes/(n*n)))
		}
		absent(t, rows, "rho", "mse", evaluate.Mean)
		absent(t, rows, "rho", "mean_mse", sample)
	}
}

// TestTooSure: samples of half the spread: the ratio of spread and error, CRPS and coverage
// of two Gaussians in closed form.
func TestTooSure(t *testing.T) {
	const n, k, frames, s = 64, 16, 4, 0.5
	rows := ensembles(t, n, k, frames, s)
	want(t, rows, "rho", "spread_skill", Ensemble, All, 0, math.Sqrt((k+1)/float64(k)*s*s/(1+s*s/k)), 0.02)
	// E|X-y| of deviation sqrt(1+s^2), less E|X-X'| / 2 of deviation s sqrt 2
	want(t, rows, "rho", "crps", Ensemble, All, 0, math.Sqrt(2/math.Pi)*(math.Sqrt(1+s*s)-s/math.Sqrt2), 0.02)
	// a truth within 0.6745 s of the middle, if K were infinite: erf(0.6745 s / sqrt 2) = 0.264
	want(t, rows, "rho", "coverage", Ensemble, All, 0.5, 0.264, 0.02)
	x, y := Curve(rows, "rho", "rank_histogram", Ensemble, All, 0)
	if len(x) != k+1 || y[0] < 2 || y[k] < 2 || y[k/2] > 0.7 {
		t.Errorf("rank histogram %g: want high ends", y)
	}
	if r, _ := Find(rows, "rho", "rank_chi2", Ensemble, All, 0); r.Value < 100 {
		t.Errorf("rank_chi2 %g of an ensemble that is too sure", r.Value)
	}
}

// TestCell: one cell's figures, by hand.
func TestCell(t *testing.T) {
	sums := make([]float64, rankSums+4)
	addCell(sums, 2, []float32{1, 2, 6})
	// mean |x-y| = (1+0+4)/3, pairs (1+5+4)/(3*2); the truth may be below or above the middle sample
	for i, w := range map[int]float64{
		ensembleCells: 0, crpsSum: 5./3 - 10./6, varianceSum: 7, meanErrorSum: 1,
		rankSums: 0, rankSums + 1: 0.5, rankSums + 2: 0.5, rankSums + 3: 0,
	} {
		if math.Abs(sums[i]-w) > 1e-12 {
			t.Errorf("sum %d is %g, want %g", i, sums[i], w)
		}
	}
}

// TestErrorBySpread: of cells whose deviations differ a hundredfold, evenly in their logarithm,
// and with K samples each, the variance in cells of a given sample variance is
// (K-1)/(K-3) times that (an inverse gamma distribution). The error of the mean is the spread by
// the root of that in each bin if the truth is of the samples' distribution, and with
// the truth's deviation doubled it is larger by the root of (4 + 1/K) / (1 + 1/K).
func TestErrorBySpread(t *testing.T) {
	const n, k = 128, 16
	deviation := func(y float64) float64 { return math.Pow(10, -2*y/n) }
	scaled := func(seed uint64, by float64) []float32 {
		x := noise(n, seed)
		for i := range x {
			x[i] *= float32(by * deviation(float64(i/n)))
		}
		return x
	}
	for by, ratio := range map[float64]float64{1: 1, 2: math.Sqrt((4 + 1./k) / (1 + 1./k))} {
		r := New(NewLayout(field.Grid{H: n, W: n}, 2, k), Suite, []string{"rho"}, nil)
		f := Frame{Truth: scaled(1, by)}
		for i := range uint64(k) {
			f.Members = append(f.Members, scaled(2+i, 1))
		}
		add(t, r, f)
		x, y := Curve(r.Summary(0, 1), "rho", "error_by_spread", Ensemble, All, 0)
		if len(x) < 10 || x[len(x)-1] < 30*x[0] {
			t.Fatalf("%d bins: %g", len(x), x)
		}
		mean, inner := 0.0, x[2:len(x)-2] // bins that deviations on both sides lead to
		for i := range inner {
			got := y[i+2] / inner[i] / ratio / math.Sqrt((k-1.)/(k-3.))
			mean += got / float64(len(inner))
			if got < 0.85 || got > 1.15 {
				t.Errorf("truth's deviation %g times the samples': spread %g, error %g", by, x[i], y[i])
			}
		}
		if mean < 0.98 || mean > 1.02 {
			t.Errorf("truth's deviation %g times the samples': errors are %g times the right ones", by, mean)
		}
	}
}

// TestOutside: a truth above all samples of every cell has the highest rank, and the largest
// chi-square that there is: the cells' number.
func TestOutside(t *testing.T) {
	const n = 8
	r := New(NewLayout(field.Grid{H: n, W: n}, 2, 2), Suite, []string{"rho"}, nil)
	truth := fill(n, func(y, x float64) float64 { return 9 + x*y })
	add(t, r, Frame{Truth: truth, Baselines: bilinear(truth), Members: [][]float32{noise(n, 1), noise(n, 2)}})
	rows := r.Summary(0, 1)
	want(t, rows, "rho", "rank_chi2", Ensemble, All, 0, n*n, 1e-9) // (n - n/3)^2 / (n/3) + 2 n/3, over 2
	want(t, rows, "rho", "rank_histogram", Ensemble, All, 2, 3, 1e-12)
	want(t, rows, "rho", "rank_histogram", Ensemble, All, 0, 0, 1e-12)
	want(t, rows, "rho", "coverage", Ensemble, All, 0.5, 0.25, 1e-12) // of the place between 2/3 and 1, a quarter is below 3/4
}

// TestCRPSOfAValue: the CRPS of a Gaussian and one value y (Gneiting & Raftery 2007),
// unbiased with two samples.
func TestCRPSOfAValue(t *testing.T) {
	const n = 128
	for _, y := range []float64{-1.5, 0, 0.7} {
		r := New(NewLayout(field.Grid{H: n, W: n}, 2, 2), Suite, []string{"rho"}, nil)
		truth := fill(n, func(_, _ float64) float64 { return y })
		add(t, r, Frame{Truth: truth, Baselines: bilinear(truth), Members: [][]float32{noise(n, 1), noise(n, 2)}})
		cdf, pdf := (1+math.Erf(y/math.Sqrt2))/2, math.Exp(-y*y/2)/math.Sqrt(2*math.Pi)
		want(t, r.Summary(0, 1), "rho", "crps", Ensemble, All, 0, y*(2*cdf-1)+2*pdf-1/math.Sqrt(math.Pi), 0.03)
	}
}

// BenchmarkFrame measures 16 samples of a frame of eight fields at 256 x 256.
func BenchmarkFrame(b *testing.B) {
	const n, k = 256, 16
	fields := []string{"density", "velx", "vely", "velz", "Bx", "By", "Bz", "jz"}
	planes := func(seed uint64) []float32 {
		one := noise(n, seed)
		return stack(one, one, one, one, one, one, one, one)
	}
	f := Frame{Truth: planes(1), Baselines: bilinear(planes(2)), Coarse: make([]float32, 8*n*n/4)}
	for i := range uint64(k) {
		f.Members = append(f.Members, planes(3+i))
	}
	r := New(NewLayout(field.Grid{H: n, W: n}, 2, k), Suite, fields, nil)
	for b.Loop() {
		if err := r.Add(f); err != nil {
			b.Fatal(err)
		}
	}
}
