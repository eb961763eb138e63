package picture

import (
	"image/color"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestCoarser(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		name string
		f    Field
		n    int
		want Field
	}{
		{"blocks", Field{2, 4, []float32{1, 2, 3, 4, 5, 6, 7, 8}}, 2, Field{1, 2, []float32{3.5, 5.5}}},
		{"edges", Field{2, 3, []float32{1, 2, 3, 5, 6, 7}}, 2, Field{1, 2, []float32{3.5, 5}}},
		{"thin", Field{1, 4, []float32{1, 3, 5, 7}}, 2, Field{1, 2, []float32{2, 6}}},
		{"not finite", Field{1, 4, []float32{1, nan, inf, 7}}, 2, Field{1, 2, []float32{nan, inf}}},
		{"as it is", Field{1, 2, []float32{1, 2}}, 1, Field{1, 2, []float32{1, 2}}},
	} {
		if d := cmp.Diff(c.want, c.f.coarser(c.n), cmpopts.EquateNaNs()); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
}

// TestPaint checks that every cell is a square of one colour, and row 0 is at the bottom.
func TestPaint(t *testing.T) {
	f := Field{2, 3, []float32{-1, 0, 1, 0.5, float32(math.NaN()), -0.5}}
	s := colorScale{lo: -1, hi: 1, colors: redBlue}
	img := f.paint(s, 3)
	if got := img.Bounds().Size(); got.X != 9 || got.Y != 6 {
		t.Fatalf("%v, want 9 x 6", got)
	}
	want := [2][3]color.RGBA{
		{s.color(0.5), missing, s.color(-0.5)},
		{s.color(-1), white, s.color(1)},
	}
	for y := range 6 {
		for x := range 9 {
			if got := img.RGBAAt(x, y); got != want[y/3][x/3] {
				t.Errorf("pixel (%d,%d): %v, want %v", x, y, got, want[y/3][x/3])
			}
		}
	}
}
