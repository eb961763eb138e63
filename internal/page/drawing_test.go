package page

import (
	"math"
	"testing"
)

// TestDrawing: curves are where their values are, on linear and logarithmic axes.
func TestDrawing(t *testing.T) {
	one := 1.0
	d := &Data{Axes: []Numbers{{1, 10, 100}, {0, 50, 100}}}
	const middle = (drawnLeft + drawnRight) / 2
	for name, c := range map[string]struct {
		chart Chart
		curve string
		right string
		shade *Mark
	}{
		// y from 1/1.58 to 100*1.58 (a pad of a twentieth of the decades)
		"logarithmic": {Chart{LogX: true, LogY: true, Shade: []float64{10, 1000}, Series: []Series{{Y: Numbers{1, 10, 100}}}}, "M130 405l360-187 360-187", "", &Mark{At: middle, Width: drawnRight - middle}},
		// x from 1 to 10.6, the curve goes on beyond it; y from 0 to 53
		"behind the band": {Chart{LogX: true, Shade: []float64{5, 10}, Series: []Series{{Y: Numbers{0, 50, 100}}}}, "M130 424l702-389 702-388", "", &Mark{At: 620, Width: 212}},
		// y from 0 to 106
		"linear":          {Chart{Series: []Series{{X: 1, Y: Numbers{0, 50, 100}}}}, "M130 424l360-194 360-195", "", nil},
		"gaps":            {Chart{LogY: true, Series: []Series{{X: 1, Y: Numbers{0, math.NaN(), 100}}}}, "M490 218l1 0", "", nil},
		"the right value": {Chart{LogX: true, LogY: true, Right: &one, Series: []Series{{Y: Numbers{1, 1e-9, 1}}}}, "M130 51l360 846 360-846", "M130 51H850", nil},
	} {
		got := d.drawing(&c.chart)
		if got.Curves[0].Path != c.curve || got.Right != c.right {
			t.Errorf("%s: curve %s, right %s", name, got.Curves[0].Path, got.Right)
		}
		if (got.Shade == nil) != (c.shade == nil) || got.Shade != nil && *got.Shade != *c.shade {
			t.Errorf("%s: shade %+v", name, got.Shade)
		}
		if len(got.XTicks) < 2 || len(got.YTicks) < 1 {
			t.Errorf("%s: ticks %v, %v", name, got.XTicks, got.YTicks)
		}
	}
	if got := d.drawing(&Chart{LogY: true, Series: []Series{{X: 1, Y: Numbers{0, 0, math.NaN()}}}}); got != nil {
		t.Errorf("nothing to show, and yet %+v", got)
	}
	band := d.drawing(&Chart{Series: []Series{{X: 1, Y: Numbers{1, 1, 1}, Low: Numbers{0, 0, 0}, High: Numbers{2, 2, 2}}}}).Bands[0].Path
	if want := "M130 424l360 0 360 0L850 35l-360 0-360 0Z"; band != want {
		t.Errorf("band %s, want %s", band, want)
	}
}
