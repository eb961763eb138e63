package field

import (
	"fmt"
	"math"
	"slices"
)

// Gather copies one channel of interleaved values (cells,C) into a plane.
func Gather(plane, values []float32, channel, channels int) {
	for i := range plane {
		plane[i] = values[i*channels+channel]
	}
}

// FirstNonFinite returns the index of the first NaN or Inf, or -1. x - x is 0 for
// every finite x, so that a sum of these tells without a branch for each value.
func FirstNonFinite(values []float32) int {
	var sum float32
	for _, v := range values {
		sum += v - v
	}
	if sum == 0 {
		return -1
	}
	return slices.IndexFunc(values, func(v float32) bool {
		return math.IsNaN(float64(v)) || math.IsInf(float64(v), 0)
	})
}

// CheckFinite returns an error for the first NaN or Inf of planes (C,H,W), one plane
// for each name: "field Bx: NaN at y=3, x=17". A float64 may have become Inf.
func (g Grid) CheckFinite(names []string, planes []float32) error {
	at := FirstNonFinite(planes)
	if at < 0 {
		return nil
	}
	cell, hint := at%g.Cells(), ""
	if planes[at] == planes[at] { // Inf
		hint = " (or a number beyond 3.4e38, which float32 does not hold)"
	}
	return fmt.Errorf("field %s: %g at y=%d, x=%d%s", names[at/g.Cells()], planes[at], cell/g.W, cell%g.W, hint)
}
