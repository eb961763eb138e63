package picture

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"io"
	"math"
	"strings"
	"testing"
)

func decode(t *testing.T, encode func(io.Writer) error) *image.RGBA {
	t.Helper()
	var b bytes.Buffer
	if err := encode(&b); err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	rgba := image.NewRGBA(img.Bounds())
	draw.Draw(rgba, rgba.Bounds(), img, image.Point{}, draw.Src)
	return rgba
}

// waves returns a signed field with zeros, extremes of +-size and values between.
func waves(h, w int, size float64) Field {
	f := Field{H: h, W: w}
	for i := range h * w {
		v := size * math.Sin(2*math.Pi*float64(i%w)/float64(w)) * math.Cos(2*math.Pi*float64(i/w)/float64(h))
		f.Data = append(f.Data, float32(v))
	}
	return f
}

// TestPanelPixels compares every pixel of every cell with the scale: a value has one
// colour in all rows, zero is white, row 0 is at the bottom, NaN is grey.
func TestPanelPixels(t *testing.T) {
	one, two := waves(16, 12, 1), waves(16, 12, 0.25)
	two.Data[5] = float32(math.NaN())
	for _, diverging := range []bool{true, false} {
		p := Panel{
			Title: "Bx", Unit: "B", Columns: []string{"seed 0", "seed 1"}, Diverging: diverging,
			Rows: []Row{{"target", []Field{one, two}}, {"generated", []Field{two, one}}},
		}
		img, s, l := decode(t, p.PNG), p.colorScale(), p.layout(p.colorScale())
		if l.pixels != 13 || l.block != 1 { // 16*13 = 208 is the first above 200
			t.Fatalf("%d pixels a cell, blocks of %d", l.pixels, l.block)
		}
		for r, row := range p.Rows {
			for c, f := range row.Fields {
				at := l.tileAt(r, c)
				for y := at.Min.Y; y < at.Max.Y; y++ {
					for x := at.Min.X; x < at.Max.X; x++ {
						cell := (at.Max.Y-1-y)/13*f.W + (x-at.Min.X)/13
						if got, want := img.RGBAAt(x, y), s.color(float64(f.Data[cell])); got != want {
							t.Fatalf("diverging %t, row %d, column %d, cell %d: %v, want %v", diverging, r, c, cell, got, want)
						}
					}
				}
			}
		}
		if got := s.color(0); diverging && got != white {
			t.Errorf("zero is %v", got)
		}
	}
}

// TestBar checks that the bar's colour beside each number is the number's colour, that
// the bar is in order, and that arrowheads are only where values are clipped.
func TestBar(t *testing.T) {
	for _, c := range []struct {
		name         string
		f            Field
		diverging    bool
		below, above bool
	}{
		{"nothing beyond", waves(8, 8, 1), true, false, false},
		{"outlier above", Field{25, 40, thousand(1, 50)}, true, false, true},
		{"outlier below", Field{25, 40, thousand(-1, -50)}, true, true, false},
		{"sequential", Field{25, 40, thousand(1, 50)}, false, false, false},
	} {
		p := Panel{Diverging: c.diverging, Rows: []Row{{"r", []Field{c.f}}}}
		img, s, l := decode(t, p.PNG), p.colorScale(), p.layout(p.colorScale())
		r := l.bar.shades(l.barAt)
		x := (r.Min.X + r.Max.X) / 2
		for y := r.Min.Y; y < r.Max.Y; y++ {
			v := s.lo + (s.hi-s.lo)*float64(r.Max.Y-1-y)/float64(r.Dy()-1)
			if got, want := img.RGBAAt(x, y), s.color(v); distance(got, want) > 1 {
				t.Fatalf("%s: bar at value %g: %v, want %v", c.name, v, got, want)
			}
		}
		for _, tick := range l.bar.ticks {
			y := r.Max.Y - 1 - int(math.Round((tick.Value-s.lo)/(s.hi-s.lo)*float64(r.Dy()-1)))
			if got := img.RGBAAt(r.Max.X+tickLength/2, y); got != (color.RGBA{0, 0, 0, 255}) {
				t.Errorf("%s: no tick at %s: %v", c.name, tick.Label, got)
			}
		}
		if got := r.Min.Y > l.barAt.Min.Y && img.RGBAAt(x, r.Min.Y-arrowHead/2) == s.colors.at(1); got != c.above {
			t.Errorf("%s: arrowhead above %t, want %t", c.name, got, c.above)
		}
		if got := r.Max.Y < l.barAt.Max.Y && img.RGBAAt(x, r.Max.Y+arrowHead/2) == s.colors.at(0); got != c.below {
			t.Errorf("%s: arrowhead below %t, want %t", c.name, got, c.below)
		}
	}
}

func distance(a, b color.RGBA) int {
	d := func(x, y uint8) int { return max(int(x)-int(y), int(y)-int(x)) }
	return max(d(a.R, b.R), d(a.G, b.G), d(a.B, b.B))
}

func TestTileSizes(t *testing.T) {
	for _, c := range []struct {
		h, w, tileH, tileW int
	}{
		{64, 64, 256, 256}, {128, 128, 256, 256}, {200, 200, 200, 200}, {512, 512, 512, 512},
		{1024, 1024, 512, 512}, {513, 513, 257, 257}, {1030, 8, 344, 3}, {1, 1030, 1, 344}, {1, 1, 200, 200},
	} {
		p := Panel{Rows: []Row{{"r", []Field{{H: c.h, W: c.w, Data: make([]float32, c.h*c.w)}}}}}
		l := p.layout(p.colorScale())
		if l.tile != image.Pt(c.tileW, c.tileH) {
			t.Errorf("%d x %d: tile of %d x %d pixels, want %d x %d", c.h, c.w, l.tile.Y, l.tile.X, c.tileH, c.tileW)
		}
	}
}

// TestLayout checks that maps do not overlap, and that the bar is as tall as all rows
// together.
func TestLayout(t *testing.T) {
	f := waves(64, 64, 1)
	p := Panel{Title: "Bx", Rows: []Row{{"a", []Field{f, f}}, {"b", []Field{f, f}}, {"c", []Field{f, f}}}}
	l := p.layout(p.colorScale())
	if first, last := l.tileAt(0, 0), l.tileAt(2, 1); l.barAt.Min.Y != first.Min.Y || l.barAt.Max.Y != last.Max.Y || l.barAt.Min.X < last.Max.X {
		t.Errorf("bar %v, maps from %v to %v", l.barAt, first, last)
	}
	if a, right, under := l.tileAt(0, 0), l.tileAt(0, 1), l.tileAt(1, 0); right.Min.X-a.Max.X != gap || under.Min.Y-a.Max.Y != gap {
		t.Errorf("maps at %v, %v and %v, want %d apart", a, right, under, gap)
	}
}

// TestUnitIsDrawn checks that the unit is right of the bar's numbers.
func TestUnitIsDrawn(t *testing.T) {
	p := Panel{Unit: "B [code units]", Diverging: true, Rows: []Row{{"r", []Field{waves(8, 8, 1)}}}}
	img, l := decode(t, p.PNG), p.layout(p.colorScale())
	beyond := image.Rect(l.barAt.Min.X+l.bar.numbersEnd()+1, 0, l.size.X, l.size.Y)
	if blank := count(img, beyond, white); beyond.Dx()*beyond.Dy()-blank < 200 {
		t.Errorf("%d pixels of ink", beyond.Dx()*beyond.Dy()-blank)
	}
}

// TestNothingIsCutOff checks that no ink touches the picture's edge, whichever text is
// long.
func TestNothingIsCutOff(t *testing.T) {
	long := "a label that is far longer than a map is wide, by any measure at all"
	f := waves(8, 8, 1e-7)
	for name, p := range map[string]Panel{
		"plain":   {Rows: []Row{{"r", []Field{f}}}},
		"title":   {Title: long, Rows: []Row{{"r", []Field{f}}}},
		"columns": {Columns: []string{long, long}, Rows: []Row{{"r", []Field{f, f}}}},
		"row":     {Rows: []Row{{long, []Field{f}}}},
		"unit":    {Unit: "B [code units]", Diverging: true, Rows: []Row{{"r", []Field{waves(8, 8, 1)}}}},
	} {
		img := decode(t, p.PNG)
		size := img.Bounds().Size()
		ink := false
		for y := range size.Y {
			for x := range size.X {
				edge := x < 4 || y < 4 || x >= size.X-4 || y >= size.Y-4
				if dark := img.RGBAAt(x, y) != white; dark && edge {
					t.Fatalf("%s: ink at (%d,%d) of %v", name, x, y, size)
				} else if dark {
					ink = true
				}
			}
		}
		if !ink {
			t.Errorf("%s: blank", name)
		}
	}
}

func TestAwkwardPanels(t *testing.T) {
	nan := Field{2, 2, []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN())}}
	for name, c := range map[string]struct {
		f    Field
		want color.RGBA // of the lower left cell, on a diverging scale
	}{
		"zeros":    {Field{2, 2, make([]float32, 4)}, white},
		"constant": {Field{1, 1, []float32{-3}}, redBlue.at(0)},
		"NaN":      {nan, missing},
		"huge":     {Field{1, 2, []float32{math.MaxFloat32, -math.MaxFloat32}}, redBlue.at(1)},
		"tiny":     {Field{1, 2, []float32{math.SmallestNonzeroFloat32, 0}}, redBlue.at(1)},
	} {
		p := Panel{Title: name, Diverging: true, Rows: []Row{{"r", []Field{c.f}}}}
		img, at := decode(t, p.PNG), p.layout(p.colorScale()).tileAt(0, 0)
		if got := img.RGBAAt(at.Min.X+1, at.Max.Y-2); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
		p.Diverging = false
		decode(t, p.PNG)
	}
}

func TestPanelErrors(t *testing.T) {
	f := waves(4, 4, 1)
	for _, c := range []struct {
		p    Panel
		want string
	}{
		{Panel{}, "panel Bx: no fields"},
		{Panel{Rows: []Row{{"a", nil}}}, "panel Bx: no fields"},
		{Panel{Rows: []Row{{"a", []Field{f}}, {"b", []Field{waves(4, 5, 1)}}}}, "panel Bx: row b: field 0: 4 x 5, want 4 x 4"},
		{Panel{Rows: []Row{{"a", []Field{f, {H: 4, W: 4}}}}}, "panel Bx: row a: field 1: 0 values on 4 x 4"},
		{Panel{Rows: []Row{{"a", []Field{{H: -1, W: -1, Data: []float32{0}}}}}}, "panel Bx: row a: field 0: 1 values on -1 x -1"},
		{Panel{Rows: []Row{{"a", []Field{f, f}}, {"b", []Field{f}}}}, "panel Bx: row b: 1 fields, want 2 as in row a"},
		{Panel{Columns: []string{"x", "y"}, Rows: []Row{{"a", []Field{f}}}}, "panel Bx: 2 column heads, want 1 or none"},
	} {
		c.p.Title = "Bx"
		if err := c.p.PNG(io.Discard); err == nil || err.Error() != c.want {
			t.Errorf("error %v, want %s", err, c.want)
		}
	}
}

// panics is a writer that panics.
type panics struct{}

func (panics) Write([]byte) (int, error) { panic("disk on fire") }

func TestPanicsAreErrors(t *testing.T) {
	p := Panel{Title: "Bx", Rows: []Row{{"r", []Field{waves(4, 4, 1)}}}}
	for name, err := range map[string]error{"panel": p.PNG(panics{}), "spectra": SpectraPlot{}.PNG(panics{})} {
		if err == nil || !strings.Contains(err.Error(), "disk on fire") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// BenchmarkPanel times a usual panel, 3 x 4 fields of 128 x 128.
func BenchmarkPanel(b *testing.B) {
	f := waves(128, 128, 1)
	four := []Field{f, f, f, f}
	p := Panel{Title: "Bx", Unit: "B", Columns: []string{"a", "b", "c", "d"}, Diverging: true, Rows: []Row{{"input", four}, {"target", four}, {"generated", four}}}
	for b.Loop() {
		if err := p.PNG(io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}
