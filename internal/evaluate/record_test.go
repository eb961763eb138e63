package evaluate

import (
	"bytes"
	"encoding/json"
	"image/png"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"fmsr.example/fmsr/internal/field"
)

// TestRecord: a record has the figures and spectra of the comparison, also once it was read
// back, and what does not exist is null.
func TestRecord(t *testing.T) {
	c := compared(t, Standard, 1, 2)
	r := c.Record(func(field string) string { return "unit of " + field })
	data, err := json.Marshal(r)
	must(t, err)
	back, err := ReadRecord(data)
	must(t, err)
	if d := cmp.Diff(r, back, cmpopts.EquateNaNs(), cmp.Comparer(func(a, b Figure) bool { return a == b || !a.Finite() && !b.Finite() })); d != "" {
		t.Error(d)
	}
	figures := c.Figures()
	for i, s := range figures.Sources {
		for j, m := range r.Metrics {
			want, exists := math.NaN(), false
			for _, v := range s.Values {
				if v.Name == m.Name {
					want, exists = float64(v.All), true
				}
			}
			got := r.Sources[i].All[j]
			if exists && got != want || !exists && !math.IsNaN(got) {
				t.Errorf("%s of %s: %g, want %g", m.Name, s.Source, got, want)
			}
			if exists && len(r.Sources[i].Fields[j]) != 2 {
				t.Errorf("%s of %s: %v", m.Name, s.Source, r.Sources[i].Fields[j])
			}
		}
	}
	if r.Fields[1] != (RecordField{"b", "unit of b"}) || r.Spectra[0].Key != "truth" || !cmp.Equal([]float64(r.Spectra[0].Power[1]), c.TrueSpectrum(1)) {
		t.Errorf("%+v", r.Spectra[0])
	}
	for _, bad := range []string{
		`{"fields":[{"name":"a"}],"sources":[{"key":"x","all":[1],"fields":[]}]}`,
		`{"metrics":[{"name":"a","cell":"%999999999d"}]}`,
		`{"fields":[{"name":"a"}],"spectra":[{"power":[]}]}`,
		`{"fields":[{"name":"a"}],"scales":[{},{}]}`,
	} {
		if _, err := ReadRecord([]byte(bad)); err == nil {
			t.Errorf("%s was read", bad)
		}
	}
}

// TestVerdict: the averaged model's ordinary samples, beside the baseline of the least error.
func TestVerdict(t *testing.T) {
	r := &Record{Metrics: []RecordMetric{{Name: "of_bilinear"}, {Name: "band"}}}
	add := func(key Source, model bool, suffix, row string, share, band float64) {
		r.Sources = append(r.Sources, RecordSource{Key: key, Model: model, Suffix: suffix, Row: row, All: Series{share, band}})
	}
	if r.Verdict() != "" {
		t.Error("a verdict without a model")
	}
	add(Bilinear, false, "_lo", "bilinear input", 1, 0.1)
	add(ODE, true, "", "model, ODE", 0.5, math.NaN())
	if got, want := r.Verdict(), "the model has 0.50 of bilinear's error"; got != want {
		t.Error(got)
	}
	add(Linear, false, "_linear", "linear filter", 0.37, 0.284)
	add("other", false, "_other", "other filter", 0.4, 0.3)
	add(ODEEMA, true, "_ema", "model, ODE EMA", 0.333, 0.841)
	add(SDEEMA, true, "_sde", "model, SDE EMA", 0.3, 1)
	r.Step = 400
	want := "at step 400 the model has 0.33 of bilinear's error, the linear filter 0.37; it keeps 84% of the lost band's power, the linear filter 28%"
	if got := r.Verdict(); got != want {
		t.Error(got)
	}
	r.Sources[4].All = Series{1234567, 17875.2}
	want = "at step 400 the model has 1,234,567 times bilinear's error, the linear filter 0.37; it keeps 17,875 times the lost band's power, the linear filter 28%"
	if got := r.Verdict(); got != want {
		t.Error(got)
	}
}

// TestTiles: the truth's scale for all, row 0 at the bottom, frames side by side, values that
// are not finite in a colour of their own.
func TestTiles(t *testing.T) {
	c := New(Standard, []string{"Bx", "rho"}, field.Grid{H: h, W: w}, 2, Kernels{power, moments})
	truth := make([]float32, 2*2*h*w)
	for i := range truth {
		truth[i] = float32(i%(h*w)) - 4 // -4 to 11 in each plane of Bx
		if i/(h*w)%2 == 1 {
			truth[i] += 5 // 1 to 16 in each plane of rho: not signed, whatever its name
		}
	}
	made := make([]float32, len(truth))
	copy(made, truth)
	made[0], made[1], made[2], made[3] = 0, 100, -100, float32(math.NaN())
	must(t, c.Start([]string{"frame 0", "frame 1"}, truth))
	must(t, c.Add(ODE, made))
	scales := c.Record(func(string) string { return "" }).Scales
	if scales[0] != (TileScale{-11, 11, true}) || scales[1] != (TileScale{1, 16, false}) {
		t.Errorf("scales %+v", scales)
	}
	tiles, err := c.Tiles()
	must(t, err)
	var names []string
	for _, p := range tiles {
		names = append(names, p.Name)
	}
	if got := strings.Join(names, " "); got != "tiles_truth/Bx tiles_truth/rho tiles/Bx tiles/rho" {
		t.Fatal(got)
	}
	img, err := png.Decode(bytes.NewReader(tiles[2].PNG))
	must(t, err)
	paletted := img.(interface{ ColorIndexAt(x, y int) uint8 })
	if size := img.Bounds().Size(); size.X != 2*w || size.Y != h {
		t.Errorf("%v", size)
	}
	for x, want := range []uint8{128, 255, 1, 0} {
		if got := paletted.ColorIndexAt(x, h-1); got != want {
			t.Errorf("cell %d: colour %d, want %d", x, got, want)
		}
	}
	if got := paletted.ColorIndexAt(2*w-1, 0); got != 255 { // the last value of frame 1, 11
		t.Errorf("the last cell: colour %d", got)
	}
	if got := (TileScale{-11, 11, true}).String("G"); got != "±11 G" {
		t.Error(got)
	}
	large := New(Standard, []string{"a"}, field.Grid{H: 2 * mostTile, W: 4}, 2, Kernels{})
	large.shown = Shown{Columns: []string{"f"}, Truth: make([]float32, 8*mostTile)}
	for i := range large.shown.Truth {
		large.shown.Truth[i] = float32(i / 4 % 2) // rows 0 and 1
	}
	if size := large.strip(large.shown.Truth, 0, TileScale{-1, 1, true}).Bounds().Size(); size.X != 2 || size.Y != mostTile {
		t.Errorf("%v", size)
	}
	if got := large.blockMean(large.shown.Truth, 2, 0, 2); got != 0.5 {
		t.Errorf("a block's mean is %g", got)
	}
}
