package picture

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"strings"
	"testing"
)

func ramp(h, w int, lo, hi float64) Field {
	f := Field{H: h, W: w, Data: make([]float32, h*w)}
	for i := range f.Data {
		f.Data[i] = float32(lo + (hi-lo)*float64(i)/float64(h*w-1))
	}
	return f
}

func decode(t *testing.T, draw func(io.Writer) error) image.Image {
	t.Helper()
	var b bytes.Buffer
	if err := draw(&b); err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func TestColormaps(t *testing.T) {
	for _, c := range []struct {
		m    colormap
		t    float64
		want color.RGBA
	}{
		{redBlue, 0.5, color.RGBA{247, 247, 247, 255}},
		{redBlue, -3, color.RGBA{5, 48, 97, 255}},
		{redBlue, 7, color.RGBA{103, 0, 31, 255}},
		{viridis, 0, color.RGBA{68, 1, 84, 255}},
		{viridis, math.NaN(), missing},
	} {
		if got := c.m.at(c.t); got != c.want {
			t.Errorf("at %g: %v, want %v", c.t, got, c.want)
		}
	}
}

// TestPanelPixels: a value has the same colour in every row, zero is white, and
// row 0 lies at the bottom.
func TestPanelPixels(t *testing.T) {
	f := ramp(4, 4, 0, 0)
	for x := range 4 {
		f.Data[x] = 2     // bottom row
		f.Data[12+x] = -2 // top row
	}
	p := Panel{Title: "Bx", Columns: []string{"a"}, Diverging: true, Rows: []Row{{"one", []Field{f}}, {"two", []Field{f}}}}
	img := decode(t, p.PNG)
	const tile = 200
	for r := range 2 {
		top := titleRoom + headRoom + r*(tile+gap) + gap - gap
		x := leftMargin + tile/2
		for _, c := range []struct {
			y    int
			want color.RGBA
		}{{top + 10, redBlue.at(0)}, {top + tile/2, redBlue.at(0.5)}, {top + tile - 10, redBlue.at(1)}} {
			if got := color.RGBAModel.Convert(img.At(x, c.y)); got != c.want {
				t.Errorf("row %d, pixel (%d,%d): %v, want %v", r, x, c.y, got, c.want)
			}
		}
	}
}

func TestPanelsOfAwkwardFields(t *testing.T) {
	nan := ramp(8, 8, 0, 1)
	nan.Data[3] = float32(math.NaN())
	for name, f := range map[string]Field{
		"zeros": ramp(8, 8, 0, 0), "constant": ramp(8, 8, 3, 3), "nan": nan, "large": ramp(1030, 8, 0, 1), "one cell": ramp(1, 1, 2, 2),
	} {
		for _, diverging := range []bool{false, true} {
			p := Panel{Title: name, Diverging: diverging, Rows: []Row{{"r", []Field{f}}}}
			decode(t, p.PNG)
		}
	}
}

func TestPanelErrors(t *testing.T) {
	for _, c := range []struct {
		rows []Row
		want string
	}{
		{nil, "no fields"},
		{[]Row{{"a", []Field{ramp(4, 4, 0, 1)}}, {"b", []Field{ramp(4, 5, 0, 1)}}}, "row b: 20 values on 4 x 5, want 4 x 4"},
		{[]Row{{"a", []Field{{H: 4, W: 4}}}}, "row a: 0 values on 4 x 4"},
	} {
		err := Panel{Rows: c.rows}.PNG(io.Discard)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

func TestSpectra(t *testing.T) {
	k := make([]float64, 65)
	p := make([]float64, 65)
	for i := range k {
		k[i], p[i] = float64(i), math.Pow(float64(i), -5.0/3)
	}
	zero := make([]float64, 65)
	for name, plot := range map[string]SpectraPlot{
		"power law": {Title: "Bx", XLabel: "k", YLabel: "P(k)", Curves: []Curve{{"truth", k, p, true}, {"model", k, p, false}}, Marks: []Mark{{32, "lost"}}},
		"zeros":     {Curves: []Curve{{"truth", k, zero, true}}},
		"empty":     {},
	} {
		img := decode(t, func(w io.Writer) error { return Grid(w, 2, plot, plot, plot) })
		if got, want := img.Bounds().Size(), (image.Point{2 * plotWidth, 2 * plotHeight}); got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	bad := SpectraPlot{Title: "x", Curves: []Curve{{"c", k, p[:3], false}}}
	if err := Grid(io.Discard, 1, bad); err == nil || !strings.Contains(err.Error(), "65 wavenumbers and 3 powers") {
		t.Errorf("error %v", err)
	}
}
