package model

import (
	"fmsr.example/fmsr/internal/field"
	"fmsr.example/fmsr/internal/torchx"
)

// Forward returns the velocity (N,C,H,W) of a network at x = cat(xt, x_lo) (N,2C,H,W)
// and the times t, as Net.Forward does, on any grid. Where H or W is no multiple of
// net.Multiple(), the network sees the field continued to the next multiple, and its
// velocity is cropped to the field's own cells:
//
//	x (N,2C,H,W) --> continued (N,2C,H',W') --> net.Forward --> cropped (N,C,H,W)
//
// Along a periodic axis the field repeats. Along an open axis it is reflected about its
// last cell. On a grid that needs no padding this is net.Forward itself.
//
// All padding is at the end, so that the cells of every level cover the same cells of
// the field as on a larger grid. Sharing it between both ends, or adding at least one
// cell of the deepest level, changed the error of the velocity next to the edges by less
// than a tenth (60 x 60 cells, four levels, either padding of convolutions).
func Forward(s *torchx.Scope, net Net, x, t torchx.Tensor) torchx.Tensor {
	if s.Err() != nil {
		return torchx.Tensor{}
	}
	c, shape := net.Config(), x.Shape()
	h, w := int(shape[2]), int(shape[3])
	if h%net.Multiple() == 0 && w%net.Multiple() == 0 {
		return net.Forward(s, x, t)
	}
	x = s.Within(func(s *torchx.Scope) torchx.Tensor {
		x := extend(s, x, 2, h, net.Multiple(), c.wraps(0))
		x = extend(s, x, 3, w, net.Multiple(), c.wraps(1))
		return s.To(x, c.DType, c.Device, c.Format)
	})
	v := net.Forward(s, x, t)
	return s.Narrow(s.Narrow(v, 2, 0, shape[2]), 3, 0, shape[3])
}

// wraps reports whether a field continues periodically beyond its edges, along y (axis
// 0) or x (axis 1). Convolutions that wrap around want that in any domain.
func (c Config) wraps(axis int) bool { return c.Periodic || c.Boundary[axis] == field.Periodic }

// extend returns x (N,C,H,W), which has n cells along dim, continued along dim to the
// next multiple of multiple.
func extend(s *torchx.Scope, x torchx.Tensor, dim int64, n, multiple int, wraps bool) torchx.Tensor {
	to := (n + multiple - 1) / multiple * multiple
	if to == n {
		return s.Alias(x)
	}
	parts := []torchx.Tensor{x}
	for i := n; i < to; i++ {
		parts = append(parts, s.Narrow(x, dim, int64(beyond(i, n, wraps)), 1))
	}
	return s.Cat(dim, parts...)
}

// beyond returns which of an axis' n cells is seen at position i, at or beyond its end.
func beyond(i, n int, wraps bool) int {
	if wraps || n == 1 {
		return i % n
	}
	i %= 2 * (n - 1)
	return min(i, 2*(n-1)-i)
}
