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

// decode draws a figure as PNG and reads it back.
func decode(t *testing.T, f Figure) *image.RGBA {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(written(t, f, PNG)))
	if err != nil {
		t.Fatal(err)
	}
	rgba := image.NewRGBA(img.Bounds())
	draw.Draw(rgba, rgba.Bounds(), img, image.Point{}, draw.Src)
	return rgba
}

func written(t *testing.T, f Figure, format Format) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, f, format, Light); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
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
			Rows: []Row{{Label: "target", Fields: []Field{one, two}}, {Label: "generated", Fields: []Field{two, one}}},
		}
		img, s, l := decode(t, p), p.scales()[0], p.arrange()
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
		{"sequential", Field{25, 40, thousand(1, 50)}, false, true, true},
		{"sequential, few", waves(8, 8, 1), false, false, false},
	} {
		p := Panel{Diverging: c.diverging, Rows: []Row{{Label: "r", Fields: []Field{c.f}}}}
		img, s, l := decode(t, p), p.scales()[0], p.arrange()
		r := l.bars[0].shades(l.barAt(0))
		x := (r.Min.X + r.Max.X) / 2
		for y := r.Min.Y; y < r.Max.Y; y++ {
			v := s.lo + (s.hi-s.lo)*float64(r.Max.Y-1-y)/float64(r.Dy()-1)
			if got, want := img.RGBAAt(x, y), s.color(v); distance(got, want) > 1 {
				t.Fatalf("%s: bar at value %g: %v, want %v", c.name, v, got, want)
			}
		}
		for _, tick := range l.bars[0].ticks {
			y := r.Max.Y - 1 - int(math.Round((tick.Value-s.lo)/(s.hi-s.lo)*float64(r.Dy()-1)))
			if got := img.RGBAAt(r.Max.X+tickLength/2, y); got != (color.RGBA{0, 0, 0, 255}) {
				t.Errorf("%s: no tick at %s: %v", c.name, tick.Label, got)
			}
		}
		if got := r.Min.Y > l.barAt(0).Min.Y && img.RGBAAt(x, r.Min.Y-arrowHead/2) == s.colors.at(1); got != c.above {
			t.Errorf("%s: arrowhead above %t, want %t", c.name, got, c.above)
		}
		if got := r.Max.Y < l.barAt(0).Max.Y && img.RGBAAt(x, r.Max.Y+arrowHead/2) == s.colors.at(0); got != c.below {
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
		p := Panel{Rows: []Row{{Label: "r", Fields: []Field{{H: c.h, W: c.w, Data: make([]float32, c.h*c.w)}}}}}
		l := p.arrange()
		if l.tile != image.Pt(c.tileW, c.tileH) {
			t.Errorf("%d x %d: tile of %d x %d pixels, want %d x %d", c.h, c.w, l.tile.Y, l.tile.X, c.tileH, c.tileW)
		}
	}
}

// TestLayout checks that maps do not overlap, and that the bar is as tall as all rows
// together.
func TestLayout(t *testing.T) {
	f := waves(64, 64, 1)
	p := Panel{Title: "Bx", Rows: []Row{{Label: "a", Fields: []Field{f, f}}, {Label: "b", Fields: []Field{f, f}}, {Label: "c", Fields: []Field{f, f}}}}
	l := p.arrange()
	if first, last := l.tileAt(0, 0), l.tileAt(2, 1); l.barAt(0).Min.Y != first.Min.Y || l.barAt(0).Max.Y != last.Max.Y || l.barAt(0).Min.X < last.Max.X {
		t.Errorf("bar %v, maps from %v to %v", l.barAt(0), first, last)
	}
	if a, right, under := l.tileAt(0, 0), l.tileAt(0, 1), l.tileAt(1, 0); right.Min.X-a.Max.X != gap || under.Min.Y-a.Max.Y < gap {
		t.Errorf("maps at %v, %v and %v, want at least %d apart", a, right, under, gap)
	}
}

// TestUnitIsDrawn checks that the unit is right of the bar's numbers.
func TestUnitIsDrawn(t *testing.T) {
	p := Panel{Unit: "B [code units]", Diverging: true, Rows: []Row{{Label: "r", Fields: []Field{waves(8, 8, 1)}}}}
	img, l := decode(t, p), p.arrange()
	beyond := image.Rect(l.barAt(0).Min.X+l.bars[0].across()-labelSize, 0, l.size.X, l.size.Y)
	if blank := count(img, beyond, white); beyond.Dx()*beyond.Dy()-blank < 200 {
		t.Errorf("%d pixels of ink", beyond.Dx()*beyond.Dy()-blank)
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
		p := Panel{Title: name, Diverging: true, Rows: []Row{{Label: "r", Fields: []Field{c.f}}}}
		img, at := decode(t, p), p.arrange().tileAt(0, 0)
		if got := img.RGBAAt(at.Min.X+1, at.Max.Y-2); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
		p.Diverging = false
		decode(t, p)
	}
}

func TestPanelErrors(t *testing.T) {
	f := waves(4, 4, 1)
	for _, c := range []struct {
		p    Panel
		want string
	}{
		{Panel{}, "panel Bx: no fields"},
		{Panel{Rows: []Row{{Label: "a"}}}, "panel Bx: no fields"},
		{Panel{Rows: []Row{{Label: "a", Fields: []Field{f}}, {Label: "b", Fields: []Field{waves(4, 5, 1)}}}}, "panel Bx: row b: field 0: 4 x 5, want 4 x 4"},
		{Panel{Rows: []Row{{Label: "a", Fields: []Field{f, {H: 4, W: 4}}}}}, "panel Bx: row a: field 1: 0 values on 4 x 4"},
		{Panel{Rows: []Row{{Label: "a", Fields: []Field{{H: -1, W: -1, Data: []float32{0}}}}}}, "panel Bx: row a: field 0: 1 values on -1 x -1"},
		{Panel{Rows: []Row{{Label: "a", Fields: []Field{f, f}}, {Label: "b", Fields: []Field{f}}}}, "panel Bx: row b: 1 fields, want 2 as in row a"},
		{Panel{Rows: []Row{{Label: "a", Fields: []Field{f}, Notes: []string{"", ""}}}}, "panel Bx: row a: 2 notes, want 1 or none"},
		{Panel{Rows: []Row{{Label: "a", Fields: []Field{f}}}, Zooms: []image.Rectangle{image.Rect(2, 0, 5, 2)}}, "panel Bx: zoom 0 of cells (2,0)-(5,2), on 4 x 4 cells"},
		{Panel{Columns: []string{"x", "y"}, Rows: []Row{{Label: "a", Fields: []Field{f}}}}, "panel Bx: 2 column heads, want 1 or none"},
	} {
		c.p.Title = "Bx"
		if err := Write(io.Discard, c.p, PNG, Light); err == nil || err.Error() != c.want {
			t.Errorf("error %v, want %s", err, c.want)
		}
	}
}

// panics is a writer that panics.
type panics struct{}

func (panics) Write([]byte) (int, error) { panic("disk on fire") }

func TestPanicsAreErrors(t *testing.T) {
	p := Panel{Title: "Bx", Rows: []Row{{Label: "r", Fields: []Field{waves(4, 4, 1)}}}}
	for name, err := range map[string]error{"panel": Write(panics{}, p, PNG, Light), "plot": Write(panics{}, single(Plot{}), PNG, Light)} {
		if err == nil || !strings.Contains(err.Error(), "disk on fire") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

// BenchmarkPanel times a usual panel, 3 x 4 fields of 128 x 128.
func BenchmarkPanel(b *testing.B) {
	f := waves(128, 128, 1)
	four := []Field{f, f, f, f}
	p := Panel{Title: "Bx", Unit: "B", Columns: []string{"a", "b", "c", "d"}, Diverging: true, Rows: []Row{{Label: "input", Fields: four}, {Label: "target", Fields: four}, {Label: "generated", Fields: four}}}
	for b.Loop() {
		if err := Write(io.Discard, p, PNG, Light); err != nil {
			b.Fatal(err)
		}
	}
}

// TestZoom compares every pixel of the zooms with the scale, and finds their marks around the
// same cells of each map.
func TestZoom(t *testing.T) {
	f, g := waves(32, 32, 1), waves(32, 32, 0.5)
	cells := image.Rect(6, 20, 14, 24)
	p := Panel{Diverging: true, Rows: []Row{{Fields: []Field{f}}, {Fields: []Field{g}}}, Zooms: []image.Rectangle{cells}}
	img, s, l := decode(t, p), p.scales()[0], p.arrange()
	for r, row := range p.Rows {
		tile, zoom := l.tileAt(r, 0), l.zoom(l.tileAt(r, 0), r)
		if zoom.Dx() != 8*l.zoomPixels || zoom.Dx() > tile.Dx() || zoom.Dx() < tile.Dx()*3/4 {
			t.Fatalf("a zoom of %v pixels below a map of %v", zoom.Size(), tile.Size())
		}
		for y := range 4 {
			for x := range 8 {
				at := image.Pt(zoom.Min.X+x*l.zoomPixels+3, zoom.Max.Y-1-y*l.zoomPixels-3)
				if got, want := img.RGBAAt(at.X, at.Y), s.color(float64(row.Fields[0].Data[(20+y)*32+6+x])); got != want {
					t.Fatalf("row %d: cell (%d,%d) of the zoom is %v, want %v", r, x, y, got, want)
				}
			}
		}
		left, top := tile.Min.X+6*l.pixels-1, tile.Max.Y-24*l.pixels-1
		black := color.RGBA{0, 0, 0, 255}
		if img.RGBAAt(left, top+10) != black || img.RGBAAt(left+10, top) != black {
			t.Errorf("row %d: no mark at (%d,%d)", r, left, top)
		}
	}
}

// TestOwnScales: each column has its own limits, and a bar of them below it.
func TestOwnScales(t *testing.T) {
	p := Panel{Diverging: true, OwnScales: true, Unit: "B", Rows: []Row{{Fields: []Field{waves(16, 16, 1), waves(16, 16, 0.01)}}}}
	img, l := decode(t, p), p.arrange()
	for i, size := range []float64{1, 0.01} {
		if got := l.scales[i].hi; math.Abs(got/size-1) > 0.01 {
			t.Errorf("column %d: a scale to %g, want %g", i, got, size)
		}
		r := l.bars[i].shades(l.barAt(i))
		if tile := l.tileAt(0, i); r.Min.Y < tile.Max.Y || r.Min.X < tile.Min.X || r.Max.X > tile.Max.X {
			t.Errorf("bar %d at %v, and its map at %v", i, r, tile)
		}
		for x := r.Min.X; x < r.Max.X; x++ {
			if got, want := img.RGBAAt(x, r.Min.Y+2), redBlue.at(float64(x-r.Min.X)/float64(r.Dx()-1)); distance(got, want) > 1 {
				t.Fatalf("bar %d at %d: %v, want %v", i, x, got, want)
			}
		}
	}
	a, b := l.tileAt(0, 0), l.tileAt(0, 1)
	for y := 3; y < a.Dy(); y += 7 {
		if p, q := img.RGBAAt(a.Min.X+40, a.Min.Y+y), img.RGBAAt(b.Min.X+40, b.Min.Y+y); !alike(p, q) {
			t.Fatalf("the same waves are %v and %v", p, q)
		}
	}
}

// TestMapAxes: ticks are at the places of cells and of lengths, and no label stands out.
func TestMapAxes(t *testing.T) {
	for _, c := range []struct {
		cells  int
		length float64
		want   string
	}{{128, 0, "0 50 100"}, {128, 1, "0.0 0.2 0.4 0.6 0.8"}, {256, 2e-5, "0.0 0.5\u00d710^{\u22125} 1.0\u00d710^{\u22125} 1.5\u00d710^{\u22125}"}} {
		a := mapAxis(c.cells, c.length, 256)
		if got := labels(a.ticks); got != c.want {
			t.Errorf("%d cells, length %g: %q, want %q", c.cells, c.length, got, c.want)
		}
	}
	box := image.Rect(10, 20, 266, 276)
	a := axes{box, mapAxis(128, 0, 256), mapAxis(128, 0, 256)}
	if x, y := a.column(50), a.row(50); x != 10+100 || y != 276-100 {
		t.Errorf("cell 50 at (%d,%d)", x, y)
	}
}
