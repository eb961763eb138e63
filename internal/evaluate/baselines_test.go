package evaluate

import (
	"math"
	"slices"
	"testing"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/testkit/golden"
)

// copyWithOffset is a filter whose fine cells are their coarse cell, plus offset.
func copyWithOffset(t *testing.T, offset float64) *field.Linear {
	t.Helper()
	weights := make([]float64, 4*field.LinearFeatures)
	for p := range 4 {
		weights[p*field.LinearFeatures+(field.LinearFeatures-1)/2] = 1
		weights[(p+1)*field.LinearFeatures-1] = offset
	}
	f, err := field.LinearOf(2, weights)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestBaselines: the filter acts on normalized fields, and its result is in physical units;
// projected, it and the bilinear input have the input's averages.
func TestBaselines(t *testing.T) {
	grid := field.Grid{H: 4, W: 8}
	const offset, small = 0.5, 8
	b := Baselines{
		Filters: []*field.Linear{copyWithOffset(t, offset), copyWithOffset(t, offset)},
		Stats:   &field.Stats{Mean: []float64{3, -1}, Std: []float64{2, 0.5}, Log: []bool{false, true}},
	}
	coarse, physical, lo := make([]float32, 2*small), make([]float32, 2*small), make([]float32, 2*32)
	for i := range coarse {
		coarse[i] = float32(golden.N(1, uint64(i)))
	}
	b.Stats.PhysicalPlanes(physical, coarse, small)
	up := field.NewUpsampler(grid.Coarser(2), 2, true)
	for c := range 2 {
		up.Plane(lo[c*32:][:32], physical[c*small:][:small])
	}
	given := slices.Clone(lo)
	made := func(want ...Source) map[Source][]float32 {
		t.Helper()
		all, err := b.Of(grid, 2, lo, coarse)
		if err != nil || len(all) != len(want) {
			t.Fatalf("%d baselines, %v: want %v", len(all), err, want)
		}
		of := map[Source][]float32{}
		for i, f := range all {
			if f.Source != want[i] {
				t.Errorf("baseline %d is %s, want %s", i, f.Source, want[i])
			}
			of[f.Source] = f.Values
		}
		return of
	}
	linear := made(Bilinear, Linear)[Linear]
	for i, v := range linear {
		k := i/32*small + i%32/16*4 + i%8/2
		want := (float64(coarse[k])+offset)*2 + 3
		if i >= 32 {
			want = math.Exp((float64(coarse[k])+offset)*0.5 - 1)
		}
		golden.Near(t, "linear filter", float64(v), want, 1e-6)
	}

	b.Constraints = field.Constraints{Coarse: true}
	all := made(Bilinear, Linear, BilinearProjected, LinearProjected)
	for _, src := range []Source{BilinearProjected, LinearProjected} {
		for c := range 2 {
			pooled := make([]float32, small)
			field.Pool(pooled, all[src][c*32:][:32], grid, 2)
			for i, v := range pooled {
				golden.Near(t, string(src)+", averages", float64(v), float64(physical[c*small+i]), 1e-5)
			}
		}
	}
	for i, v := range all[LinearProjected] { // without the offset: each fine cell is its coarse cell
		golden.Near(t, "linear filter, projected", float64(v), float64(physical[i/32*small+i%32/16*4+i%8/2]), 1e-5)
	}
	if !slices.Equal(all[Bilinear], given) {
		t.Error("projecting has changed the bilinear input")
	}
	b.Filters = nil
	made(Bilinear, BilinearProjected)
	b.Constraints = field.Constraints{}
	made(Bilinear)
}
