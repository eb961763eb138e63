package model

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"fmsr.example/fmsr/internal/testkit/golden"
	"fmsr.example/fmsr/internal/torchx"
)

var tilings = []struct {
	h, w, tile, multiple int
	periodic             bool
	windows              int
}{
	{48, 64, 32, 8, true, 6 * 8},
	{48, 64, 32, 8, false, 3 * 5},
	{40, 24, 24, 4, true, 4 * 1},
	{40, 24, 24, 4, false, 3 * 1},
	{56, 8, 48, 8, true, 3}, // 56/3 is no multiple of 8
	{80, 8, 48, 8, false, 3},
	{256, 128, 128, 8, true, 3},
	{256, 128, 64, 8, false, 6 * 3},
	{32, 32, 32, 8, true, 1},
	{16, 24, 64, 8, false, 1},
	{50, 63, 32, 8, true, 7 * 8}, // no multiples
	{50, 63, 32, 8, false, 4 * 5},
	{270, 33, 64, 8, true, 7 * 1},
	{270, 33, 64, 8, false, 7 * 1},
}

// TestTilingWeightsSumToOne: in every cell, along both axes, to float32's round-off.
func TestTilingWeightsSumToOne(t *testing.T) {
	for _, c := range tilings {
		g := NewTiling(c.h, c.w, c.tile, c.multiple, c.periodic)
		if g.Windows() != c.windows {
			t.Errorf("%+v: %d windows", c, g.Windows())
		}
		sum := make([]float64, c.h*c.w)
		for _, row := range g.rows {
			for _, col := range g.cols {
				ys, xs := cells(row), cells(col)
				for i, y := range ys {
					for j, x := range xs {
						sum[y*c.w+x] += float64(row.weight[i]) * float64(col.weight[j])
					}
				}
				if ys[0]%c.multiple != 0 && ys[0] != c.h-c.tile || xs[0]%c.multiple != 0 && xs[0] != c.w-c.tile {
					t.Errorf("%+v: a window at %d, %d", c, ys[0], xs[0])
				}
			}
		}
		for i, v := range sum {
			golden.Near(t, fmt.Sprintf("%+v: cell %d", c, i), v, 1, 1e-6)
		}
	}
}

// TestTilingDiscardsMargins: a window says nothing about the cells next to its
// edges, but for those where the field ends, nothing negative anywhere, and every
// cell of the field is inside the margins of a window that has a say there.
func TestTilingDiscardsMargins(t *testing.T) {
	for _, c := range tilings {
		all := windows(c.h, c.tile, c.multiple, c.periodic)
		if len(all) == 1 {
			continue
		}
		covered := make([]bool, c.h)
		for i, w := range all {
			ys := cells(w)
			for j, weight := range w.weight {
				low := j < margin*c.multiple && (c.periodic || i > 0)
				high := j >= c.tile-margin*c.multiple && (c.periodic || i < len(all)-1)
				if weight < 0 || weight != 0 && (low || high) {
					t.Errorf("%+v: window %d: weight %g at %d of %d", c, i, weight, j, c.tile)
				}
				covered[ys[j]] = covered[ys[j]] || weight > 0
			}
		}
		if i := slices.Index(covered, false); i >= 0 {
			t.Errorf("%+v: no window for cell %d", c, i)
		}
	}
}

func cells(w window) []int {
	var at []int
	for _, p := range w.pieces {
		for i := range p.length {
			at = append(at, int(p.start+i))
		}
	}
	return at
}

// TestTilingLeavesCellsAlone: a velocity that sees each cell of x and x_lo for
// itself is the same from windows, so that every cell comes from its own place.
func TestTilingLeavesCellsAlone(t *testing.T) {
	cellwise := func(xLo torchx.Tensor) Velocity {
		return func(s *torchx.Scope, x torchx.Tensor, t ...float64) torchx.Tensor {
			return s.AddScaled(s.Affine(x, 3, t[0]), s.Mul(x, xLo), 1)
		}
	}
	for _, c := range tilings {
		g := NewTiling(c.h, c.w, c.tile, c.multiple, c.periodic)
		onThread(t, func(s *torchx.Scope) error {
			x, xLo := s.Randn(1, 2, 3, int64(c.h), int64(c.w)), s.Randn(2, 2, 3, int64(c.h), int64(c.w))
			want := s.Floats(cellwise(xLo)(s, x, 0.3))
			got := s.Floats(g.Velocity(xLo, cellwise)(s, x, 0.3))
			for i := range want {
				if diff := math.Abs(float64(got[i] - want[i])); diff > 1e-5 {
					return fmt.Errorf("%+v: value %d is %g, want %g", c, i, got[i], want[i])
				}
			}
			return nil
		})
	}
}

// TestTilingBlends: where windows disagree the result is between them and has no step:
// each window's velocity is the mean of its own x.
func TestTilingBlends(t *testing.T) {
	const n = 128
	g := NewTiling(n, n, 64, 8, true)
	mean := func(torchx.Tensor) Velocity {
		return func(s *torchx.Scope, x torchx.Tensor, _ ...float64) torchx.Tensor {
			return s.Add(s.Affine(x, 0, 0), s.Mean(x))
		}
	}
	onThread(t, func(s *torchx.Scope) error {
		ramp := make([]float32, n*n)
		for i := range ramp {
			ramp[i] = float32(math.Sin(2 * math.Pi * float64(i%n) / n))
		}
		x := s.FromFloats(ramp, 1, 1, n, n)
		v := s.Floats(g.Velocity(x, mean)(s, x, 0))
		low, high, jump := math.Inf(1), math.Inf(-1), 0.0
		for i, value := range v {
			low, high = min(low, float64(value)), max(high, float64(value))
			right := v[i/n*n+(i+1)%n]
			jump = max(jump, math.Abs(float64(right-value)))
		}
		// means of the sine over windows of half its length, 0.64 at the most,
		// blended over a taper of 8 cells
		if high < 0.4 || low > -0.4 || jump > 0.2 {
			t.Errorf("between %g and %g, the largest step %g", low, high, jump)
		}
		return nil
	})
}
