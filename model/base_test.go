package model

import (
	"context"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/testkit/golden"
	"fmsr.example/fmsr/internal/torchx"
)

// coloured is a base of two fields whose spectra differ along y and x.
var coloured = &MeasuredBase{Colours: []field.Colour{
	{Rows: 3, Cols: 4, Power: []float64{0, 1, 2, 3, 4, 0.25, 6, 7, 8, 9, 10, 11}},
	{Rows: 3, Cols: 4, Power: []float64{5, 4, 3, 2, 1, 0.5, 0.25, 0, 1, 2, 3, 4}},
}}

func gridBase(t *testing.T, f Flow, grid field.Grid) *GridBase {
	t.Helper()
	b, err := NewGridBase(f, Input{Factor: 2}, grid, &field.Stats{Mean: []float64{0, 0}, Std: []float64{1, 1}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestNoiseHasItsColour: the noise is a linear map of white noise, and what becomes of a peak
// in one cell tells all of it: the amplitude sqrt(Power) at every wave, with the phase of the
// cell. So the covariance of the noise is that of the stored spectrum.
func TestNoiseHasItsColour(t *testing.T) {
	for _, grid := range []field.Grid{{H: 8, W: 12}, {H: 9, W: 7}, {H: 6, W: 8}} {
		b := gridBase(t, Flow{Base: LostBand, NoiseScale: 1, Measured: coloured}, grid)
		for _, at := range [][2]int{{0, 0}, {3, 5}} {
			white := make([]float32, 2*grid.Cells())
			for c := range 2 {
				white[c*grid.Cells()+at[0]*grid.W+at[1]] = 1
			}
			var noise []float32
			onThread(t, func(s *torchx.Scope) error {
				noise = s.Floats(b.Noise(s, Config{}, s.FromFloats(white, 1, 2, int64(grid.H), int64(grid.W))))
				return s.Err()
			})
			for c, colour := range coloured.Colours {
				for i, f := range field.NewFourier(grid).Forward(noise[c*grid.Cells():][:grid.Cells()]) {
					ky, kx := i/(grid.W/2+1), i%(grid.W/2+1)
					phase := -2 * math.Pi * (float64(ky*at[0])/float64(grid.H) + float64(kx*at[1])/float64(grid.W))
					want := math.Sqrt(colour.At(grid, ky, kx)) / float64(grid.Cells())
					golden.Near(t, "real part", real(f), want*math.Cos(phase), 1e-6)
					golden.Near(t, "imaginary part", imag(f), want*math.Sin(phase), 1e-6)
				}
			}
		}
	}
}

// TestLostBandCompletesThePower: fields that have in the lost band what x_lo has not, of one
// power in each bin. x_lo and the base's noise have, shell by shell, the power of x_hi.
func TestLostBandCompletesThePower(t *testing.T) {
	grid := field.Grid{H: 32, W: 32}
	const half, draws = 17, 64
	f, meter := field.NewFourier(grid), NewBaseMeter(Flow{Base: LostBand}, 1, Input{Factor: 2}, grid, nil)
	shells := field.NewShells(grid)
	spectrum := func(plane []float32) []float64 {
		var power []float32
		for _, z := range f.Forward(plane) {
			power = append(power, float32(real(z)*real(z)+imag(z)*imag(z)))
		}
		return shells.Sum(power)
	}
	low, lost := make([]complex128, grid.H*half), make([]complex128, grid.H*half)
	for i := range low {
		ky, kx := i/half, i%half
		m := min(ky, grid.H-ky)
		phase := golden.N(4, uint64(i))
		if kx == 0 || 2*kx == grid.W {
			phase = 0 // real, and alike at ky and -ky
		}
		at, size := &low[i], 1.0
		if m >= 8 || kx >= 8 {
			at, size = &lost[i], 0.1+0.01*float64(m)+0.02*float64(kx)
			if kx == 16 {
				size -= 0.02 // the last bin has the largest wavenumber too
			}
			if m == 16 {
				size -= 0.01
			}
		}
		*at = complex(size*math.Cos(phase), size*math.Sin(phase))
	}
	lo, rest := make([]float32, grid.Cells()), make([]float32, grid.Cells())
	f.Inverse(lo, low)
	f.Inverse(rest, lost)
	hi := make([]float32, len(lo))
	for i := range hi {
		hi[i] = lo[i] + rest[i]
	}
	meter.Add(hi, lo)
	base := meter.Base(nil)
	want, made, noise := spectrum(hi), spectrum(lo), make([]float64, shells.Len())
	for i, k := range shells.Index {
		noise[k] += shells.Weight(i) * base.Colours[0].At(grid, i/half, i%half) / float64(grid.Cells())
	}
	for k := range want {
		golden.Near(t, "expected power of x_lo + noise", made[k]+noise[k], want[k], 1e-5*want[k])
	}
	drawn := make([]float64, shells.Len())
	onThread(t, func(s *torchx.Scope) error {
		b, err := NewGridBase(Flow{Base: LostBand, NoiseScale: 1, Measured: base}, Input{Factor: 2}, grid, nil)
		if err != nil {
			return err
		}
		values := s.Floats(b.Noise(s, Config{}, s.Randn(1, draws, 1, 32, 32)))
		for i := range draws {
			for k, p := range spectrum(part(values, i, draws)) {
				drawn[k] += p / draws
			}
		}
		return s.Err()
	})
	for k := range drawn {
		golden.Near(t, "power of drawn noise", drawn[k], noise[k], 5*noise[k]/math.Sqrt(draws*float64(shells.Count[k])/2)+1e-9)
	}
}

// TestColouredSDE: where the truth's covariance given x_lo is a multiple of the base's, the
// exact velocity is that of a white base, wave by wave, about any mean. So samples of the coloured base, by
// the ODE and by the SDE, are those of the white one, shaped as the noise is.
func TestColouredSDE(t *testing.T) {
	const h, w = 6, 8
	one := &gaussianCase{S0: 0.7, S1: 0.2}
	b := gridBase(t, Flow{Base: LostBand, NoiseScale: 0.7, Measured: coloured}, field.Grid{H: h, W: w})
	onThread(t, func(s *torchx.Scope) error {
		mean := s.Randn(5, 1, 2, h, w)
		for _, delta := range []float64{0, 0.8} {
			p := Sampler{Steps: 7, TMin: 1e-3, TMax: 1 - 1e-3, Delta: delta, Schedule: Matched}
			white, shaped := p, p
			white.Flow = Flow{Base: XLoPlusNoise, NoiseScale: 0.7}
			shaped.Flow = Flow{Base: LostBand, NoiseScale: 0.7, Measured: coloured}
			zero := s.Affine(mean, 0, 0)
			draw := func(p Sampler, mean torchx.Tensor, shape *GridBase) torchx.Tensor {
				p.Mean = mean
				noise := func(s *torchx.Scope, k int) torchx.Tensor {
					return shape.Noise(s, Config{}, s.Randn(uint64(k)+10, 1, 2, h, w))
				}
				v := func(s *torchx.Scope, x torchx.Tensor, t ...float64) torchx.Tensor {
					return one.field(s, s.AddScaled(x, mean, -1), t...)
				}
				return p.Sample(context.Background(), s, v, p.SampleBase(s, mean, noise(s, -1)), s.Affine(mean, 0, 9), noise)
			}
			got := s.AddScaled(draw(shaped, mean, b), mean, -1)
			want := b.Noise(s, Config{}, draw(white, zero, nil))
			golden.Near(t, "coloured less shaped white samples", math.Sqrt(s.Item(s.MSE(got, want))), 0, 1e-5)
			if size := math.Sqrt(s.Item(s.MSE(want, zero))); size < 0.1 {
				t.Errorf("samples of deviation %g", size)
			}
		}
		return s.Err()
	})
}

// linearFilters returns filters of two fields with random weights.
func linearFilters(t *testing.T, factor int) []*field.Linear {
	t.Helper()
	var out []*field.Linear
	for c := range uint64(2) {
		weights := make([]float64, factor*factor*field.LinearFeatures)
		for i := range weights {
			weights[i] = golden.N(c+7, uint64(i))
		}
		f, err := field.LinearOf(factor, weights)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, f)
	}
	return out
}

// TestLearnedMean: the mean of x0 is field.Linear.Apply of the planes that x_lo was
// interpolated from, whatever the boundaries, and for logarithms.
func TestLearnedMean(t *testing.T) {
	const n = 2
	for _, c := range []struct {
		grid   field.Grid
		factor int
		log    []bool
	}{
		{field.Grid{H: 16, W: 12}, 2, nil}, {field.Grid{H: 9, W: 15}, 3, nil}, {field.Grid{H: 4, W: 6}, 2, []bool{false, true}},
		{field.Grid{H: 16, W: 12, Boundary: [2]field.Boundary{field.Open, field.Periodic}}, 2, nil},
	} {
		in := Input{Factor: c.factor, Periodic: c.grid.Wraps()}
		small, stats := c.grid.Coarser(c.factor), &field.Stats{Mean: []float64{1, 2}, Std: []float64{3, 4}, Log: c.log}
		filters := linearFilters(t, c.factor)
		coarse, xLo := normal(3, n*2*small.Cells()), make([]float32, n*2*c.grid.Cells())
		want := make([]float32, len(xLo))
		up := field.NewUpsampler(small, c.factor, in.Periodic)
		for i := range n * 2 {
			plane, fine := part(coarse, i, n*2), part(xLo, i, n*2)
			filters[i%2].Apply(part(want, i, n*2), plane, c.grid)
			physical := slices.Clone(plane)
			stats.Physical(physical, plane, i%2)
			up.Plane(fine, physical)
			stats.Normalize(fine, fine, i%2)
		}
		b, err := NewGridBase(Flow{Base: Learned, Measured: &MeasuredBase{Colours: coloured.Colours, Filters: filters}}, in, c.grid, stats)
		if err != nil {
			t.Fatal(err)
		}
		onThread(t, func(s *torchx.Scope) error {
			got := s.Floats(b.Mean(s, Config{}, s.To(s.FromFloats(xLo, n, 2, int64(c.grid.H), int64(c.grid.W)), torchx.Float32, torchx.CPU, torchx.NHWC)))
			if s.Err() != nil {
				return s.Err()
			}
			for i, v := range got {
				golden.Near(t, "mean", float64(v), float64(want[i]), 1e-3) // of values of size 9
			}
			return nil
		})
	}
}

// TestLearnedNoise: the colour is that of what the filter misses.
func TestLearnedNoise(t *testing.T) {
	grid, in, stats := field.Grid{H: 16, W: 12}, Input{Factor: 2, Periodic: true}, &field.Stats{Mean: []float64{0, 0}, Std: []float64{1, 1}}
	filters := linearFilters(t, 2)
	meter := NewBaseMeter(Flow{Base: Learned}, 2, in, grid, stats)
	want := []*field.ColourMeter{field.NewColourMeter(grid), field.NewColourMeter(grid)}
	up := field.NewUpsampler(grid.Coarser(2), 2, true)
	for frame := range uint64(3) {
		coarse, rest := normal(frame, 2*grid.Coarser(2).Cells()), normal(frame+10, 2*grid.Cells())
		hi, lo := make([]float32, len(rest)), make([]float32, len(rest))
		for c := range 2 {
			up.Plane(part(lo, c, 2), part(coarse, c, 2))
			filters[c].Apply(part(hi, c, 2), part(coarse, c, 2), grid)
			want[c].Add(part(rest, c, 2))
		}
		for i, v := range rest {
			hi[i] += v
		}
		meter.Add(hi, lo)
	}
	base := meter.Base(filters)
	if err := base.Check(Learned, 2); err != nil {
		t.Fatal(err)
	}
	for c := range 2 {
		for i, p := range want[c].Colour().Power {
			golden.Near(t, "power", base.Colours[c].Power[i], p, 1e-4)
		}
	}
}

// TestBaseWidth: the steps of multistep depend on the deviation of x0 in normalized units.
func TestBaseWidth(t *testing.T) {
	flow := Flow{Base: LostBand, NoiseScale: 0.5, Measured: coloured}
	golden.Near(t, "sigma", flow.Sigma(), 0.5, 0)
	golden.Near(t, "width", flow.width(), 0.5*math.Sqrt((61.25/12+25.75/12)/2), 1e-12)
	golden.Near(t, "width of white noise", Flow{Base: XLoPlusNoise, NoiseScale: 0.3}.width(), 0.3, 0)
}

// TestCheckpointHasBase: the spectra come back bit for bit, and a file that lacks them, or
// has nonsense, is refused.
func TestCheckpointHasBase(t *testing.T) {
	ctx := context.Background()
	thread, err := torchx.StartThread(1)
	if err != nil {
		t.Fatal(err)
	}
	flow := Flow{Base: LostBand, NoiseScale: 1, Measured: coloured}
	trainer, err := NewTrainer(ctx, thread, Config{Fields: 2, Channels: 4, Mult: []int{1, 1}}, Hyper{Flow: flow})
	if err != nil {
		t.Fatal(err)
	}
	defer trainer.Close()
	open := func(filters ...*field.Linear) (*Loaded, error) {
		path := filepath.Join(t.TempDir(), "checkpoint.pt")
		c := Checkpoint{Channels: []string{"a", "b"}, Stats: &field.Stats{Mean: []float64{0, 1}, Std: []float64{1, 4}}, Input: Input{Factor: 2}, Filters: filters}
		if err := save(ctx, trainer, path, c); err != nil {
			t.Fatal(err)
		}
		return OpenCheckpoint(path)
	}
	l, err := open()
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if !reflect.DeepEqual(l.Flow, flow) {
		t.Errorf("flow %+v, want %+v", l.Flow, flow)
	}
	for name, c := range map[string]struct {
		base *MeasuredBase
		want string
	}{
		"without":   {nil, "base.power is missing or not of 2 fields: base_dist x_lo_plus_lost_band"},
		"one field": {&MeasuredBase{Colours: coloured.Colours[:1]}, "base.power is missing or not of 2 fields"},
		"negative":  {&MeasuredBase{Colours: []field.Colour{{Rows: 1, Cols: 1, Power: []float64{1}}, {Rows: 1, Cols: 1, Power: []float64{-1}}}}, "base: field 1 has a spectrum with the power -1"},
	} {
		trainer.Measured = c.base
		if _, err := open(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
	filters := linearFilters(t, 2)
	trainer.Base, trainer.Measured = Learned, &MeasuredBase{Colours: coloured.Colours, Filters: filters}
	learned, err := open(filters...)
	if err != nil {
		t.Fatal(err)
	}
	defer learned.Close()
	if !reflect.DeepEqual(learned.Flow, trainer.Flow) {
		t.Errorf("flow %+v, want %+v", learned.Flow, trainer.Flow)
	}
	if _, err := open(); err == nil || !strings.Contains(err.Error(), "base: want the filters of 2 fields") {
		t.Errorf("without filters: error %v", err)
	}
	trainer.Objective, trainer.Measured = Regression, nil
	regression, err := open()
	if err != nil {
		t.Fatal(err) // it has no noise
	}
	defer regression.Close()
}
