package picture

import (
	"bytes"
	"encoding/xml"
	"image"
	"image/color"
	"io"
	"math"
	"strings"
	"sync"
	"testing"
)

// power returns the curve size k^slope for k = 0..64. Its power at 0 is infinite if it
// falls.
func power(label string, size, slope float64) Curve {
	c := Curve{Label: label}
	for k := range 65 {
		c.X, c.Y = append(c.X, float64(k)), append(c.Y, size*math.Pow(float64(k), slope))
	}
	return c
}

func truth(c Curve) Curve {
	c.Label, c.Of = "truth", Truth
	return c
}

// single returns the figure of one plot.
func single(p Plot) Plots { return Plots{Stacks: []Stack{{p}}} }

// drawn draws the figure of one plot, and returns the place of its axes in the picture.
func drawn(t *testing.T, p Plot) (*image.RGBA, axes) {
	t.Helper()
	f := single(p)
	img := decode(t, f)
	box := f.boxes()[0]
	top := margin + f.legend(img.Bounds().Dx()-2*margin).height()
	return img, p.axes(box.Add(image.Pt(margin, top)))
}

// nearestColor returns the smallest distance of the colours of a pixel and its
// neighbours from want.
func nearestColor(img *image.RGBA, x, y int, want color.RGBA) int {
	nearest := math.MaxInt
	for dy := -1; dy <= 1; dy++ {
		for dx := -1; dx <= 1; dx++ {
			nearest = min(nearest, distance(img.RGBAAt(x+dx, y+dy), want))
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

// TestCurvesAreWhereTheirValuesAre checks that the truth is black and thick at its
// (k,P), that a curve on top of it shows in its own colour between black edges, and
// that a third curve is apart from both.
func TestCurvesAreWhereTheirValuesAre(t *testing.T) {
	img, a := drawn(t, Plot{Curves: []Curve{truth(power("", 1, -2)), power("same", 1, -2), power("more", 30, -2)}})
	for _, k := range []float64{3, 10, 40} {
		for _, at := range []struct {
			name string
			p    float64
			off  int // pixels above the curve
			want color.RGBA
		}{
			{"same", 1 / (k * k), 0, others[0]}, {"more", 30 / (k * k), 0, others[1]}, {"truth's edge", 1 / (k * k), 2, color.RGBA{0, 0, 0, 255}},
		} {
			x, y := a.column(k), a.row(at.p)-at.off
			if nearest := nearestColor(img, x, y, at.want); nearest > 90 {
				t.Errorf("%s at k = %g, pixel (%d,%d): %d from its colour", at.name, k, x, y, nearest)
			}
		}
	}
}

// TestLinearAxes: on linear axes a curve shows its values that are not positive, at their
// places, and NaN is left out; the ground of the band is shaded, and its edges are drawn.
func TestLinearAxes(t *testing.T) {
	p := Plot{
		LinearX: true, LinearY: true, Band: Band{From: 2, To: 4},
		Curves: []Curve{{Label: "a", X: []float64{-4, -2, 0, 2, 4}, Y: []float64{-1, 0, 1, math.NaN(), 0}}},
	}
	if x, y := p.extent(); math.Abs(x.lo+4.16) > 1e-9 || math.Abs(x.hi-4.16) > 1e-9 || math.Abs(y.lo+1.1) > 1e-9 || math.Abs(y.hi-1.1) > 1e-9 {
		t.Errorf("axes %v and %v", x, y)
	}
	img, a := drawn(t, p)
	for _, at := range [][2]float64{{-3, -0.5}, {-1, 0.5}, {0, 1}, {2, 0.5}} {
		if nearest := nearestColor(img, a.column(at[0]), a.row(at[1]), others[0]); nearest > 60 {
			t.Errorf("at (%g,%g): %d from the curve's colour", at[0], at[1], nearest)
		}
	}
	for x, want := range map[float64]color.Color{3.1: Light.Shade, 1.1: Light.Ground} {
		want := color.RGBAModel.Convert(want)
		if got := img.RGBAAt(a.column(x), a.row(-0.83)); got != want {
			t.Errorf("the ground at %g is %v, want %v", x, got, want)
		}
	}
	for _, edge := range []float64{2, 4} {
		dark := 0
		for y := a.box.Min.Y + 2; y < a.box.Max.Y-2; y++ {
			if img.RGBAAt(a.column(edge), y).R < 130 {
				dark++
			}
		}
		if dark < a.box.Dy()/3 {
			t.Errorf("the edge at %g has %d dark pixels of %d", edge, dark, a.box.Dy())
		}
	}
}

// TestSpread: the ground between the bounds is tinted, and beyond them it is not.
func TestSpread(t *testing.T) {
	c := Curve{Label: "a", X: []float64{1, 10, 100}, Y: []float64{1, 1, 1}, Low: []float64{0.3, 0.3, 0.3}, High: []float64{3, math.NaN(), 3}}
	img, a := drawn(t, Plot{Curves: []Curve{c}, Shows: [2]float64{0.1, 10}})
	tinted := func(y float64) bool { return img.RGBAAt(a.column(30), a.row(y)) != white }
	if !tinted(2.5) || !tinted(0.4) || tinted(7) || tinted(0.14) {
		t.Errorf("tinted at 2.5 %t, 0.4 %t, 7 %t, 0.14 %t", tinted(2.5), tinted(0.4), tinted(7), tinted(0.14))
	}
}

// TestSteps: a step reaches halfway to its neighbours, and the outer ones as far outwards.
func TestSteps(t *testing.T) {
	p := Plot{LinearX: true, LinearY: true, Curves: []Curve{{X: []float64{0, 1, 2}, Y: []float64{1, 3, 2}, Steps: true}}}
	if x, _ := p.extent(); math.Abs(x.lo+0.56) > 1e-9 || math.Abs(x.hi-2.56) > 1e-9 {
		t.Errorf("axis %v", x)
	}
	img, a := drawn(t, p)
	for _, at := range [][2]float64{{-0.4, 1}, {0.4, 1}, {0.6, 3}, {1.4, 3}, {2.4, 2}} {
		if nearest := nearestColor(img, a.column(at[0]), a.row(at[1]), others[0]); nearest > 60 {
			t.Errorf("at (%g,%g): %d from the curve's colour", at[0], at[1], nearest)
		}
	}
}

// TestOneColourASource: a source has the colour of the table in every figure and in every
// order, and no two that can share a figure look alike.
func TestOneColourASource(t *testing.T) {
	for _, curves := range [][]Curve{{{Of: "ode_ema", Label: "a"}, {Of: "linear", Label: "b"}}, {{Of: "linear", Label: "c"}, {Label: "other"}, {Of: "ode_ema", Label: "d"}}} {
		s := newStyles([]Plot{{Curves: curves}})
		for _, c := range curves {
			want, known := Color(c.Of)
			if got := s.of(c, Light).Color; known && got != color.Color(want) {
				t.Errorf("%s is %v, want %v", c.Of, got, want)
			}
		}
		if got := s.of(Curve{Of: Truth}, Light); got.Color != Light.Ink || got.Width <= curveWidth {
			t.Errorf("the truth is %+v", got)
		}
		if got := s.of(Curve{Of: Truth}, Dark); got.Color != Dark.Ink {
			t.Errorf("on a dark ground the truth is %v", got.Color)
		}
	}
	looks := map[string]string{}
	for name, s := range sources {
		if name == "lo" || name == "sample" { // the same as low, and as the averaged ODE
			continue
		}
		look := string(append([]byte{s.color.R, s.color.G, s.color.B}, byte(len(s.dashes))))
		if len(s.dashes) > 0 {
			look += string(rune(s.dashes[0]))
		}
		if other, taken := looks[look]; taken {
			t.Errorf("%s looks as %s", name, other)
		}
		looks[look] = name
	}
}

func TestStyles(t *testing.T) {
	var curves []Curve
	for _, l := range []string{"a", "b", "c", "d", "e", "f", "g"} {
		curves = append(curves, Curve{Label: l})
	}
	s := newStyles([]Plot{{Curves: curves}})
	seen := map[color.Color]string{}
	for _, c := range curves[:6] {
		style := s.of(c, Light)
		if other, taken := seen[style.Color]; taken || style.Dashes != nil {
			t.Errorf("%s: colour of %s, dashes %v", c.Label, other, style.Dashes)
		}
		seen[style.Color] = c.Label
	}
	if style := s.of(curves[6], Light); style.Dashes == nil {
		t.Error("the seventh is drawn as the first")
	}
	dashed := curves[0]
	dashed.Dashed = true
	if len(s.of(dashed, Light).Dashes) == 0 || s.of(dashed, Light).Color != s.of(curves[0], Light).Color {
		t.Error("dashed is not dashed, or changes the colour")
	}
}

func TestExtent(t *testing.T) {
	roundOffTail := truth(power("", 1, -2))
	for k := 40; k < 65; k++ {
		roundOffTail.Y[k] = 1e-30
	}
	steep := power("interpolated", 1, -2)
	steep.Y[64] = 1e-9
	corners := truth(power("", 1, -2))
	for k := 33; k < 65; k++ {
		corners.Y[k] = 1e-9
	}
	for _, c := range []struct {
		name   string
		plot   Plot
		lo, hi float64 // the least and the largest power that must fit
		k      float64 // the largest wavenumber that must fit
	}{
		{"power law", Plot{Curves: []Curve{power("a", 1, -2)}}, 1. / 64 / 64, 1, 64},
		{"round-off", Plot{Curves: []Curve{roundOffTail}}, 1. / 39 / 39, 1, 64},
		{"far below the truth", Plot{Curves: []Curve{truth(power("", 1, -2)), steep}}, 0.1 / 64 / 64, 1, 64},
		{"no truth", Plot{Curves: []Curve{steep}}, 1e-9, 1, 64},
		{"diverged", Plot{Curves: []Curve{truth(power("", 1, -2)), power("b", 1e6, 0)}}, 1. / 64 / 64, 100, 64},
		{"behind the band", Plot{Curves: []Curve{corners}, Band: Band{From: 16, To: 32}}, 1. / 32 / 32, 1, 32 * beyond},
		{"flat", Plot{Curves: []Curve{power("a", 3, 0)}}, 3, 3, 64},
		{"shown at least", Plot{Curves: []Curve{power("a", 3, 0)}, Shows: [2]float64{0.5, 20}}, 0.5, 20, 64},
		{"shown at most", Plot{Curves: []Curve{power("a", 1, 2)}, Within: [2]float64{0.1, 10}}, 1, 10, 64},
	} {
		k, p := c.plot.extent()
		if p.lo > c.lo || p.lo < c.lo/2 || p.hi < c.hi || p.hi > c.hi*2 {
			t.Errorf("%s: power %g to %g, want just %g to %g", c.name, p.lo, p.hi, c.lo, c.hi)
		}
		if k.lo > 1 || k.lo < 0.9 || k.hi < c.k || k.hi > c.k*1.1 {
			t.Errorf("%s: k %g to %g, want just 1 to %g", c.name, k.lo, k.hi, c.k)
		}
	}
}

// TestAwkwardPlots checks that values without a logarithm are left out, without a
// panic.
func TestAwkwardPlots(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for name, p := range map[string]Plot{
		"no curves":   {Title: "Bz"},
		"zeros":       {Curves: []Curve{truth(power("", 0, 2))}, Band: Band{From: 2, To: 4}},
		"negative":    {Curves: []Curve{power("a", -1, -2)}},
		"bad points":  {Curves: []Curve{{Label: "a", X: []float64{0, -1, nan, inf, 1, 2, 3, 4}, Y: []float64{1, 1, 1, 1, nan, inf, -1, 5}}}},
		"one point":   {Curves: []Curve{{Label: "a", X: []float64{7}, Y: []float64{2}}}},
		"one step":    {Curves: []Curve{{Label: "a", X: []float64{7}, Y: []float64{2}, Steps: true}}},
		"extremes":    {Curves: []Curve{{Label: "a", X: []float64{1, 2, 3}, Y: []float64{math.MaxFloat64, math.SmallestNonzeroFloat64, 1}}}},
		"bad spread":  {Curves: []Curve{{Label: "a", X: []float64{1, 2, 3}, Y: []float64{1, 2, 3}, Low: []float64{nan, 0, -1}, High: []float64{nan, inf, 5}}}},
		"band beyond": {Curves: []Curve{power("a", 1, -2)}, Band: Band{From: 1e6, To: 1e9, Name: "lost"}},
		"band before": {Curves: []Curve{power("a", 1, -2)}, Band: Band{From: 0.01, To: 0.1, Name: "lost"}},
	} {
		for _, format := range []Format{PNG, SVG, PDF} {
			if len(written(t, single(p), format)) == 0 {
				t.Errorf("%s: an empty %s", name, format)
			}
		}
	}
	lone, _ := drawn(t, Plot{Curves: []Curve{{X: []float64{7}, Y: []float64{2}}}})
	if count(lone, lone.Bounds(), others[0]) < 4 {
		t.Error("a lone point is not drawn")
	}
}

// TestLegend: a figure has one legend, of each label once, in rows that fit; a curve that no
// plot shows is off scale.
func TestLegend(t *testing.T) {
	f := Plots{Stacks: []Stack{
		{{Curves: []Curve{truth(power("", 1, -2)), power("ensemble", 1, -2), power("ensemble", 2, -2), power("", 3, -2), power("round-off", 1e-20, 0)}}},
		{{Curves: []Curve{truth(power("", 1, -2)), power("nothing", 0, 2)}}},
	}}
	var got []string
	for _, row := range f.legend(400) {
		width := 0
		for _, e := range row {
			got = append(got, e.label)
			width += e.width()
		}
		if width > 400 {
			t.Errorf("a row of %d pixels", width)
		}
	}
	if text := strings.Join(got, ", "); text != "truth, ensemble, round-off (off scale), nothing (off scale)" {
		t.Errorf("legend: %s", text)
	}
}

// TestBandNames: the names are at the edges and between them, and do not overlap; without
// room the middle one is left out.
func TestBandNames(t *testing.T) {
	for _, c := range []struct {
		band Band
		want string
	}{
		{Band{16, 32, "N/4", "N/2", "lost"}, "N/4 lost N/2"},
		{Band{28, 32, "N/4", "N/2", "lost"}, "N/4 N/2"},
		{Band{0.1, 32, "N/4", "N/2", "lost"}, "lost N/2"},
	} {
		p := Plot{Curves: []Curve{power("a", 1, -2)}, Band: c.band}
		a := p.axes(image.Rect(0, 0, boxWidth, boxHeight))
		var texts []string
		for _, n := range p.bandNames(a) {
			texts = append(texts, n.text)
			if n.text == "N/2" && n.x != a.column(32) {
				t.Errorf("N/2 is at %d, and the edge at %d", n.x, a.column(32))
			}
		}
		if got := strings.Join(texts, " "); got != c.want {
			t.Errorf("%+v: %q, want %q", c.band, got, c.want)
		}
	}
}

// TestStacks: the plots of a stack share their X axis, in pixels too.
func TestStacks(t *testing.T) {
	top := Plot{Title: "Bx", XLabel: "k", YLabel: "P", Curves: []Curve{power("a", 1, -2)}}
	low := Plot{XLabel: "k", YLabel: "ratio", Curves: []Curve{{Label: "a", X: []float64{3, 9}, Y: []float64{1, 2}}}}
	f := Plots{Stacks: []Stack{{top, low}}}
	boxes := f.boxes()
	if boxes[0].Min.X != boxes[1].Min.X || boxes[0].Max.X != boxes[1].Max.X || boxes[1].Min.Y-boxes[0].Max.Y != stackGap || boxes[1].Dy() != lowHeight {
		t.Errorf("boxes %v", boxes)
	}
	img := decode(t, f)
	a := top.axes(boxes[0].Add(image.Pt(margin, margin+f.legend(img.Bounds().Dx()).height())))
	lower := axes{boxes[1].Add(image.Pt(margin, margin+f.legend(img.Bounds().Dx()).height())), a.x, low.axes(boxes[1]).y}
	for i, k := range []float64{3, 9} {
		if nearest := nearestColor(img, lower.column(k)+1-2*i, lower.row(float64(1+i)), others[0]); nearest > 90 {
			t.Errorf("the lower curve is not at k = %g: %d from its colour", k, nearest)
		}
	}
}

// TestNothingIsCutOff checks that no ink touches a figure's edge, whichever text is
// long.
func TestNothingIsCutOff(t *testing.T) {
	long := "a label that is far longer than a map is wide, by any measure at all"
	f, spectrum := waves(8, 8, 1e-7), []Curve{truth(power("", 1e-30, -9)), power("b", 1e-30, -3)}
	row := func(fields ...Field) []Row { return []Row{{Label: "r", Fields: fields}} }
	for name, figure := range map[string]Figure{
		"plain":   Panel{Rows: row(f)},
		"title":   Panel{Title: long, Rows: row(f)},
		"columns": Panel{Columns: []string{long, long}, Rows: row(f, f)},
		"row":     Panel{Rows: []Row{{Label: long, Fields: []Field{f}}}},
		"notes":   Panel{Rows: []Row{{Fields: []Field{f, f}, Notes: []string{long, long}}}},
		"heads":   Panel{Rows: []Row{{Fields: []Field{f}, Heads: []string{long}}, {Fields: []Field{f}, Heads: []string{long}}}},
		"thin":    Panel{Rows: row(waves(1, 600, 1))},
		"tall":    Panel{Title: "tall", Columns: []string{"a"}, Rows: row(waves(600, 1, 1))},
		"unit":    Panel{Unit: "B [code units]", Diverging: true, Rows: row(waves(8, 8, 1))},
		"own":     Panel{Unit: "B [code units]", Diverging: true, OwnScales: true, Rows: row(waves(8, 8, 1), f)},
		"plot":    single(Plot{Title: "Bx", XLabel: "k L / 2π", YLabel: "P(k)", Curves: spectrum}),
		"long":    single(Plot{LinearX: true, Curves: []Curve{{X: []float64{0, 5e-5}, Y: []float64{1, 2}}}}),
		"labels":  Plots{Title: long, Stacks: []Stack{{{Curves: spectrum, Band: Band{32, 64, "N/4", "N/2", "lost"}}}}},
		"beside":  Beside{Title: long, Figures: []Figure{Panel{Rows: row(f)}, single(Plot{Curves: spectrum})}},
	} {
		img := decode(t, figure)
		size := img.Bounds().Size()
		whole := img.Bounds()
		if blank := count(img, whole, white); blank < size.X*size.Y/10 || blank == size.X*size.Y {
			t.Errorf("%s: %d white pixels of %v", name, blank, size)
		}
		inner := whole.Inset(3)
		if inked := size.X*size.Y - inner.Dx()*inner.Dy() - count(img, whole, white) + count(img, inner, white); inked > 0 {
			t.Errorf("%s: %d pixels of ink at the edge of %v", name, inked, size)
		}
	}
}

// TestFormats: an SVG is XML of the PNG's size that has every label as text; a PDF has the
// figure's size in points; both have the same bytes again, and are not large.
func TestFormats(t *testing.T) {
	p := Panel{
		Title: "Bx", Unit: "code units", Columns: []string{"seed 2"}, Diverging: true,
		Rows: []Row{{Label: "generated", Fields: []Field{waves(64, 64, 1)}, Notes: []string{"error 12%, r = 0.987"}}},
	}
	f := Beside{Title: "both", Figures: []Figure{p, single(Plot{Title: "Bx", XLabel: "k L / 2π", YLabel: "P(k)", Curves: []Curve{truth(power("", 1, -2))}})}}
	size := decode(t, f).Bounds().Size()
	svg := written(t, f, SVG)
	var texts []string
	images := 0
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		token, err := d.Token()
		if err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		switch e := token.(type) {
		case xml.StartElement:
			if e.Name.Local == "image" {
				images++
			}
		case xml.CharData:
			texts = append(texts, strings.TrimSpace(string(e)))
		}
	}
	all := strings.Join(texts, "|")
	for _, want := range []string{"both", "Bx", "code units", "seed 2", "generated", "error 12%, r = 0.987", "x [cells]", "k L / 2π", "P(k)", "truth", "\u22120.5"} {
		if !strings.Contains(all, want) {
			t.Errorf("the SVG lacks %q", want)
		}
	}
	if head := string(svg[:300]); images != 2 || !strings.Contains(head, `width="`+itoa(size.X)+`" height="`+itoa(size.Y)+`"`) {
		t.Errorf("%d images, want 2; a head of %s, want %v", images, head, size)
	}
	pdf := written(t, f, PDF)
	if !bytes.HasPrefix(pdf, []byte("%PDF-")) || !bytes.Contains(pdf, []byte("/MediaBox [0 0 "+itoa(size.X)+".00 "+itoa(size.Y)+".00]")) {
		t.Errorf("not a PDF of %v points", size)
	}
	if !bytes.Equal(pdf, written(t, f, PDF)) || !bytes.Equal(svg, written(t, f, SVG)) {
		t.Error("the bytes differ from one time to the next")
	}
	if len(svg) > 100<<10 || len(pdf) > 100<<10 {
		t.Errorf("%d bytes of SVG and %d of PDF", len(svg), len(pdf))
	}
}

// TestUpsideDown: the first row becomes the last.
func TestUpsideDown(t *testing.T) {
	f := Field{H: 3, W: 1, Data: []float32{-1, 0, 1}}
	img := f.paint(colorScale{lo: -1, hi: 1, colors: redBlue}, 1)
	for y := range 3 {
		if got := upsideDown(img).At(0, y); got != img.At(0, 2-y) {
			t.Errorf("row %d is %v", y, got)
		}
	}
}

func itoa(n int) string { return strings.TrimSuffix(number(float64(n), 0), ".") }

// TestDark: on a dark page the ground is the theme's, and maps have the same colours.
func TestDark(t *testing.T) {
	p := Panel{Diverging: true, Rows: []Row{{Fields: []Field{waves(16, 16, 1)}}}}
	light, err := rasterized(p, Light)
	if err != nil {
		t.Fatal(err)
	}
	dark, err := rasterized(p, Dark)
	if err != nil {
		t.Fatal(err)
	}
	if got := dark.RGBAAt(1, 1); got != Dark.Ground {
		t.Errorf("the ground is %v", got)
	}
	at := p.arrange().tileAt(0, 0)
	for i := range 200 {
		if x, y := at.Min.X+i, at.Min.Y+(i*7)%200; light.RGBAAt(x, y) != dark.RGBAAt(x, y) {
			t.Fatalf("the map differs at (%d,%d)", x, y)
		}
	}
}

func TestPlotErrors(t *testing.T) {
	bad := Plot{Title: "Bx", Curves: []Curve{{Label: "ode", X: make([]float64, 65), Y: make([]float64, 3)}}}
	for want, f := range map[string]Figure{
		"plot Bx: curve ode: 65 places, 3 values, a band of 0 and 0": single(bad),
		"plots all: none":                 Plots{Title: "all"},
		"plots all: stacks of 1 and of 2": Plots{Title: "all", Stacks: []Stack{{{}}, {{}, {}}}},
	} {
		if err := Write(io.Discard, f, PNG, Light); err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	if err := Write(io.Discard, single(Plot{}), "bmp", Light); err == nil {
		t.Error("a figure as bmp")
	}
}

// TestAtOnce draws figures on many goroutines, for go test -race.
func TestAtOnce(t *testing.T) {
	var wg sync.WaitGroup
	f := Beside{Figures: []Figure{Panel{Title: "10^{2}", Rows: []Row{{Label: "r", Fields: []Field{waves(8, 8, 1)}}}}, single(Plot{Title: "Bx", Curves: []Curve{power("a", 1, -2)}})}}
	for _, format := range []Format{PNG, SVG, PDF, PNG} {
		wg.Go(func() {
			if err := Write(io.Discard, f, format, Light); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}
