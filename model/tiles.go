package model

import (
	"math"

	"fmsr.example/fmsr/internal/torchx"
)

// Tiling covers a field that is too large for memory with overlapping windows that the
// network can take. There is one field x, from one noise field, and one velocity:
//
//	x (N,C,H,W) --> windows --> v of each --> sum of weight v --> v (N,C,H,W)
//
// The weights sum to one in every cell. So a velocity that depends on its own cell
// alone is unchanged. A velocity that depends on a neighbourhood is blended, at every
// step (Bar-Tal et al. 2023, MultiDiffusion, arXiv:2302.08113). The weight of a window
// is
//
//	0 0 0 / 1 1 1 ... 1 1 1 \ 0 0 0
//	margin taper       taper margin
//
// and has no margin where the field ends.
type Tiling struct {
	Device torchx.Device // of the fields; the CPU unless set

	rows, cols []window // along y and x; each pair is a window
}

// window is a stretch of an axis.
type window struct {
	pieces []piece   // one, or two where it wraps around
	weight []float32 // of each of its cells
}

// piece is a contiguous part of an axis.
type piece struct{ start, length int64 }

// margin is the stretch next to a window's edge in which padding spoils the velocity.
// taper is the stretch over which one window's velocity gives way to the next one's.
// Both are in cells of the network's deepest level, which are 8 cells of the field in
// the published network. The taper is short: two windows do not agree on the finest
// waves, and these lose power where velocities are averaged.
//
// Measured with two networks of 32 channels, one padding with zeros and one
// periodically, on a 256 x 256 field in tiles of 64. Each number is the field in tiles
// over the field at once, near the windows' borders: second differences within 4
// cells, and power in waves of 2 to 4 cells (within 4 cells, over that beyond 16).
// The last columns are the numbers of windows:
//
//	                           second differences   power         windows
//	nothing shared             1.17   1.84          1.00   2.50   16   16
//	no margin, a taper of 16   0.97   0.99          0.96   0.93   25   36
//	margin 8, a taper of 8     0.995  0.99          0.995  0.95   36   49
//	margin 12, no taper        1.00   0.99          1.00   0.96   36   49
//
// The last line is as good here, but would not hide a step where windows differ more.
const (
	margin = 1
	taper  = 1
)

// overlap returns the least number of cells that neighbouring windows share.
func overlap(multiple int) int { return (2*margin + taper) * multiple }

// MinTile returns the side of the smallest tile that can cover a larger field.
func MinTile(multiple int) int { return overlap(multiple) + multiple }

// NewTiling covers h x w cells with windows of at most tile x tile cells. tile and the
// windows' positions are multiples of multiple, and tile is at least MinTile. In a
// periodic field windows wrap around. In another field, the last window ends with the
// field, wherever that is.
func NewTiling(h, w, tile, multiple int, periodic bool) Tiling {
	return Tiling{rows: windows(h, tile, multiple, periodic), cols: windows(w, tile, multiple, periodic)}
}

// windows returns windows that cover n cells of an axis.
func windows(n, tile, multiple int, periodic bool) []window {
	if tile >= n {
		return []window{{pieces: []piece{{0, int64(n)}}, weight: ones(n)}}
	}
	span := n - tile // from the first window to the last, or around to the first
	if periodic {
		span = n
	}
	whole := (span + multiple - 1) / multiple * multiple
	stride := tile - overlap(multiple)
	gaps := (whole + stride - 1) / stride
	start := func(i int) int { return min(span, i*whole/gaps/multiple*multiple) }
	// window i's weight is between borders i and i+1, each the middle of two windows' overlap
	borders := []float64{math.Inf(-1)}
	for i := range gaps {
		borders = append(borders, float64(start(i)+tile+start(i+1))/2)
	}
	if periodic {
		borders[0] = borders[gaps] - float64(n)
	} else {
		borders = append(borders, math.Inf(1))
	}
	all := make([]window, len(borders)-1)
	width := float64(taper * multiple)
	for i := range all {
		all[i].pieces = pieces(start(i), tile, n)
		for j := range tile {
			x := float64(start(i)+j) + 0.5
			all[i].weight = append(all[i].weight, float32(rise((x-borders[i])/width)-rise((x-borders[i+1])/width)))
		}
	}
	return all
}

// rise returns 0 up to x = -1/2, 1 from x = 1/2, and sin^2 in between.
func rise(x float64) float64 {
	s := math.Sin(math.Pi / 2 * max(0, min(1, x+0.5)))
	return s * s
}

func pieces(start, length, n int) []piece {
	if start+length <= n {
		return []piece{{int64(start), int64(length)}}
	}
	return []piece{{int64(start), int64(n - start)}, {0, int64(start + length - n)}}
}

func ones(n int) []float32 {
	w := make([]float32, n)
	for i := range w {
		w[i] = 1
	}
	return w
}

// Windows returns the number of windows.
func (g Tiling) Windows() int { return len(g.rows) * len(g.cols) }

// Velocity returns the blend over all windows of the velocity of(x_lo), for the
// condition x_lo (N,C,H,W) cut to each window.
func (g Tiling) Velocity(xLo torchx.Tensor, of func(xLo torchx.Tensor) Velocity) Velocity {
	if g.Windows() == 1 {
		return of(xLo)
	}
	return func(s *torchx.Scope, x torchx.Tensor, t ...float64) torchx.Tensor {
		v := s.Affine(x, 0, 0)
		for _, row := range g.rows {
			for _, col := range g.cols {
				s.Within(func(s *torchx.Scope) torchx.Tensor {
					part := of(cut(s, xLo, row, col))(s, cut(s, x, row, col), t...)
					part = s.Mul(part, g.weights(s, row.weight, 1, 1, -1, 1))
					part = s.Mul(part, g.weights(s, col.weight, 1, 1, 1, -1))
					paste(s, v, part, row, col)
					return torchx.Tensor{}
				})
			}
		}
		return v
	}
}

func (g Tiling) weights(s *torchx.Scope, w []float32, shape ...int64) torchx.Tensor {
	x := s.Reshape(s.FromFloats(w, int64(len(w))), shape...)
	return s.To(x, torchx.Float32, g.Device, torchx.NCHW)
}

// cut returns a copy of a window of x (N,C,H,W).
func cut(s *torchx.Scope, x torchx.Tensor, row, col window) torchx.Tensor {
	return along(s, 2, along(s, 3, x, col), row)
}

func along(s *torchx.Scope, dim int64, x torchx.Tensor, w window) torchx.Tensor {
	var parts []torchx.Tensor
	for _, p := range w.pieces {
		parts = append(parts, s.Narrow(x, dim, p.start, p.length))
	}
	return s.Cat(dim, parts...)
}

// paste adds the values part (N,C,h,w) of a window to v (N,C,H,W).
func paste(s *torchx.Scope, v, part torchx.Tensor, row, col window) {
	y := int64(0)
	for _, r := range row.pieces {
		x := int64(0)
		for _, c := range col.pieces {
			at := s.Narrow(s.Narrow(v, 2, r.start, r.length), 3, c.start, c.length)
			s.AddInPlace(at, s.Narrow(s.Narrow(part, 2, y, r.length), 3, x, c.length), 1)
			x += c.length
		}
		y += r.length
	}
}
