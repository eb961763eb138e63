package picture

import (
	"image"
	"image/color"
	"io"
	"math"
	"sync"
	"testing"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg/draw"
)

// power returns the curve size k^slope for k = 0..64. Its power at 0 is infinite if it
// falls.
func power(label string, size, slope float64) Curve {
	c := Curve{Label: label}
	for k := range 65 {
		c.K, c.P = append(c.K, float64(k)), append(c.P, size*math.Pow(float64(k), slope))
	}
	return c
}

func truth(c Curve) Curve {
	c.Label, c.Truth = "truth", true
	return c
}

// drawn draws a plot on a canvas of its own and returns both, with the area inside the
// axes.
func drawn(t *testing.T, s SpectraPlot) (*canvas, *plot.Plot, draw.Canvas) {
	t.Helper()
	styles := newStyles([]SpectraPlot{s})
	p, err := s.plot(styles)
	if err != nil {
		t.Fatal(err)
	}
	c := newCanvas(image.Pt(plotWidth, plotHeight))
	p.Draw(c.Canvas)
	axes := p.DataCanvas(c.Canvas)
	s.annotate(p, axes, styles)
	return c, p, axes
}

// TestCurvesAreWhereTheirValuesAre checks that the truth is black and thick at its
// (k,P), that a curve on top of it shows in its own colour between black edges, and
// that a third curve is apart from both.
func TestCurvesAreWhereTheirValuesAre(t *testing.T) {
	s := SpectraPlot{Curves: []Curve{truth(power("", 1, -2)), power("same", 1, -2), power("more", 30, -2)}}
	c, p, axes := drawn(t, s)
	x, y := p.Transforms(&axes)
	for _, k := range []float64{3, 10, 40} {
		for _, at := range []struct {
			name string
			p    float64
			off  float64 // pixels above the curve
			want color.RGBA
		}{
			{"same", 1 / (k * k), 0, lineColors[0]}, {"more", 30 / (k * k), 0, lineColors[1]}, {"truth's edge", 1 / (k * k), 2, color.RGBA{0, 0, 0, 255}},
		} {
			px, py := int(x(k)), c.height-1-int(float64(y(at.p))+at.off)
			if nearest := nearestColor(c.img.Image(), px, py, at.want); nearest > 60 {
				t.Errorf("%s at k = %g, pixel (%d,%d): %d from its colour", at.name, k, px, py, nearest)
			}
		}
	}
}

// nearestColor returns the smallest distance of the colours of a pixel and its
// neighbours from want.
func nearestColor(img image.Image, x, y int, want color.RGBA) int {
	nearest := math.MaxInt
	for dy := -1; dy <= 1; dy++ {
		for dx := -1; dx <= 1; dx++ {
			got := color.RGBAModel.Convert(img.At(x+dx, y+dy)).(color.RGBA)
			nearest = min(nearest, distance(got, want))
		}
	}
	return nearest
}

// count returns the number of pixels of exactly that colour.
func count(img *image.RGBA, area image.Rectangle, want color.RGBA) int {
	n := 0
	for y := area.Min.Y; y < area.Max.Y; y++ {
		for x := area.Min.X; x < area.Max.X; x++ {
			if img.RGBAAt(x, y) == want {
				n++
			}
		}
	}
	return n
}

// TestOneColourALabel checks that a label has the same colour in every plot of a grid,
// also if the labels before it are missing or have no power.
func TestOneColourALabel(t *testing.T) {
	zero := power("ode", 0, 2)
	img := decode(t, func(w io.Writer) error {
		return Grid(w, 3,
			SpectraPlot{Curves: []Curve{power("ode", 1, -2), power("sde", 9, -2)}},
			SpectraPlot{Curves: []Curve{power("sde", 9, -2)}},
			SpectraPlot{Curves: []Curve{zero, power("sde", 9, -2)}})
	})
	for i, want := range []struct{ ode, sde bool }{{true, true}, {false, true}, {true, true}} { // the third has ode in its legend
		area := image.Rect(i*plotWidth, 0, (i+1)*plotWidth, plotHeight)
		ode, sde := count(img, area, lineColors[0]) > 20, count(img, area, lineColors[1]) > 100
		if ode != want.ode || sde != want.sde {
			t.Errorf("plot %d: ode drawn %t, sde drawn %t, want %+v", i, ode, sde, want)
		}
	}
}

func TestStyles(t *testing.T) {
	var curves []Curve
	for _, l := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		curves = append(curves, Curve{Label: l})
	}
	s := newStyles([]SpectraPlot{{Curves: curves}})
	seen := map[color.Color]string{}
	for _, c := range curves[:6] {
		style := s.of(c)
		if other, taken := seen[style.Color]; taken || style.Dashes != nil {
			t.Errorf("%s: colour of %s, dashes %v", c.Label, other, style.Dashes)
		}
		seen[style.Color] = c.Label
	}
	if style := s.of(curves[6]); style.Dashes == nil {
		t.Error("the seventh is drawn as the first")
	}
	dashed := curves[0]
	dashed.Dashed = true
	if len(s.of(dashed).Dashes) == 0 || s.of(dashed).Color != s.of(curves[0]).Color {
		t.Error("dashed is not dashed, or changes the colour")
	}
	if black := s.of(Curve{Label: "a", Truth: true}); black.Color != color.Black || black.Width <= s.of(curves[0]).Width {
		t.Errorf("truth: %+v", black)
	}
}

func TestExtent(t *testing.T) {
	roundOffTail := truth(power("", 1, -2))
	for k := 40; k < 65; k++ {
		roundOffTail.P[k] = 1e-30
	}
	steep := power("interpolated", 1, -2)
	steep.P[64] = 1e-9
	for _, c := range []struct {
		name   string
		curves []Curve
		lo, hi float64 // the least and the largest power that must fit
		k      float64 // the largest wavenumber that must fit
	}{
		{"power law", []Curve{power("a", 1, -2)}, 1. / 64 / 64, 1, 64},
		{"round-off", []Curve{roundOffTail}, 1. / 39 / 39, 1, 64},
		{"far below the truth", []Curve{truth(power("", 1, -2)), steep}, 1e-2 / 64 / 64, 1, 64},
		{"no truth", []Curve{steep}, 1e-9, 1, 64},
		{"diverged", []Curve{truth(power("", 1, -2)), power("b", 1e6, 0)}, 1. / 64 / 64, 1e6, 64},
		{"flat", []Curve{power("a", 3, 0)}, 3, 3, 64},
	} {
		k, p := SpectraPlot{Curves: c.curves}.extent()
		if p.lo > c.lo || p.lo < c.lo/4 || p.hi < c.hi || p.hi > c.hi*4 || p.hi < 3*p.lo {
			t.Errorf("%s: power %g to %g, want just %g to %g", c.name, p.lo, p.hi, c.lo, c.hi)
		}
		if k.lo > 1 || k.lo < 0.9 || k.hi < c.k || k.hi > c.k*1.1 {
			t.Errorf("%s: k %g to %g, want just 1 to %g", c.name, k.lo, k.hi, c.k)
		}
	}
}

// TestAwkwardSpectra checks that values without a logarithm are left out, without a
// panic.
func TestAwkwardSpectra(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for name, s := range map[string]SpectraPlot{
		"no curves":  {Title: "Bz"},
		"zeros":      {Curves: []Curve{truth(power("", 0, 2))}, Marks: []Mark{{3, "m"}}},
		"negative":   {Curves: []Curve{power("a", -1, -2)}},
		"bad points": {Curves: []Curve{{Label: "a", K: []float64{0, -1, nan, inf, 1, 2, 3, 4}, P: []float64{1, 1, 1, 1, nan, inf, -1, 5}}}},
		"one point":  {Curves: []Curve{{Label: "a", K: []float64{7}, P: []float64{2}}}},
		"extremes":   {Curves: []Curve{{Label: "a", K: []float64{1, 2, 3}, P: []float64{math.MaxFloat64, math.SmallestNonzeroFloat64, 1}}}},
		"marks": {Curves: []Curve{power("a", 1, -2)}, Marks: []Mark{
			{0, "zero"}, {-3, "negative"}, {nan, "NaN"}, {1e9, "beyond"}, {64, "a long label at the very end of the axis"}, {32, ""}}},
	} {
		img := decode(t, s.PNG)
		if got, want := img.Bounds().Size(), image.Pt(plotWidth, plotHeight); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	lone := decode(t, SpectraPlot{Curves: []Curve{{K: []float64{7}, P: []float64{2}}}}.PNG)
	if count(lone, lone.Bounds(), lineColors[0]) < 4 {
		t.Error("a lone point is not drawn")
	}
}

// TestLegendKeepsClear checks that the legend covers no curve and no mark, whether
// spectra fall or rise.
func TestLegendKeepsClear(t *testing.T) {
	for _, slope := range []float64{-5. / 3, 0, 2} {
		s := SpectraPlot{
			Curves: []Curve{truth(power("", 1, slope)), power("generated", 2, slope)},
			Marks:  []Mark{{16, "k = N/8"}, {32, "k = N/4"}},
		}
		_, p, axes := drawn(t, s)
		l, ink := s.legend(p, newStyles([]SpectraPlot{s})), s.inked(p, axes)
		where := places(axes, l.size())
		r := where[leastCovering(where, ink)]
		for _, at := range ink {
			if at.X > r.Min.X && at.X < r.Max.X && at.Y > r.Min.Y && at.Y < r.Max.Y {
				t.Errorf("slope %g: legend %v covers %v", slope, r, at)
			}
		}
		if r.Min.X < axes.Min.X || r.Max.X > axes.Max.X || r.Min.Y < axes.Min.Y || r.Max.Y > axes.Max.Y {
			t.Errorf("slope %g: legend %v leaves the frame %v", slope, r, axes.Rectangle)
		}
	}
}

func TestLegendEntries(t *testing.T) {
	s := SpectraPlot{Curves: []Curve{
		truth(power("", 1, -2)), power("ensemble", 1, -2), power("ensemble", 2, -2), power("", 3, -2), power("nothing", 0, 2), power("round-off", 1e-20, 0),
	}}
	_, p, _ := drawn(t, s)
	want := []string{"truth", "ensemble", "nothing (off scale)", "round-off (off scale)"}
	got := s.legend(p, newStyles([]SpectraPlot{s}))
	if len(got) != len(want) {
		t.Fatalf("%d entries, want %q", len(got), want)
	}
	for i := range want {
		if got[i].label != want[i] {
			t.Errorf("entry %d: %q, want %q", i, got[i].label, want[i])
		}
	}
}

// TestMarkLabels checks that labels are inside the frame, at the right of their lines
// if they fit there.
func TestMarkLabels(t *testing.T) {
	s := SpectraPlot{Curves: []Curve{power("a", 1, -2)}}
	_, p, axes := drawn(t, s)
	x, _ := p.Transforms(&axes)
	flat := axes.Size()
	flat.X, flat.Y = 120, 16
	for _, c := range []struct {
		k     float64
		right bool
	}{{2, true}, {50, true}, {64, false}} {
		for _, r := range besideLine(axes, x(c.k), flat) {
			if r.Min.X < axes.Min.X || r.Max.X > axes.Max.X || r.Min.Y < axes.Min.Y || r.Max.Y > axes.Max.Y {
				t.Errorf("k = %g: %v leaves the frame", c.k, r)
			}
			if got := r.Min.X > x(c.k); got != c.right || !got && r.Max.X > x(c.k) {
				t.Errorf("k = %g: %v, line at %g", c.k, r, x(c.k))
			}
		}
	}
}

func TestGridSizes(t *testing.T) {
	s := SpectraPlot{Title: "Bx", XLabel: "k", YLabel: "P(k)", Curves: []Curve{power("a", 1, -2)}}
	for _, c := range []struct{ plots, columns, w, h int }{{1, 4, 1, 1}, {3, 2, 2, 2}, {8, 4, 4, 2}} {
		plots := make([]SpectraPlot, c.plots)
		for i := range plots {
			plots[i] = s
		}
		img := decode(t, func(w io.Writer) error { return Grid(w, c.columns, plots...) })
		if got, want := img.Bounds().Size(), image.Pt(c.w*plotWidth, c.h*plotHeight); got != want {
			t.Errorf("%d plots in %d columns: %v, want %v", c.plots, c.columns, got, want)
		}
		for i := range c.w * c.h {
			area := image.Rect(0, 0, plotWidth, plotHeight).Add(image.Pt(i%c.w*plotWidth, i/c.w*plotHeight))
			if got := count(img, area, lineColors[0]) > 100; got != (i < c.plots) {
				t.Errorf("%d plots in %d columns: curve in tile %d %t", c.plots, c.columns, i, got)
			}
		}
	}
}

func TestSpectraErrors(t *testing.T) {
	bad := SpectraPlot{Title: "Bx", Curves: []Curve{{Label: "ode", K: make([]float64, 65), P: make([]float64, 3)}}}
	for want, err := range map[string]error{
		"spectra of Bx: curve ode: 65 wavenumbers and 3 powers": bad.PNG(io.Discard),
		"spectra: 0 plots in 2 columns":                         Grid(io.Discard, 2),
		"spectra: 1 plots in 0 columns":                         Grid(io.Discard, 0, SpectraPlot{}),
	} {
		if err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}

// TestAtOnce draws pictures on many goroutines, for go test -race.
func TestAtOnce(t *testing.T) {
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			p := Panel{Title: "10^{2}", Rows: []Row{{"r", []Field{waves(8, 8, 1)}}}}
			s := SpectraPlot{Title: "Bx", Curves: []Curve{power("a", 1, -2)}}
			if err := p.PNG(io.Discard); err != nil {
				t.Error(err)
			}
			if err := s.PNG(io.Discard); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}
