package model

import (
	"math"

	"fmsr/internal/torchx"
)

// Tiling covers a field that is too large for the network's memory by
// overlapping windows, each as the network can take it. There is one field x,
// from one noise field, for which the sampler asks one velocity:
//
//	x (N,C,H,W) --> windows --> v of each --> sum of weight v --> v (N,C,H,W)
//
// The weights sum to one in every cell, and a window's fall to zero towards
// those of its edges that lie within the field, so that a velocity that sees a
// cell alone is unchanged and one that sees far is blended smoothly, at every
// step (Bar-Tal et al. 2023, MultiDiffusion, arXiv:2302.08113).
type Tiling struct {
	Device torchx.Device // of the fields; the CPU unless set

	rows, cols []window // along y and x; each pair is a window
}

// window is a stretch of an axis.
type window struct {
	pieces []piece   // one, or two where it wraps around
	weight []float32 // of each of its cells
}

// piece is the part of an axis that starts there.
type piece struct{ start, length int64 }

// NewTiling covers h x w cells by windows of at most tile x tile cells. h, w and
// tile are multiples of multiple, as the windows' places will be, and tile is
// at least twice that. In a periodic field windows wrap around.
func NewTiling(h, w, tile, multiple int, periodic bool) Tiling {
	return Tiling{rows: windows(h, tile, multiple, periodic), cols: windows(w, tile, multiple, periodic)}
}

// windows covers n cells of an axis. Neighbours share a quarter of their cells:
// where two networks' answers are averaged the finest waves, on which they do not
// agree, lose power, and with half of the cells shared the spectrum shows it.
func windows(n, tile, multiple int, periodic bool) []window {
	if tile >= n {
		return []window{{pieces: []piece{{0, int64(n)}}, weight: ones(n)}}
	}
	overlap := max(tile/4/multiple, 1) * multiple
	span := n - overlap
	if periodic {
		span = n
	}
	count := (span + tile - overlap - 1) / (tile - overlap)
	starts := make([]int, count)
	for i := range starts {
		if periodic {
			starts[i] = i * n / count / multiple * multiple
		} else {
			starts[i] = i * (n - tile) / (count - 1) / multiple * multiple
		}
	}
	sum := make([]float64, n)
	raw := make([][]float64, count)
	for i, start := range starts {
		raw[i] = taper(tile, overlap, !periodic && i == 0, !periodic && i == count-1)
		for j, w := range raw[i] {
			sum[(start+j)%n] += w
		}
	}
	all := make([]window, count)
	for i, start := range starts {
		all[i].pieces = pieces(start, tile, n)
		for j, w := range raw[i] {
			all[i].weight = append(all[i].weight, float32(w/sum[(start+j)%n]))
		}
	}
	return all
}

// taper rises from 0 to 1 as sin^2 over the overlap, and falls likewise; not
// where the field ends.
func taper(tile, overlap int, first, last bool) []float64 {
	w := make([]float64, tile)
	for j := range w {
		rise := func(from int) float64 {
			s := math.Sin(math.Pi / 2 * min(1, (float64(from)+0.5)/float64(overlap)))
			return s * s
		}
		w[j] = 1
		if !first {
			w[j] *= rise(j)
		}
		if !last {
			w[j] *= rise(tile - 1 - j)
		}
	}
	return w
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

// Windows is how many windows there are.
func (g Tiling) Windows() int { return len(g.rows) * len(g.cols) }

// Velocity is the blend of the velocities that of gives under the windows of
// the condition x_lo (N,C,H,W).
func (g Tiling) Velocity(xLo torchx.Tensor, of func(xLo torchx.Tensor) Velocity) Velocity {
	if g.Windows() == 1 {
		return of(xLo)
	}
	return func(s *torchx.Scope, x torchx.Tensor, t float64) torchx.Tensor {
		v := s.Affine(x, 0, 0)
		for _, row := range g.rows {
			for _, col := range g.cols {
				s.Within(func(s *torchx.Scope) torchx.Tensor {
					part := of(cut(s, xLo, row, col))(s, cut(s, x, row, col), t)
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

// cut copies a window out of x.
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

// paste adds a window to v.
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
