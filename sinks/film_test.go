package sinks

import (
	"image"
	"math"
	"testing"

	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/picture"
	"fmsr.example/fmsr/internal/testkit/golden"
	"fmsr.example/fmsr/pipeline"
)

// TestSpectrum: a wave of amplitude A has the power A^2/2 in its shell, and a constant its
// square in shell 0.
func TestSpectrum(t *testing.T) {
	const h, w = 16, 32
	plane := make([]float32, h*w)
	for i := range plane {
		plane[i] = float32(3 + 0.5*math.Cos(2*math.Pi*float64(i%w)*5/w))
	}
	p := newSpectrum(field.Grid{H: h, W: w}).of(plane)
	for k, v := range p {
		golden.Near(t, "P(k)", v, map[int]float64{0: 9, 5: 0.125}[k], 1e-6)
	}
}

// TestFilmSees: the film keeps x_t of its field alone, at its times, though the model uses
// the same memory again.
func TestFilmSees(t *testing.T) {
	f := film{in: pipeline.Meta{Channels: []string{"a", "b"}}, field: 1}
	x := []float32{1, 2, 3, 4}
	f.see(0.25, x)
	x[3] = 9
	f.see(1, x)
	if len(f.steps) != 2 || f.steps[0].T != 0.25 || f.steps[0].X.Data[1] != 4 || f.steps[1].X.Data[0] != 3 || f.steps[1].X.Data[1] != 9 {
		t.Errorf("%+v", f.steps)
	}
}

// TestZoomInFilm: a film enlarges the cells where the input differs most from the truth, and
// nothing of a small grid.
func TestZoomInFilm(t *testing.T) {
	plane := func(n int, at image.Point) picture.Field {
		f := picture.Field{H: n, W: n, Data: make([]float32, n*n)}
		f.Data[at.Y*n+at.X] = 5
		return f
	}
	at := image.Pt(41, 30)
	if got := zoomInFilm(plane(64, at), plane(64, image.Pt(41, 31))); got.Size() != image.Pt(32, 12) || !at.In(got) || !image.Pt(41, 31).In(got) {
		t.Errorf("a zoom on %v, and the error is at %v", got, at)
	}
	if got := zoomInFilm(plane(16, image.Pt(1, 1)), plane(16, at.Mod(image.Rect(0, 0, 16, 16)))); !got.Empty() {
		t.Errorf("a zoom on %v of 16 x 16 cells", got)
	}
}

// TestFilmFormats: a file of another format is reported before work begins.
func TestFilmFormats(t *testing.T) {
	for file, bad := range map[string]bool{"": false, "a.gif": false, "b.PNG": false, "c.apng": false, "d.mp4": true, "gif": true} {
		reported := false
		(&Film{File: file}).Validate(nil, func(string, string, ...any) { reported = true })
		if reported != bad {
			t.Errorf("%q: reported %t", file, reported)
		}
	}
}
