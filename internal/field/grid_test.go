package field

import "testing"

func TestGrid(t *testing.T) {
	g := Grid{H: 12, W: 18}
	if g.String() != "12 x 18" || g.Cells() != 216 || !g.Wraps() {
		t.Errorf("%s, %d cells, wraps %v", g, g.Cells(), g.Wraps())
	}
	if dy, dx := g.Spacing(); dy != 1 || dx != 1 {
		t.Errorf("without a box a cell is %g x %g, want 1 x 1", dy, dx)
	}
	for factor, want := range map[int]bool{1: true, 2: true, 3: true, 6: true, 4: false, 9: false, 0: false} {
		if g.Divides(factor) != want {
			t.Errorf("factor %d: %v", factor, !want)
		}
	}
	g.Box, g.Boundary[1] = [2]float64{4, 2}, Open
	if g.Wraps() {
		t.Error("an open axis wraps around")
	}
	if c := g.Coarser(3); c.H != 4 || c.W != 6 || c.Box != g.Box || c.Boundary != g.Boundary || c.Finer(3) != g {
		t.Errorf("three times coarser: %+v", c)
	}
	if dy, dx := g.Coarser(6).Spacing(); dy != 2 || dx != 2./3 {
		t.Errorf("a coarse cell is %g x %g", dy, dx)
	}
}

func TestBoundaryNames(t *testing.T) {
	for _, b := range []Boundary{Periodic, Open} {
		if got := BoundaryNamed(b.String()); got != b {
			t.Errorf("%s became %s", b, got)
		}
	}
}
