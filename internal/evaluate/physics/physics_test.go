package physics

import (
	"math"
	"testing"

	"fmsr.example/fmsr/internal/evaluate"
	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/testkit/golden"
)

// fill returns a field (n,n) of f(y,x).
func fill(n int, f func(y, x float64) float64) []float32 {
	out := make([]float32, n*n)
	for i := range out {
		out[i] = float32(f(float64(i/n), float64(i%n)))
	}
	return out
}

// wave returns a sine of ky and kx periods along the axes, ahead by a phase.
func wave(n int, amplitude, ky, kx, phase float64) []float32 {
	return fill(n, func(y, x float64) float64 {
		return amplitude * math.Sin(2*math.Pi*(ky*y+kx*x)/float64(n)+phase)
	})
}

// plus returns a sum of fields.
func plus(fields ...[]float32) []float32 {
	out := make([]float32, len(fields[0]))
	for _, f := range fields {
		for i, v := range f {
			out[i] += v
		}
	}
	return out
}

func times(f []float32, by float32) []float32 {
	out := make([]float32, len(f))
	for i, v := range f {
		out[i] = by * v
	}
	return out
}

// noise returns standard normal numbers.
func noise(n int, seed uint64) []float32 {
	out := make([]float32, n*n)
	for i := range out {
		out[i] = float32(golden.N(seed, uint64(i)))
	}
	return out
}

// bilinear returns the baselines of a frame, which are one.
func bilinear(values []float32) []evaluate.Fields {
	return []evaluate.Fields{{Source: evaluate.Bilinear, Values: values}}
}

// stack joins fields to planes (C,H,W).
func stack(fields ...[]float32) (out []float32) {
	for _, f := range fields {
		out = append(out, f...)
	}
	return out
}

// pair is a frame's true and made planes (C,H,W).
type pair struct{ truth, made []float32 }

// measured returns the summary of frames with one sample each, on a grid n x n pooled by 2.
func measured(t *testing.T, n int, fields []string, pairs ...pair) []SummaryRow {
	t.Helper()
	r := New(NewLayout(field.Grid{H: n, W: n}, 2, 1), Suite, fields, nil)
	for i, p := range pairs {
		add(t, r, Frame{Frame: i, Truth: p.truth, Baselines: bilinear(p.truth), Members: [][]float32{p.made}})
	}
	return r.Summary(0, 1)
}

func add(t *testing.T, r *Results, f Frame) {
	t.Helper()
	if err := r.Add(f); err != nil {
		t.Fatal(err)
	}
}

// want checks a value of a summary.
func want(t *testing.T, rows []SummaryRow, fields, metric string, src Source, band string, x, value, within float64) {
	t.Helper()
	r, ok := Find(rows, fields, metric, src, band, x)
	if !ok {
		t.Errorf("no %s of %s, %s, %s %g", metric, fields, src, band, x)
	} else if math.Abs(r.Value-value) > within {
		t.Errorf("%s of %s, %s, %s %g: %.6g, want %.6g", metric, fields, src, band, x, r.Value, value)
	}
}

// absent checks that a summary has no such value.
func absent(t *testing.T, rows []SummaryRow, fields, metric string, src Source) {
	t.Helper()
	for _, r := range rows {
		if r.Fields == fields && r.Metric == metric && r.Source == src {
			t.Errorf("%s of %s, %s: %g, want none", metric, fields, src, r.Value)
		}
	}
}

const sample = evaluate.Sample

// TestPointwise: a sine that is ahead by a phase and twice as large.
func TestPointwise(t *testing.T) {
	const n, phase = 32, 0.7
	truth, made := wave(n, 1, 0, 3, 0), wave(n, 2, 0, 3, phase)
	rows := measured(t, n, []string{"rho"}, pair{truth, made})
	mse := (1 + 4 - 4*math.Cos(phase)) / 2
	want(t, rows, "rho", "mse", sample, "", 0, mse, 1e-6)
	want(t, rows, "rho", "vrmse", sample, "", 0, math.Sqrt(mse/0.5), 1e-6)
	want(t, rows, "rho", "pearson", sample, "", 0, math.Cos(phase), 1e-6)
	want(t, rows, "rho", "kurtosis", Truth, "", 0, 1.5, 1e-6) // <sin^4> / <sin^2>^2
	want(t, rows, "rho", "kurtosis_of_truth", sample, "", 0, 1, 1e-6)
	absent(t, rows, "rho", "dissipation", sample)
	absent(t, rows, "rho", "mse", Truth)

	shifted := fill(n, func(_, _ float64) float64 { return 5 })
	rows = measured(t, n, []string{"jz"}, pair{plus(truth, shifted), plus(made, shifted)}, pair{plus(truth, shifted), plus(times(made, -1), shifted)})
	want(t, rows, "jz", "pearson", sample, "", 0, 0, 1e-6) // the means do not count, and one frame's is minus the other's
	want(t, rows, "jz", "kurtosis", sample, "", 0, 1.5, 1e-5)
	want(t, rows, "jz", "dissipation", Truth, "", 0, 25.5, 1e-4)
	want(t, rows, "jz", "dissipation_of_truth", sample, "", 0, 27/25.5, 1e-5)
	rows = measured(t, 64, []string{"rho"}, pair{noise(64, 1), noise(64, 2)})
	want(t, rows, "rho", "kurtosis", sample, "", 0, 3, 4*math.Sqrt(24.0/(64*64)))
}

// TestTrainingVariance: VRMSE's eps is 1e-7 of the training variance, which alone counts in
// a frame that is constant.
func TestTrainingVariance(t *testing.T) {
	const n = 8
	r := New(NewLayout(field.Grid{H: n, W: n}, 2, 1), Suite, []string{"rho"}, []float64{4})
	zero := make([]float32, n*n)
	add(t, r, Frame{Truth: zero, Baselines: bilinear(zero), Members: [][]float32{fill(n, func(_, _ float64) float64 { return 3e-4 })}})
	want(t, r.Summary(0, 1), "rho", "vrmse", sample, "", 0, 3e-4/math.Sqrt(4e-7), 1e-6)
}

// TestBands: a wave in each band, of other power and phase than the truth's.
func TestBands(t *testing.T) {
	const n = 32 // bands [1,4), [4,8), [8,16), [16,...
	type mode struct{ ky, kx, gain, phase float64 }
	modes := map[string]mode{Low: {2, 1, 1.5, 0.3}, Mid: {0, 5, 0.5, 1}, Lost: {8, 9, 0.25, 2}, Corners: {14, 13, 3, 0}}
	var truth, made, other [][]float32
	for _, m := range modes {
		truth = append(truth, wave(n, 1, m.ky, m.kx, 0.2))
		made = append(made, wave(n, m.gain, m.ky, m.kx, 0.2+m.phase))
		other = append(other, wave(n, m.gain, m.ky, m.kx, 0.2-m.phase))
	}
	mean := fill(n, func(_, _ float64) float64 { return 100 }) // is in no band
	p := pair{plus(append(truth, mean)...), plus(append(made, mean)...)}
	rows := measured(t, n, []string{"rho"}, p, pair{p.truth, plus(other...)})
	for band, m := range modes {
		want(t, rows, "rho", "power_ratio", sample, band, 0, m.gain*m.gain, 1e-3)
		want(t, rows, "rho", "power_log_ratio", sample, band, 0, 2*math.Log(m.gain), 1e-3)
		want(t, rows, "rho", "coherence", sample, band, 0, math.Cos(m.phase), 1e-4)
		want(t, rows, "rho", "residual_nmse", sample, band, 0, 1+m.gain*m.gain-2*m.gain*math.Cos(m.phase), 1e-3)
	}
	want(t, rows, "rho", "spectrum", Truth, "", 5, 0.5, 1e-4)
	want(t, rows, "rho", "power_ratio_k", sample, "", 5, 0.25, 1e-4)
	want(t, rows, "rho", "coherence_k", sample, "", 5, math.Cos(1), 1e-4)
	absent(t, rows, "rho", "coherence", Truth)

	rows = measured(t, n, []string{"rho"}, pair{wave(n, 1, 0, 3, 0), wave(n, 1, 0, 3, 1)})
	for _, r := range rows {
		if r.Metric == "coherence" && r.Band != Low {
			t.Errorf("coherence %g in the band %s, where the truth has no power", r.Value, r.Band)
		}
	}
}

// TestNoiseBands: independent noise of the truth's power has NMSE 2 and no coherence.
func TestNoiseBands(t *testing.T) {
	const n = 64
	rows := measured(t, n, []string{"rho"}, pair{noise(n, 1), noise(n, 2)}, pair{noise(n, 3), noise(n, 4)})
	for band, modes := range map[string]float64{Low: 200, Mid: 600, Lost: 2400, Corners: 800} { // of the plane, about
		within := 4 / math.Sqrt(modes) // half of them are independent, of two frames
		want(t, rows, "rho", "power_ratio", sample, band, 0, 1, 2*within)
		want(t, rows, "rho", "residual_nmse", sample, band, 0, 2, 3*within)
		want(t, rows, "rho", "coherence", sample, band, 0, 0, within)
	}
}

// TestBinnedSpectralMSE: The Well's bins of N = 32 end at 2.52, 6.35 and 16.
func TestBinnedSpectralMSE(t *testing.T) {
	const n = 32
	zero := make([]float32, n*n)
	made := plus(fill(n, func(_, _ float64) float64 { return 0.5 }), wave(n, 1, 2, 1, 0), wave(n, 2, 2, 2, 0), wave(n, 3, 6, 3, 0), wave(n, 5, 0, 15, 0), wave(n, 7, 14, 13, 0))
	rows := measured(t, n, []string{"rho"}, pair{zero, made})
	want(t, rows, "rho", "binned_spectral_mse", sample, "well_low", 0, 0.25+0.5, 1e-5)
	want(t, rows, "rho", "binned_spectral_mse", sample, "well_mid", 0, 2, 1e-5)
	want(t, rows, "rho", "binned_spectral_mse", sample, "well_high", 0, 4.5+12.5, 1e-4) // not the corners
}

// cosines is <|cos|^p>.
var cosines = map[int]float64{1: 2 / math.Pi, 2: 1. / 2, 3: 4 / (3 * math.Pi), 4: 3. / 8, 5: 16 / (15 * math.Pi), 6: 5. / 16}

// TestStructure: increments of a sine, of which a component has them along its axis only.
func TestStructure(t *testing.T) {
	const n, k, a = 64, 3, 1.5
	f := wave(n, a, 0, k, 0.3)
	rows := measured(t, n, []string{"rho", "velx", "vely"}, pair{stack(f, f, f), stack(times(f, 2), times(f, 2), times(f, 2))})
	for _, lag := range []int{1, 2, 4, 8, 16} {
		height := 2 * a * math.Abs(math.Sin(math.Pi*k*float64(lag)/n))
		for p, moment := range cosines {
			value := math.Pow(height, float64(p)) * moment
			for _, c := range []struct {
				fields, metric string
				want           float64
			}{
				{"velx", "structure_longitudinal", value}, {"velx", "structure_transverse", 0},
				{"vely", "structure_transverse", value}, {"vely", "structure_longitudinal", 0}, {"rho", "structure", value / 2},
			} {
				x, y := Curve(rows, c.fields, c.metric, Truth, "", lag)
				if c.want == 0 {
					if x != nil {
						t.Errorf("%s of %s at lag %d: %g where the truth has no increments", c.metric, c.fields, lag, y)
					}
				} else if len(y) != orders || math.Abs(y[p-1]/c.want-1) > 1e-3 {
					t.Errorf("%s %d of %s at lag %d: %g, want %g", c.metric, p, c.fields, lag, y, c.want)
				}
			}
			_, ratio := Curve(rows, "rho", "structure_of_truth", sample, "", lag)
			if math.Abs(ratio[p-1]/math.Pow(2, float64(p))-1) > 1e-4 {
				t.Errorf("structure_of_truth %d at lag %d: %g", p, lag, ratio)
			}
		}
	}
	absent(t, rows, "velx", "structure", Truth)
	absent(t, rows, "rho", "structure_longitudinal", Truth)
}

// TestSkewness: a ramp rises by 1 from cell to cell and falls by n-1 at once. Upside down
// its skewness has the other sign.
func TestSkewness(t *testing.T) {
	const n = 16
	ramp := fill(n, func(y, _ float64) float64 { return y })
	rows := measured(t, n, []string{"By"}, pair{ramp, ramp}, pair{ramp, ramp}, pair{ramp, times(ramp, -1)})
	m := float64(n - 1)
	value := (m - m*m*m) / n / math.Pow((m+m*m)/n, 1.5)
	want(t, rows, "By", "skewness_longitudinal", Truth, "", 0, value, 1e-6)
	want(t, rows, "By", "skewness_longitudinal", sample, "", 0, value/3, 1e-6)
	want(t, rows, "By", "skewness_sign", sample, "", 0, 2./3, 1e-9)
}

// TestDensity: increments of white noise are Gaussian; made twice as large they have half
// the density in the middle.
func TestDensity(t *testing.T) {
	const n = 128
	var pairs []pair
	for i := range uint64(8) {
		truth := noise(n, 10+i)
		pairs = append(pairs, pair{truth, times(truth, 2)})
	}
	rows := measured(t, n, []string{"rho"}, pairs...)
	for src, sigma := range map[Source]float64{Truth: 1, sample: 2} {
		x, y := Curve(rows, "rho", "increment_pdf", src, "", 2)
		sum := 0.0
		for i := range x {
			sum += y[i] * binWidth
			edge := func(side float64) float64 { return math.Erf((x[i] + side*binWidth/2) / sigma / math.Sqrt2) }
			normal := (edge(1) - edge(-1)) / 2 / binWidth
			count := normal * binWidth * 8 * 2 * n * n
			if count > 100 && math.Abs(y[i]/normal-1) > 6/math.Sqrt(count) {
				t.Errorf("%s: density %g at %g, want %g", src, y[i], x[i], normal)
			}
		}
		if math.Abs(sum-1) > 1e-3 {
			t.Errorf("%s: the density sums to %g", src, sum)
		}
	}
	// ln(p/p_truth) of a Gaussian twice as wide
	sum, bins := 0.0, 0.0
	x, y := Curve(rows, "rho", "increment_pdf", Truth, "", 1)
	for i := range x {
		if y[i]*binWidth >= 1e-4 {
			sum += math.Pow(-math.Log(2)+x[i]*x[i]/2*(1-1./4), 2)
			bins++
		}
	}
	want(t, rows, "rho", "increment_pdf_error", sample, "", 0, math.Sqrt(sum/bins), 0.05)
	absent(t, rows, "rho", "increment_pdf_error", Truth)
}

// TestEnergies: energies, helicity and stresses of waves, with density 4.
func TestEnergies(t *testing.T) {
	const n = 16
	four := fill(n, func(_, _ float64) float64 { return 4 })
	a, b, c := wave(n, 1, 0, 2, 0), wave(n, 2, 0, 2, 0.5), wave(n, 3, 1, 0, 0)
	fields := []string{"density", "velx", "vely", "velz", "Bx", "By", "Bz"}
	truth := stack(four, a, b, c, a, b, c)
	made := stack(four, a, b, c, times(a, -1), times(b, -1), times(c, -1))
	rows := measured(t, n, fields, pair{truth, made})
	want(t, rows, "Bx+By+Bz", "magnetic_energy", Truth, "", 0, (1+4+9)/4., 1e-5)
	want(t, rows, "Bx+By+Bz", "magnetic_energy_of_truth", sample, "", 0, 1, 1e-6)
	want(t, rows, "Bx+By+Bz", "magnetic_spectrum", Truth, "", 2, (1+4)/4., 1e-5)
	want(t, rows, "Bx+By+Bz", "magnetic_spectrum", Truth, "", 1, 9/4., 1e-5)
	want(t, rows, "density+velx+vely+velz", "kinetic_energy", Truth, "", 0, 14, 1e-4)
	want(t, rows, "density+velx+vely+velz", "kinetic_spectrum", Truth, "", 1, 9, 1e-4)
	want(t, rows, "velx+vely+Bx+By+velz+Bz", "cross_helicity", Truth, "", 0, 1, 1e-6)
	want(t, rows, "velx+vely+Bx+By+velz+Bz", "cross_helicity", sample, "", 0, -1, 1e-6)
	want(t, rows, "Bx+By", "maxwell_stress", Truth, "", 0, math.Cos(0.5), 1e-5) // 1 * 2 / 2 cos
	want(t, rows, "Bx+Bz", "maxwell_stress", Truth, "", 0, 0, 1e-6)
	want(t, rows, "density+velx+vely", "reynolds_stress", Truth, "", 0, 4*math.Cos(0.5), 1e-5)
	want(t, rows, "density+velx+vely", "reynolds_stress_of_truth", sample, "", 0, 1, 1e-6)

	rows = measured(t, n, []string{"By", "Bx", "velx"}, pair{stack(b, a, a), stack(times(b, 3), a, a)})
	want(t, rows, "Bx+By", "magnetic_energy", Truth, "", 0, 5/4., 1e-5) // by name, in any order
	want(t, rows, "Bx+By", "maxwell_stress_of_truth", sample, "", 0, 3, 1e-5)
	absent(t, rows, "velx+vely+Bx+By", "cross_helicity", Truth)
	absent(t, rows, "density+velx+vely", "kinetic_energy", Truth)
}

// TestDivergence: the three forms of a plane wave, and a field without corner divergence.
func TestDivergence(t *testing.T) {
	const n, k = 32, 3
	theta := 2 * math.Pi * k / float64(n)
	rows := measured(t, n, []string{"Bx", "By"}, pair{stack(wave(n, 2, 0, k, 0), wave(n, 5, 0, k, 1)), stack(wave(n, 2, k, 0, 0), wave(n, 5, k, 0, 1))})
	for src, ratio := range map[Source]float64{Truth: 2. / 5, sample: 5. / 2} { // along x, and along y
		want(t, rows, "Bx+By", "divb_spectral", src, "", 0, ratio, 1e-5)
		want(t, rows, "Bx+By", "divb_central", src, "", 0, ratio, 1e-5)
		want(t, rows, "Bx+By", "divb_corner", src, "", 0, ratio/math.Cos(theta/2), 1e-5)
	}
	want(t, rows, "Bx+By", "curl_dissipation", Truth, "", 0, 25./2*math.Pow(math.Sin(theta), 2), 1e-5)
	want(t, rows, "Bx+By", "curl_dissipation_of_truth", sample, "", 0, 4./25, 1e-5)

	// an oblique wave: ky, kx of 2, 3
	ty, tx := 2*math.Pi*2/float64(n), 2*math.Pi*3/float64(n)
	rows = measured(t, n, []string{"Bx", "By"}, pair{stack(wave(n, 2, 2, 3, 0), wave(n, 5, 2, 3, 0)), stack(wave(n, 2, 2, 3, 0), wave(n, -5, 2, 3, 0))})
	for src, by := range map[Source]float64{Truth: 5, sample: -5} {
		curl := math.Abs(by*math.Sin(tx) - 2*math.Sin(ty))
		want(t, rows, "Bx+By", "divb_spectral", src, "", 0, math.Abs(2*3+by*2)/math.Abs(by*3-2*2), 1e-5)
		want(t, rows, "Bx+By", "divb_central", src, "", 0, math.Abs(2*math.Sin(tx)+by*math.Sin(ty))/curl, 1e-5)
		corner := 2 * (2*math.Sin(tx/2)*math.Cos(ty/2) + by*math.Sin(ty/2)*math.Cos(tx/2))
		want(t, rows, "Bx+By", "divb_corner", src, "", 0, math.Abs(corner)/curl, 1e-5)
	}

	phi, at := noise(n, 3), func(y, x int) int { return (y+n)%n*n + (x+n)%n }
	bx, by := make([]float32, n*n), make([]float32, n*n)
	for y := range n {
		for x := range n {
			i := at(y, x) // phi is at the corner right of and below the cell
			bx[i] = (phi[i] + phi[at(y, x-1)] - phi[at(y-1, x)] - phi[at(y-1, x-1)]) / 2
			by[i] = -(phi[i] + phi[at(y-1, x)] - phi[at(y, x-1)] - phi[at(y-1, x-1)]) / 2
		}
	}
	rows = measured(t, n, []string{"Bx", "By"}, pair{stack(bx, by), stack(bx, by)})
	want(t, rows, "Bx+By", "divb_corner", sample, "", 0, 0, 1e-6)
}

// TestBox: derivatives are per unit of length: of a domain twice as high, the wave along y
// has half the slope, and its cells are twice as high.
func TestBox(t *testing.T) {
	const n, k = 16, 2
	l := NewLayout(field.Grid{H: n, W: n, Box: [2]float64{2, 1}}, 2, 1)
	r := New(l, Suite, []string{"Bx", "By"}, nil)
	truth := stack(wave(n, 1, 0, k, 0), wave(n, 1, k, 0, 0)) // no curl, but from here
	truth = stack(plus(truth[:n*n], wave(n, 1, k, 0, 0)), truth[n*n:])
	add(t, r, Frame{Truth: truth, Baselines: bilinear(truth), Members: [][]float32{truth}})
	rows := r.Summary(0, 1)
	want(t, rows, "Bx+By", "divb_spectral", Truth, "", 0, math.Sqrt(4+1), 1e-5)
	want(t, rows, "Bx+By", "divb_central", Truth, "", 0, math.Sqrt(4+1), 1e-5)
	want(t, rows, "Bx+By", "curl_dissipation", Truth, "", 0, math.Pow(math.Sin(2*math.Pi*k/n)*n/2, 2)/2, 1e-3)
}

// TestCurrent: jz is the truth's multiple of the curl; a sample's is three times as much.
func TestCurrent(t *testing.T) {
	const n, k = 32, 3
	theta := 2 * math.Pi * k / float64(n)
	bx, by := wave(n, 1, k, 0, 0), wave(n, 1, 0, k, 0)
	curl := fill(n, func(y, x float64) float64 { return math.Sin(theta) * (math.Cos(theta*x) - math.Cos(theta*y)) })
	rows := measured(t, n, []string{"jz", "Bx", "By"}, pair{stack(times(curl, 7), bx, by), stack(times(curl, 21), bx, by)})
	want(t, rows, "Bx+By+jz", "jz_residual", Truth, "", 0, 0, 1e-6)
	want(t, rows, "Bx+By+jz", "jz_residual", sample, "", 0, 2, 1e-5)
	rows = measured(t, n, []string{"jz", "Bx", "By"}, pair{stack(times(curl, 7), bx, by), stack(times(curl, 7), times(bx, -1), times(by, -1))})
	want(t, rows, "Bx+By+jz", "jz_residual", sample, "", 0, 2, 1e-5)
}

// TestPooling: a shift of the field is a shift of its averages.
func TestPooling(t *testing.T) {
	const n = 16
	truth := plus(wave(n, 1, 0, 2, 0), fill(n, func(_, _ float64) float64 { return 9 }))
	coarse := make([]float32, n*n/4)
	r := New(NewLayout(field.Grid{H: n, W: n}, 2, 1), Suite, []string{"rho"}, nil)
	field.Pool(coarse, truth, r.Grid, 2)
	add(t, r, Frame{Truth: truth, Baselines: bilinear(truth), Coarse: coarse, Members: [][]float32{plus(truth, fill(n, func(_, _ float64) float64 { return 0.5 }))}})
	deviation := math.Cos(math.Pi*2/n) / math.Sqrt2 // averaging two cells of the wave
	want(t, r.Summary(0, 1), "rho", "pooling_residual", sample, "", 0, 0.5/deviation, 1e-5)
	want(t, r.Summary(0, 1), "rho", "pooling_residual", Truth, "", 0, 0, 1e-6)
}

// TestNothing: of a constant field, and of zeros, what does not exist is absent, and nothing is
// NaN.
func TestNothing(t *testing.T) {
	const n = 8
	fields := []string{"density", "velx", "vely", "velz", "Bx", "By", "Bz", "jz"}
	for _, v := range []float64{0, 1.1} {
		constant := fill(n, func(_, _ float64) float64 { return v })
		var all []float32
		for range fields {
			all = append(all, constant...)
		}
		r := New(NewLayout(field.Grid{H: n, W: n}, 2, 2), Suite, fields, nil)
		add(t, r, Frame{Truth: all, Baselines: bilinear(all), Members: [][]float32{all, all}})
		rows := r.Summary(0, 1)
		for _, row := range rows {
			if math.IsNaN(row.Value) || math.IsInf(row.Value, 0) {
				t.Errorf("%s of %s is %g", row.Metric, row.Fields, row.Value)
			}
		}
		for _, metric := range []string{"coherence", "power_ratio", "pearson", "kurtosis", "vrmse", "spread_skill", "increment_pdf", "divb_corner", "jz_residual"} {
			for _, f := range []string{"density", "Bx+By", "Bx+By+jz"} {
				absent(t, rows, f, metric, sample)
				absent(t, rows, f, metric, Ensemble)
			}
		}
		want(t, rows, "density", "mse", sample, "", 0, 0, 1e-12)
	}
}

// TestOpen: at open edges there are no increments and no differences.
func TestOpen(t *testing.T) {
	const n = 16
	l := NewLayout(field.Grid{H: n, W: n, Boundary: [2]field.Boundary{field.Open, field.Open}}, 2, 1)
	r := New(l, Suite, []string{"Bx", "By"}, nil)
	ramp := stack(fill(n, func(y, x float64) float64 { return 2*x + y }), fill(n, func(y, x float64) float64 { return 3*x - y }))
	add(t, r, Frame{Truth: ramp, Baselines: bilinear(ramp), Members: [][]float32{ramp}})
	rows := r.Summary(0, 1)
	want(t, rows, "Bx+By", "divb_corner", Truth, "", 0, 0.5, 1e-5) // 2 - 1 over 3 - 1
	want(t, rows, "Bx+By", "divb_central", Truth, "", 0, 0.5, 1e-5)
	want(t, rows, "Bx", "structure_longitudinal", Truth, "", 3, 8, 1e-5)
	want(t, rows, "By", "structure_longitudinal", Truth, "", 3, 1, 1e-5)
}
