package evaluate

import (
	"bytes"
	"image"
	"image/png"
	"math"
	"slices"
	"strings"
	"testing"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/picture"
	"fmsr.example/fmsr/internal/testkit/golden"
)

// TestNotes: the error below a map is the root mean square of the difference over the truth's
// deviation, and r is Pearson's; of a constant truth there are none.
func TestNotes(t *testing.T) {
	truth := []float32{1, 3, 1, 3}  // mean 2, deviation 1
	made := []float32{2, 2.5, 1, 3} // differences 1, -0.5, 0, 0
	share, r := closeness(made, truth)
	golden.Near(t, "error", share, math.Sqrt(1.25/4), 1e-12)
	// deviations of made from 2.125: -0.125, 0.375, -1.125, 0.875; with -1, 1, -1, 1
	golden.Near(t, "r", r, (0.125+0.375+1.125+0.875)/4/math.Sqrt((0.125*0.125+0.375*0.375+1.125*1.125+0.875*0.875)/4), 1e-12)
	for _, c := range []struct{ got, want string }{
		{ErrorNote(made, truth), "error 56%, r = 0.845"},
		{ErrorNote(made, []float32{2, 2, 2, 2}), ""},
		{rmsNote([]float32{3, -4}, nil), "rms 3.54"},
		{DeviationNote([]float32{3, -4}, nil), "deviation 3.5"},
		{shareNote([]float32{0.5, -0.5}, truth), "rms 0.5, 50% of target's"},
		{shareNote([]float32{0.5, -0.5}, []float32{7, 7}), "rms 0.5"},
	} {
		if c.got != c.want {
			t.Errorf("note %q, want %q", c.got, c.want)
		}
	}
}

// TestWorst: the zoom is where the squares are largest, inside the field.
func TestWorst(t *testing.T) {
	f := picture.Field{H: 32, W: 32, Data: make([]float32, 32*32)}
	f.Data[29*32+30], f.Data[3*32+3] = 2, -1
	if got := Worst(f, image.Pt(8, 4)); !image.Pt(30, 29).In(got) || !got.In(image.Rect(0, 0, 32, 32)) {
		t.Errorf("cells %v", got)
	}
}

// TestLostBand: the edges are the coarse and the fine Nyquist wavenumber, by N where the
// longest side's cells set them.
func TestLostBand(t *testing.T) {
	for _, c := range []struct {
		grid   field.Grid
		factor int
		want   picture.Band
	}{
		{field.Grid{H: 128, W: 128}, 2, picture.Band{From: 32, To: 64, FromName: "N/4", ToName: "N/2", Name: "lost"}},
		{field.Grid{H: 64, W: 256}, 4, picture.Band{From: 32, To: 128, FromName: "N/8", ToName: "N/2", Name: "lost"}},
		{field.Grid{H: 64, W: 64, Box: [2]float64{2, 1}}, 2, picture.Band{From: 16, To: 32, FromName: "N/4", ToName: "N/2", Name: "lost"}},
		{field.Grid{H: 64, W: 128, Box: [2]float64{1, 1}}, 2, picture.Band{From: 16, To: 32, FromName: "16", ToName: "32", Name: "lost"}},
	} {
		if got := LostBand(c.grid, c.factor); got != c.want {
			t.Errorf("%+v: %+v, want %+v", c.grid, got, c.want)
		}
	}
}

// TestSpreadOverFrames: the band around a ratio is its logarithm's deviation over frames: of
// samples with e^2a times the truth's power and with the truth's, a factor of e^a on either
// side, whatever the truth's own powers are.
func TestSpreadOverFrames(t *testing.T) {
	const a = 0.6
	c := New(Standard, []string{"a"}, field.Grid{H: h, W: w}, 2, Kernels{power, moments})
	for n, factor := range []float64{math.Exp(a), 1} {
		truth := noise(1)[:h*w]
		for i := range truth {
			truth[i] *= float32(1 + 2*n)
		}
		made := slices.Clone(truth)
		for i := range made {
			made[i] *= float32(factor)
		}
		must(t, c.Start([]string{"frame"}, truth))
		must(t, c.Add(Bilinear, truth))
		must(t, c.Add(Sample, made))
	}
	m := c.Made[Sample]
	low, high := logBand([]float64{0, 2}, m.LogRatio[0], m.LogRatio2[0], m.Frames)
	golden.Near(t, "low", low[1], 2*math.Exp(-a), 1e-5)
	golden.Near(t, "high", high[1], 2*math.Exp(a), 1e-5)
	_, high = logBand([]float64{0, 1}, c.Truth.LogPower[0], c.Truth.LogPower2[0], 2)
	golden.Near(t, "truth's", high[1], 3, 1e-5) // powers of 1 and 9: a factor of 3 about their geometric mean
	if low, _ := logBand([]float64{0, 2}, m.LogRatio[0], m.LogRatio2[0], 1); low != nil {
		t.Error("a spread over one frame")
	}
	stack := c.spectra().Stacks[0]
	ratio := stack[1].Curves[1]
	golden.Near(t, "ratio", ratio.Y[1], (math.Exp(2*a)+9)/10, 1e-5) // the mean power over the truth's
	if ratio.Of != string(Sample) || stack[0].Curves[0].Of != picture.Truth || stack[0].Curves[len(stack[0].Curves)-1].Label != "low-res" {
		t.Errorf("curves %v over %v", stack[1].Curves, stack[0].Curves)
	}
}

// TestShownEnsemble: pictures show the first three samples, the mean and the spread of the
// first frame, and only the first sample of others.
func TestShownEnsemble(t *testing.T) {
	c := New(Standard, []string{"a"}, field.Grid{H: h, W: w}, 2, Kernels{power, moments})
	plane := func(seed uint64) []float32 { return noise(seed)[:h*w] }
	var e Ensemble
	for n := range uint64(2) {
		must(t, c.Start([]string{"frame"}, plane(n)))
		must(t, c.Add(Bilinear, plane(50+n)))
		e.Reset()
		for k := range uint64(4) {
			must(t, c.Add(Sample, plane(100+10*n+k)))
			e.Add(plane(100 + 10*n + k))
		}
		must(t, c.AddEnsemble(&e))
	}
	shown := c.Shown(9)
	for src, want := range map[Source][]float32{
		Sample: append(plane(100), plane(110)...), Sample2: plane(101), Sample3: plane(102),
	} {
		if !slices.Equal(shown.Made[src], want) {
			t.Errorf("%s: %d values, or others than the samples'", src, len(shown.Made[src]))
		}
	}
	sum := 0.0
	for k := range uint64(4) {
		d := float64(plane(100 + k)[5]) - float64(shown.Made[Mean][5])
		sum += d * d / 3
	}
	golden.Near(t, "spread", float64(shown.Made[Spread][5]), math.Sqrt(sum), 1e-5)
	if len(shown.Made[Spread]) != h*w || len(shown.Made[Mean]) != 2*h*w {
		t.Errorf("%d values of the spread and %d of the mean", len(shown.Made[Spread]), len(shown.Made[Mean]))
	}
	merged := New(Standard, []string{"a"}, c.Grid, 2, Kernels{})
	must(t, merged.Merge(&c.Results, c.Shown(1)))
	must(t, merged.Merge(&c.Results, c.Shown(2)))
	if got := merged.Shown(9); len(got.Made[Sample2]) != h*w || len(got.Made[Sample]) != 3*h*w || !slices.Equal(got.Made[Spread], shown.Made[Spread]) {
		t.Errorf("merged: %d, %d and %d values", len(got.Made[Sample2]), len(got.Made[Sample]), len(got.Made[Spread]))
	}
}

// TestPictures: each name has a figure and its PNG. Of one frame the maps are beside each
// other, of several they are below each other.
func TestPictures(t *testing.T) {
	drawing := Drawing{Unit: func(string) string { return "B" }}
	var names []string
	one := compared(t, Standard, 1)
	pictures, err := one.Pictures(drawing)
	must(t, err)
	for _, p := range pictures {
		names = append(names, p.Name)
		if _, err := png.DecodeConfig(bytes.NewReader(p.PNG)); err != nil || p.Figure == nil {
			t.Errorf("%s: %v", p.Name, err)
		}
	}
	want := "samples/a diffs/a samples/b diffs/b samples_mean/a diffs_mean/a samples_mean/b diffs_mean/b ensemble/a ensemble/b spectra"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("pictures %s\nwant %s", got, want)
	}
	p := one.panel(0, drawing, Sample)
	if len(p.Rows) != 1 || !slices.Equal(p.Columns, []string{"input", "generated", "target"}) || &p.Rows[0].Fields[2].Data[0] != &one.shown.Truth[0] {
		t.Errorf("one frame: %d rows, columns %v", len(p.Rows), p.Columns)
	}
	drawing.OwnScales = true
	p = compared(t, Standard, 1, 2).panel(1, drawing, Sample)
	if len(p.Rows) != 3 || p.Rows[1].Label != "target" || len(p.Columns) != 2 || !p.OwnScales {
		t.Errorf("two frames: %d rows, columns %v", len(p.Rows), p.Columns)
	}
}
