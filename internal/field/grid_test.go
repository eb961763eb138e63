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

// TestGridCheck: a box whose two sides are in different units is refused, since it
// would ask for 10^8 shells of wavenumbers a cell.
func TestGridCheck(t *testing.T) {
	for _, c := range []struct {
		box [2]float64
		ok  bool
	}{
		{[2]float64{}, true}, {[2]float64{1, 4}, true}, {[2]float64{500, 1}, true}, {[2]float64{1e300, 1e300}, true},
		{[2]float64{1e8, 1}, false}, {[2]float64{1, 1e8}, false}, {[2]float64{1e-300, 1e300}, false},
	} {
		if err := (Grid{H: 16, W: 16, Box: c.box}).Check(); (err == nil) != c.ok {
			t.Errorf("box %v: %v", c.box, err)
		}
	}
}
