package field

import (
	"math"
	"testing"
)

func TestCheckFinite(t *testing.T) {
	grid := Grid{H: 3, W: 4}
	for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), 1e38} {
		for at := range 2 * grid.Cells() {
			planes := noise(1, 2*grid.Cells())
			planes[at] = bad
			err := grid.CheckFinite([]string{"a", "b"}, planes)
			switch {
			case bad == 1e38 && err != nil:
				t.Errorf("a finite value: %v", err)
			case bad != 1e38 && (err == nil || FirstNonFinite(planes) != at):
				t.Errorf("%g at %d was found at %d: %v", bad, at, FirstNonFinite(planes), err)
			}
		}
	}
	planes := make([]float32, 2*grid.Cells())
	planes[12+2*4+3] = float32(math.Inf(-1))
	if err := grid.CheckFinite([]string{"a", "b"}, planes); err == nil || err.Error() != "field b: -Inf at y=2, x=3 (or a number beyond 3.4e38, which float32 does not hold)" {
		t.Errorf("error %v", err)
	}
}

func TestGather(t *testing.T) {
	plane := make([]float32, 3)
	Gather(plane, []float32{0, 1, 10, 11, 20, 21}, 1, 2)
	if plane[0] != 1 || plane[1] != 11 || plane[2] != 21 {
		t.Errorf("channel 1 is %v", plane)
	}
}
